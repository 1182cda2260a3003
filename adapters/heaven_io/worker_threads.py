"""Threads for one kind of the application's own code, awaited on either event loop.

They are daemons: the process ends, whatever hangs in one of them. `anyio.from_thread` leads back to the event loop.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar, final

import anyio.to_thread
from anyio import CancelScope, CapacityLimiter, Event, get_cancelled_exc_class, move_on_after

from heaven_core.errors import ResponseStarted
from heaven_io.from_thread import CAN_LEAD_BACK, context_without_loop, leading_back
from heaven_io.in_threads import run_in
from heaven_io.reporting import log_error, log_warning
from heaven_io.soon import soon
from heaven_io.threads import Threads
from heaven_io.unfinished import UNFINISHED

__all__ = ["MAX_THREADS", "MOST_LEFT", "Withdrawn", "Work", "WorkerThreads", "run_in_daemon"]

R = TypeVar("R")

# Threads for each kind of code: handlers, steps of streams, deferred calls. It is waiting that they are for, a
# database's answer say, so that it is not a question of processors.
MAX_THREADS: Final = 40

# Of a kind. More count: what hangs again and again must not take all the threads of the machine.
MOST_LEFT: Final = 1000

# On asyncio. What may run in them is limited by kind, so there are as many as it takes.
_DAEMONS: Final = Threads("heaven-core worker", sys.maxsize)


@final
class WorkerThreads:
    """At most `limit` threads of a kind, in the event loop that runs; what comes then waits for its turn, in order.

    They are those of `pool`, if that is given. `left` is what was left behind in them, and has not returned.
    """

    __slots__ = ("_free", "_queue", "left", "pool")

    def __init__(self, limit: int, pool: Threads | None = None) -> None:
        self._free = limit
        self._queue: Final[deque[Event]] = deque()
        self.pool: Final = pool
        self.left: Final[set[object]] = set()

    def take(self) -> Event | None:
        """Take a turn; where there is none, an event that says that it has come."""
        if self._free:
            self._free -= 1
            return None
        turn = Event()
        self._queue.append(turn)
        return turn

    def give_up(self, turn: Event) -> bool:
        """Wait for it no longer. Whether it had not come yet."""
        if turn not in self._queue:
            return False
        self._queue.remove(turn)
        return True

    def give_back(self) -> None:
        """The turn is over."""
        if self._queue:
            self._queue.popleft().set()
        else:
            self._free += 1


class Withdrawn(Exception):
    """Raised in place of a call that nobody wants any more, and that has not begun."""


@final
class Work(Generic[R]):
    """A call of the application's that one of `threads` makes. `name` is the log's for it; `None`: others log it.

    A thread can't be stopped. When nobody waits for it any more it is left behind: then it no longer counts among those
    threads, the log says once that the call has not returned, and what it still raises is logged.

    `patience` is for how many seconds somebody who is cancelled waits for it all the same, `grace` for how many the end
    of the process does.
    """

    __slots__ = (
        "_call", "_cancellation", "_counts", "_grace", "_keeps_turn", "_left", "_name", "_patience", "_running",
        "_tell", "_threads", "_turn", "_withdrawn",
    )  # fmt: skip

    def __init__(
        self,
        threads: WorkerThreads,
        call: Callable[[], R],
        name: str | None = None,
        *,
        patience: float = 0.0,
        grace: float = 0.0,
    ) -> None:
        self._threads: Final = threads
        self._call: Final = call
        self._name: Final = name
        self._patience: Final = patience
        self._grace: Final = grace
        self._cancellation: type[BaseException] = asyncio.CancelledError
        self._counts = False
        self._keeps_turn = False
        self._left = False
        self._running = False
        self._tell: Callable[[], None] | None = None  # that it has ended
        self._turn: Event | None = None  # which is waited for
        self._withdrawn = False

    async def wait_for_turn(self) -> None:
        """Wait until there is a thread for it. `run` does so where this was not called. Raises `Withdrawn`."""
        turn = self._turn = self._threads.take()
        if turn is not None:
            try:
                await turn.wait()
            except BaseException:
                if not self._threads.give_up(turn) and self._turn is not None:
                    self._threads.give_back()
                raise
            if self._turn is None:  # it was withdrawn before
                raise Withdrawn
            self._turn = None
        self._counts = True

    async def run(self) -> R:
        """What the call returns, or raises. To be called once. Raises `Withdrawn`.

        Where this is cancelled, and the call does not return in `patience` seconds, its thread is left behind.
        """
        if not self._counts:
            await self.wait_for_turn()
        self._cancellation = get_cancelled_exc_class()
        if self._grace:
            UNFINISHED.begin(self, self._grace)
        try:
            return await run_in_daemon(self._do, self._threads.pool)
        except self._cancellation:
            self._withdrawn = True
            try:
                await self._wait_for_end()
            finally:
                self.leave()
            raise
        finally:
            if self._keeps_turn:
                self._tell = soon(self._release)
            if not self._keeps_turn or not self._running:
                self._release()
            if self._grace and not self._running:
                UNFINISHED.end(self)

    def withdraw(self) -> None:
        """Have it not called, where no thread has begun with it."""
        self._withdrawn = True
        if self._turn is not None and self._threads.give_up(self._turn):
            self._turn.set()
            self._turn = None

    def leave(self) -> None:
        """Leave the thread behind, if it is under way."""
        if self._left:
            return
        left = self._threads.left
        left.add(self)  # before it is asked: what ends meanwhile takes itself out
        if not self._running:
            left.discard(self)
            return
        self._left = True
        if self._name is not None:
            log_warning(f"{self._name} has not returned: nobody waits for it any more, its thread is left behind")
        if len(left) <= MOST_LEFT:
            self._release()
        else:
            self._keeps_turn = True
            log_warning(f"{len(left)} threads are left behind: this one still counts among those that may run")

    async def _wait_for_end(self) -> None:
        if self._patience and self._running:
            ended = Event()
            self._tell = soon(ended.set)
            if self._running:  # else it has seen that there was nobody to tell
                with move_on_after(self._patience, shield=True):
                    await ended.wait()

    def _do(self) -> R:
        self._running = True
        try:
            if self._withdrawn:  # the thread was on its way already
                raise Withdrawn
            return self._call()
        except BaseException as error:
            # That its response goes nowhere is no error of the call's, nor that it ends since it was told to, by
            # `anyio.from_thread.check_cancelled`.
            if self._left and not isinstance(error, (Withdrawn, ResponseStarted, self._cancellation)):
                log_error(error, f"{self._name or 'a call'}, whose thread was left behind")
            raise
        finally:
            self._running = False
            self._threads.left.discard(self)
            if self._grace:
                UNFINISHED.end(self)
            if self._tell is not None:
                self._tell()

    def _release(self) -> None:
        if self._counts:
            self._counts = False
            self._threads.give_back()


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
