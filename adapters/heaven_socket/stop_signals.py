"""SIGTERM and SIGINT: the first ends a server in order, the second at once."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Final

import anyio

__all__ = ["heard_once"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def heard_once() -> Generator[Callable[[], Awaitable[None]]]:
    """While it lasts, the first signal lets what this gives return, and the second ends the process, whatever it does.

    In the main thread only. The handlers of before are put back in the end.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with anyio.open_signal_receiver(*_SIGNALS) as received:
            yield partial(_until_signal, received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _until_signal(received: AsyncIterator[signal.Signals]) -> None:
    async for _ in received:
        break
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
