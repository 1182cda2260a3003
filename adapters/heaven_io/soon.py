"""A call in the event loop, asked for somewhere else: in a thread, or in a signal's handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["soon"]


def soon(call: Callable[[], None]) -> Callable[[], None]:
    """A function that has the running event loop do `call`; it may be called anywhere, also in a signal's handler.

    Where the loop has ended meanwhile it does nothing.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio  # noqa: PLC0415  (nobody on asyncio needs to have it)

        token = trio.lowlevel.current_trio_token()

        def tell() -> None:
            try:
                token.run_sync_soon(call)
            except trio.RunFinishedError:
                pass

        return tell
    return lambda: _in_loop(loop, call)


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
