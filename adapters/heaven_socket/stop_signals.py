"""SIGTERM and SIGINT: the first ends a server in order, a second one at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias

import anyio

from heaven_io.soon import soon

__all__ = ["heard_once"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# Seconds in which another one is the same: a service manager tells every process of a group, and so does the one of
# them that looks after the others.
_SAME: Final = 0.3

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

# The servers of this process, all of which a signal is for, when it came, and whose the signals were before.
_servers: Final[list[Callable[[], None]]] = []
_heard: Final[list[float]] = []
_before: Final[dict[signal.Signals, _Handler]] = {}


@contextmanager
def heard_once() -> Generator[Callable[[], Awaitable[None]]]:
    """While it lasts, the first signal lets what this gives return, and a second ends the process, whatever it does.

    In the main thread only. The handlers of before are put back when the last server has ended.
    """
    told = anyio.Event()
    tell = soon(told.set)
    if not _servers:
        _heard.clear()
        _before.update({number: signal.signal(number, _hear) for number in _SIGNALS})
    _servers.append(tell)
    if _heard:
        told.set()
    try:
        yield told.wait
    finally:
        _servers.remove(tell)
        if not _servers:
            for number, handler in _before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _hear(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if not _heard:
        _heard.append(now)
        for tell in _servers:
            tell()
    elif now > _heard[0] + _SAME:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
