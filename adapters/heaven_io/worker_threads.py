"""Threads for one kind of the application's own code, awaited on either event loop.

They are daemons: the process ends, whatever hangs in one of them. `anyio.from_thread` leads back to the event loop.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final, Generic, TypeVar, final

import anyio.to_thread
from anyio import CancelScope, CapacityLimiter, get_cancelled_exc_class

from heaven_io.from_thread import CAN_LEAD_BACK, context_without_loop, leading_back
from heaven_io.in_threads import run_in
from heaven_io.reporting import log_error, log_warning
from heaven_io.threads import Threads
from heaven_io.unfinished import UNFINISHED

__all__ = ["MAX_THREADS", "Work", "WorkerThreads", "run_in_daemon"]

R = TypeVar("R")

# Threads for each kind of code: handlers, steps of streams, deferred calls. It is waiting that they are for, a
# database's answer say, so that it is not a question of processors.
MAX_THREADS: Final = 40

# On asyncio. What may run in them is limited by kind, so there are as many as it takes.
_DAEMONS: Final = Threads("heaven-core worker", sys.maxsize)


@final
class WorkerThreads:
    """At most `limit` threads of a kind, in the event loop that runs; what comes then waits for its turn, in order.

    They are those of `pool`, if that is given.
    """

    __slots__ = ("limiter", "pool")

    def __init__(self, limit: int, pool: Threads | None = None) -> None:
        self.limiter: Final = CapacityLimiter(limit)
        self.pool: Final = pool


@final
class Work(Generic[R]):
    """A call of the application's that one of `threads` makes. `name` is the log's for it; `None`: others log it.

    `grace` is how many seconds the end of the process waits for it.

    A thread can't be stopped. When nobody waits for it any more it is left behind: then it no longer counts among those
    threads, the log says once that the call has not returned, and what it still raises is logged.
    """

    __slots__ = ("_call", "_counts", "_grace", "_left", "_name", "_running", "_threads")

    def __init__(
        self, threads: WorkerThreads, call: Callable[[], R], name: str | None = None, grace: float = 0.0
    ) -> None:
        self._threads: Final = threads
        self._call: Final = call
        self._name: Final = name
        self._grace: Final = grace
        self._counts = False
        self._running = False
        self._left = False

    async def run(self) -> R:
        """What the call returns, or raises. Where this is cancelled, the thread is left behind. To be called once."""
        await self._threads.limiter.acquire_on_behalf_of(self)
        self._counts = True
        if self._grace:
            UNFINISHED.begin(self, self._grace)
        try:
            return await run_in_daemon(self._do, self._threads.pool)
        except get_cancelled_exc_class():
            if self._grace:
                UNFINISHED.end(self)
            self.leave()
            raise
        finally:
            self._release()

    def leave(self) -> None:
        """Leave the thread behind, if it is under way."""
        if self._running and not self._left:
            self._left = True
            if self._name is not None:
                log_warning(f"{self._name} has not returned, and the thread that it hangs in is left behind")
            self._release()

    def _do(self) -> R:
        self._running = True
        try:
            return self._call()
        except BaseException as error:
            if self._left:
                log_error(error, f"{self._name or 'a call'}, whose thread was left behind")
            raise
        finally:
            self._running = False
            if self._grace:
                UNFINISHED.end(self)

    def _release(self) -> None:
        if self._counts:
            self._counts = False
            self._threads.limiter.release_on_behalf_of(self)


async def run_in_daemon(call: Callable[[], R], pool: Threads | None = None) -> R:
    """What `call` returns, or raises, in a daemon thread, one of `pool` if that is given.

    From there `anyio.from_thread` leads back to this event loop, but on trio from a `pool`, where it needs `token=`.
    Cancelling this ends the waiting, not the call.
    """
    if get_cancelled_exc_class() is asyncio.CancelledError and CAN_LEAD_BACK:
        return await _run_on_asyncio(call, _DAEMONS if pool is None else pool)
    if pool is not None:
        return await run_in(pool, context_without_loop().run, call)
    # In a tuple, since trio refuses a thread that returns a coroutine; its threads are daemons, and it needs no limit.
    (result,) = await anyio.to_thread.run_sync(lambda: (call(),), abandon_on_cancel=True, limiter=CapacityLimiter(1))
    return result


async def _run_on_asyncio(call: Callable[[], R], pool: Threads) -> R:
    with CancelScope() as scope:  # which `anyio.from_thread.check_cancelled` asks
        return await run_in(pool, leading_back(call, scope))
    raise AssertionError("nobody cancels that scope")
