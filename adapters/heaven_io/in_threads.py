"""What may block, in a thread of its kind, awaited on either event loop.

- work on files, in `threads.FILES`;
- a stream of `thread="own"`, in a thread that is nobody else's;
- handlers of `thread=True` routes, steps of sync iterables, deferred `def` calls: in anyio's threads, so that they may
  come back to the loop by `anyio.from_thread`; but of each kind so many at a time, whatever the others do, and whatever
  the application does in anyio's threads itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, TypeVarTuple, final

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar, checkpoint_if_cancelled

from heaven_io.soon import soon
from heaven_io.threads import FILES, Threads

__all__ = ["DEFERRED", "HANDLERS", "STEPS", "Kind", "handle_in_thread", "run_in", "work_on_file"]

R = TypeVar("R")
Arguments = TypeVarTuple("Arguments")


@final
class Kind:
    """A kind of work in anyio's threads: at most `limit` at a time in one event loop."""

    __slots__ = ("_limiter", "limit")

    def __init__(self, name: str, limit: int) -> None:
        self.limit: Final = limit
        self._limiter: Final[RunVar[CapacityLimiter]] = RunVar(f"heaven-core {name}")

    @property
    def limiter(self) -> CapacityLimiter:
        """That of the event loop that runs."""
        try:
            return self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(self.limit)
            self._limiter.set(limiter)
            return limiter


HANDLERS: Final = Kind("handlers", 40)
STEPS: Final = Kind("steps", 40)
DEFERRED: Final = Kind("deferred calls", 40)


async def handle_in_thread(handling: Callable[[], object]) -> object:
    """Call the handler of a `thread=True` route."""
    return await anyio.to_thread.run_sync(handling, limiter=HANDLERS.limiter)


async def run_in(threads: Threads, work: Callable[[*Arguments], R], *arguments: *Arguments) -> R:
    """What `work` returns, or raises, in one of `threads`.

    A cancellation does not end it once it has begun. On trio the waiting goes on, on asyncio it does not: there have it
    done by `detached.begin` where somebody has to know of its end.
    """
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return await asyncio.get_running_loop().run_in_executor(threads, partial(work, *arguments))
    await checkpoint_if_cancelled()
    done = anyio.Event()
    tell = soon(done.set)
    future = threads.submit(work, *arguments)
    future.add_done_callback(lambda _: tell())
    with anyio.CancelScope(shield=True):
        await done.wait()
    return future.result()


async def work_on_file(work: Callable[[*Arguments], R], *arguments: *Arguments) -> R:
    """See `run_in`, of the threads for files."""
    return await run_in(FILES, work, *arguments)
