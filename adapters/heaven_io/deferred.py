"""Deferred work: each call on its own, in order, and none lost without a word."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias, final

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from anyio.abc import TaskGroup

from heaven_core.app import App
from heaven_core.events import DeferredCall
from heaven_io.cancelling import is_own_cancellation
from heaven_io.reporting import log_lost

__all__ = ["DEFERRED_THREADS", "Report", "TaskGroupRunner", "run_calls"]

# Sync calls that a runner may have running at a time. They don't share the threads of handlers and streams, which
# slow ones would starve.
DEFERRED_THREADS: Final = 40

Report: TypeAlias = Callable[[BaseException, str], None]
"""Takes an error and where it came from: `app.report`."""


async def run_calls(
    calls: Iterable[DeferredCall], app: App, report: Report, limiter: CapacityLimiter | None = None
) -> None:
    """Run `calls` one after the other: an `async def` here, any other function in a worker thread of `limiter`.

    What a sync function returns is awaited if it can be. A call that raises is reported and the next one runs;
    only a cancellation of this task, `KeyboardInterrupt` and `SystemExit` end it.
    """
    for call in calls:
        await _run_call(call, app, report, limiter)


@final
class TaskGroupRunner:
    """Runs deferred calls in tasks of `group`, and sees to them when the process is about to end."""

    __slots__ = ("_drained", "_group", "_idle", "_limiter", "_running")

    def __init__(self, group: TaskGroup) -> None:
        self._group: Final = group
        self._limiter: Final = CapacityLimiter(DEFERRED_THREADS)
        # What is pending, and the scope to cancel it by.
        self._running: Final[dict[anyio.CancelScope, deque[DeferredCall]]] = {}
        self._idle: anyio.Event | None = None
        self._drained = False

    def start(self, calls: Iterable[DeferredCall], app: App) -> None:
        """Run `calls` in order, in a task of their own. After `drain` they are lost, and logged as that."""
        pending = deque(calls)
        if self._drained:
            _log_all_lost(pending, "the server has shut down")
            return
        scope = anyio.CancelScope()
        self._running[scope] = pending
        self._group.start_soon(self._run, scope, pending, app)

    async def drain(self, deadline_seconds: float) -> None:
        """Wait for pending calls, `deadline_seconds` at most. What is then left is cancelled and logged by name.

        A function that runs in a thread can't be cancelled: it goes on as long as the process lasts.
        """
        with anyio.move_on_after(deadline_seconds):
            while self._running:
                self._idle = anyio.Event()
                await self._idle.wait()
        self._drained = True
        for scope, pending in self._running.items():
            _log_all_lost(pending, f"it had not ended {deadline_seconds:g} s after the shutdown began")
            pending.clear()
            scope.cancel()

    async def _run(self, scope: anyio.CancelScope, pending: deque[DeferredCall], app: App) -> None:
        try:
            with scope:
                while pending:
                    await _run_call(pending[0], app, app.report, self._limiter)
                    if pending:  # not drained meanwhile
                        pending.popleft()
        finally:
            del self._running[scope]
            _log_all_lost(pending, "its task was cancelled")
            if self._idle is not None and not self._running:
                self._idle.set()


async def _run_call(call: DeferredCall, app: App, report: Report, limiter: CapacityLimiter | None) -> None:
    func = call.func
    try:
        if inspect.iscoroutinefunction(func):
            result: object = func(app)
        else:
            # In a tuple, since trio refuses a thread that returns a coroutine.
            (result,) = await anyio.to_thread.run_sync(lambda: (func(app),), abandon_on_cancel=True, limiter=limiter)
        if isinstance(result, Awaitable):
            await result
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if is_own_cancellation(error):
            raise
        report(error, f"deferred call {call.name}")


def _log_all_lost(calls: Iterable[DeferredCall], why: str) -> None:
    for call in calls:
        log_lost(call.name, why)
