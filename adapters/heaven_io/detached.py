"""Work that runs to its end even when those who wait for it are cancelled.

A thread can't be stopped, so cancelling whoever waits for one loses what it was about to hand over: a descriptor that
nobody closes, an item that nobody sends. Here the waiting is cancelled, promptly, and the work is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Final, Generic, TypeVar, final

from anyio import Event, get_cancelled_exc_class

from heaven_io.reporting import log_error

__all__ = ["Job", "begin"]

R = TypeVar("R")

# The loop itself keeps only weak references to its tasks.
_tasks: Final[set[asyncio.Task[None]]] = set()


@final
class Job(Generic[R]):
    """A piece of work that `begin` has begun."""

    __slots__ = ("_cut_short", "_error", "_finished", "_late", "_raised", "_results", "_what", "_work")

    def __init__(self, work: Callable[[], Awaitable[R]], what: str) -> None:
        self._work: Final = work
        self._what: Final = what
        self._finished: Final = Event()
        self._results: Final[list[R]] = []
        self._error: BaseException | None = None
        self._cut_short = False
        self._raised = False  # where it was asked for
        self._late: Callable[[R], Awaitable[None]] | None = None

    @property
    def finished(self) -> bool:
        """Whether `result` has something to say."""
        return self._finished.is_set()

    async def result(self) -> R:
        """Wait for the end of the work; what it returned, or raised. Can be cancelled, and called again."""
        if not self._finished.is_set():
            await self._finished.wait()
        if self._cut_short:
            raise RuntimeError(f"{self._what} was cut short: the event loop is closing") from self._error
        if self._error is not None:
            self._raised = True
            raise self._error
        return self._results[0]

    def abandon(self, late: Callable[[R], Awaitable[None]]) -> None:
        """Say that nobody will ask for the result, so that `late` gets it; an unheard error is logged."""
        if not self._finished.is_set():
            self._late = late
        elif self._results:
            begin(partial(late, self._results[0]), self._what)
        elif self._error is not None and not self._cut_short and not self._raised:
            log_error(self._error, self._what)

    async def run(self) -> None:
        """Do the work. Called once, by `begin`."""
        try:
            self._results.append(await self._work())
        except BaseException as error:
            self._error = error
            # Any other is that of the work, an exit of the application's in a thread say, for whoever waits for it:
            # raised here it would end the event loop.
            if _is_end_of_loop(error):
                self._cut_short = True
                raise
        finally:
            self._finished.set()
        if self._late is not None:
            try:
                if self._error is not None:
                    raise self._error
                await self._late(self._results[0])
            except BaseException as error:
                if _is_end_of_loop(error):
                    raise
                log_error(error, self._what)


def _is_end_of_loop(error: BaseException) -> bool:
    # Nobody else cancels these tasks. When the loop has closed, a coroutine that is left is closed, too: in no loop.
    return type(error) is GeneratorExit or isinstance(error, get_cancelled_exc_class())


def begin(work: Callable[[], Awaitable[R]], what: str) -> Job[R]:
    """Begin `work` in a task that belongs to nobody; `what` names it in the log."""
    job = Job(work, what)
    # The current library is asked for what it cancels with, since that is the one thing anyio's public names tell
    # about it; trio has no tasks outside of nurseries but for these.
    if get_cancelled_exc_class() is asyncio.CancelledError:
        task = asyncio.get_running_loop().create_task(job.run())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
    else:
        from trio.lowlevel import spawn_system_task  # noqa: PLC0415  (nobody on asyncio needs to have it)

        spawn_system_task(job.run, context=copy_context())
    return job
