"""Sync iterables as async ones: in worker threads, a batch of items at a time, on asyncio and trio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, final

import anyio

from heaven_core._callable_name import callable_name
from heaven_core.protocol.frozen_event import as_it_is
from heaven_io.detached import Job, begin
from heaven_io.steps import FAST, Steps
from heaven_io.threads import Threads
from heaven_io.worker_threads import Withdrawn, Work, WorkerThreads, run_in_daemon

__all__ = ["BatchedIterator"]


@final
class BatchedIterator:
    """The items of `iterable`, one at a time, without ever blocking the event loop.

    A list or tuple is iterated in place. Anything else is iterated in `threads`, by `Steps`; an item that is ready
    waits for `FAST` seconds at most while the thread is in a slow step. With `own_thread` all of its steps and its
    closing run in one thread, which nobody else has.
    """

    __slots__ = ("_closing", "_filling", "_in_place", "_own", "_steps", "_threads", "_work")

    def __init__(self, iterable: Iterable[object], threads: WorkerThreads, *, own_thread: bool = False) -> None:
        # Exactly these: a subclass may have an __iter__ of its own, which may block.
        kind: object = type(iterable)
        in_place = kind is list or kind is tuple
        self._in_place: Final[Iterator[object] | None] = iter(iterable) if in_place else None
        self._steps: Final = Steps(() if in_place else iterable)
        self._filling: Job[None] | None = None
        self._closing: Job[None] | None = None
        self._own: Final = Threads("heaven-core stream", 1, None) if own_thread and not in_place else None
        self._threads: Final = threads if self._own is None else WorkerThreads(1, self._own)
        self._work: Work[None] | None = None  # the steps that are under way

    async def next(self, freeze: Callable[[object], object] = as_it_is) -> object:
        """The next item. Cancelling it loses nothing: the item comes next time.

        `freeze` is that of `NextItem`: what is taken ahead of time goes through it.

        Raises:
            StopAsyncIteration: there are no more, or `aclose` was called.
            Exception: what the iterable raised, once; a `BaseException` comes inside a `RuntimeError`.

        """
        steps = self._steps
        steps.freeze = freeze
        if self._in_place is not None and not steps.ended:
            for item in self._in_place:
                return item
            steps.ended = True
        while True:
            # To be read before the items: those that came before the end are then seen before it.
            ended = steps.ended
            if steps.enough:
                raise StopAsyncIteration
            if steps.items:
                return steps.items.popleft()
            if ended:
                error, steps.error = steps.error, None
                if error is None:
                    raise StopAsyncIteration
                raise error
            await self._wait()

    async def aclose(self) -> None:
        """Close the iterator, once, in a thread, when no step of it is running.

        Cancelling it, as a deadline does, gives up the waiting and not the closing; a step that hangs is left behind.

        Raises:
            Exception: what the iterator's own `close` raised. If nobody waits any more it is logged.

        """
        steps = self._steps
        steps.enough = True
        running = self._filling is not None and not self._filling.finished
        if self._closing is None:
            if not running and steps.can_close_at_once:
                steps.close()
                if self._own is not None:
                    self._own.shutdown(wait=False)
                return
            self._closing = begin(self._close, "closing a stream")
        try:
            await self._closing.result()
        except anyio.get_cancelled_exc_class():
            self._closing.abandon(_nothing)
            if self._work is not None:
                self._work.leave()
            raise

    async def _wait(self) -> None:
        """Wait until the thread has filled, or, if some items may be waiting for a slow one, a little."""
        filling = self._filling
        if filling is not None and not filling.finished:
            await filling.result()
            return
        filling = self._filling = begin(self._fill, "a stream")
        if self._steps.limit == 1:
            await filling.result()
        else:
            with anyio.move_on_after(FAST):
                await filling.result()

    async def _fill(self) -> None:
        work = self._work = Work(self._threads, self._steps.fill, f"a step of {callable_name(self._steps.iterable)}")
        with suppress(Withdrawn):
            await work.run()

    async def _close(self) -> None:
        if self._work is not None:
            self._work.withdraw()  # if it still waits for a thread
        try:
            if self._filling is not None:
                await self._filling.result()
            # Whatever the limit is: closing must not wait until some other stream's slow step makes room.
            await run_in_daemon(self._steps.close, self._own)
        finally:
            if self._own is not None:
                self._own.shutdown(wait=False)


async def _nothing(_: None) -> None:
    """Do nothing: when a stream has been closed, nothing is left to do."""
