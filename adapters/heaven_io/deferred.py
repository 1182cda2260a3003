"""Deferred work: each call on its own, in order, and none lost without a word."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import Final, final

import anyio
from anyio.abc import TaskGroup

from heaven_core.protocol.events import DeferredCall
from heaven_io.cancelling import is_own_cancellation
from heaven_io.reporting import Report, log_all_lost
from heaven_io.worker_threads import Work, WorkerThreads

__all__ = ["MAX_RUNNING", "MAX_WAITING", "TaskGroupRunner", "run_calls"]

# Responses whose calls run at a time, and those whose calls wait.
MAX_RUNNING: Final = 100
MAX_WAITING: Final = 10_000


async def run_calls(
    calls: Iterable[DeferredCall], app: object, report: Report, threads: WorkerThreads, grace: float = 0.0
) -> None:
    """Run `calls` one after the other: an `async def` here, any other function in one of `threads`.

    What a sync function returns is awaited if it can be. A call that raises is reported and the next one runs;
    only a cancellation of this task and `KeyboardInterrupt` end it: then what has not run, or not to its
    end, is logged as lost, by name. The end of the process waits `grace` seconds for one that is in a thread.
    """
    pending = deque(calls)
    try:
        while pending:
            await _run_call(pending[0], app, report, threads, grace)
            pending.popleft()
    finally:
        log_all_lost(pending, "its task was cancelled")


@final
class TaskGroupRunner:
    """Runs deferred calls in tasks of `group` and in `threads`, and sees to them when the process is about to end.

    Those of `max_running` responses at a time; of `max_waiting` more they wait for their turn, in order, and of the
    next they are refused and logged by name, for a queue that grows without end would take the process with it.
    """

    __slots__ = (
        "_drained", "_group", "_idle", "_max_running", "_max_waiting", "_report", "_running", "_threads", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        group: TaskGroup,
        report: Report,
        threads: WorkerThreads,
        max_running: int = MAX_RUNNING,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._group: Final = group
        self._report: Final = report
        self._threads: Final = threads
        self._max_running: Final = max_running
        self._max_waiting: Final = max_waiting
        # What is pending, and the scope to cancel it by.
        self._running: Final[dict[anyio.CancelScope, deque[DeferredCall]]] = {}
        self._waiting: Final[deque[tuple[deque[DeferredCall], object]]] = deque()
        self._idle: anyio.Event | None = None
        self._drained = False

    def start(self, calls: Sequence[DeferredCall], app: object) -> None:
        """Run `calls` in order, in a task of their own. After `drain` they are lost, and logged as that."""
        pending = deque(calls)
        if self._drained:
            log_all_lost(pending, "the server has shut down")
        elif len(self._running) < self._max_running:
            self._begin(pending, app)
        elif len(self._waiting) < self._max_waiting:
            self._waiting.append((pending, app))
        else:
            log_all_lost(pending, f"those of {self._max_running} responses run and of {self._max_waiting} wait already")

    async def drain(self, deadline_seconds: float) -> None:
        """Wait for pending calls, `deadline_seconds` at most. What is then left is cancelled and logged by name.

        A function that runs in a thread can't be cancelled: it goes on as long as the process lasts.
        """
        with anyio.move_on_after(deadline_seconds):
            while self._running:
                self._idle = anyio.Event()
                await self._idle.wait()
        self._drained = True
        why = f"it had not ended {deadline_seconds:g} s after the shutdown began"
        for scope, pending in self._running.items():
            log_all_lost(pending, why)
            pending.clear()
            scope.cancel()
        for pending, _ in self._waiting:
            log_all_lost(pending, why)
        self._waiting.clear()

    def _begin(self, pending: deque[DeferredCall], app: object) -> None:
        scope = anyio.CancelScope()
        self._running[scope] = pending
        self._group.start_soon(self._run, scope, pending, app)

    async def _run(self, scope: anyio.CancelScope, pending: deque[DeferredCall], app: object) -> None:
        try:
            with scope:
                while pending:
                    await _run_call(pending[0], app, self._report, self._threads)
                    if pending:  # not drained meanwhile
                        pending.popleft()
        finally:
            del self._running[scope]
            log_all_lost(pending, "its task was cancelled")
            if self._waiting:
                self._begin(*self._waiting.popleft())
            if self._idle is not None and not self._running:
                self._idle.set()


async def _run_call(
    call: DeferredCall, app: object, report: Report, threads: WorkerThreads, grace: float = 0.0
) -> None:
    try:
        if inspect.iscoroutinefunction(call.func):
            result = call.run(app)
        else:
            result = await Work(threads, partial(call.run, app), grace=grace).run()
        if isinstance(result, Awaitable):
            await result
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, too: the end of a command line's main is not the server's
        if is_own_cancellation(error):
            raise
        report(error, f"deferred call {call.name}")
