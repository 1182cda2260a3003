"""SIGTERM and SIGINT, heard before the server hears them: most say nothing else while streams are open."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from types import FrameType
from typing import Final

__all__ = ["SIGQUIT", "heard_first"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# What else a server may end its workers by: gunicorn does, when it is interrupted.
SIGQUIT: Final = (signal.SIGQUIT,) if hasattr(signal, "SIGQUIT") else ()
_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def heard_first(tell: Callable[[], None], more: Sequence[signal.Signals] = ()) -> Generator[None]:
    """While it lasts, `tell` is called when a signal comes, and then whoever has handled it until now.

    The signals are SIGTERM, SIGINT, and `more`.

    A signal that nobody handles is left alone, since it is ignored or ends the process; and outside of the main thread
    there are none.
    """
    installed: list[tuple[signal.Signals, _Handler, _Handler]] = []
    if current_thread() is main_thread():
        for number in (*_SIGNALS, *more):
            server = signal.getsignal(number)
            if callable(server):
                handler: _Handler = partial(_hear, tell, server)
                signal.signal(number, handler)
                installed.append((number, handler, server))
    try:
        yield
    finally:
        for number, handler, server in installed:
            # One that somebody has chained before this one goes on calling it, which does no harm; and so does this one
            # itself where it ends in another thread, which can't take it back.
            if current_thread() is main_thread() and signal.getsignal(number) is handler:
                signal.signal(number, server)


def _hear(tell: Callable[[], None], server: _Handler, number: int, frame: FrameType | None) -> None:
    try:
        tell()
    finally:
        server(number, frame)
