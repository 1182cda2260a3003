"""Deferred work where no event loop is: in one thread of the process, and what is async on its event loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Final, final

from heaven_core import DeferredCall
from heaven_core._checks import is_awaitable
from heaven_io.reporting import Report, log_all_lost, log_error
from heaven_wsgi.process import Process
from heaven_wsgi.waiting import Answer

__all__ = ["MAX_WAITING", "DeferredThread"]

# Responses whose calls run or wait.
MAX_WAITING: Final = 10_000
# Seconds that an async call gets to end when it has been cancelled.
_CANCELLED: Final = 5.0


@final
class _Work:
    """The calls of one response that have not run to their end; the first one is under way, or will be."""

    __slots__ = ("app", "awaited", "calls", "context", "failure")

    def __init__(self, calls: Sequence[DeferredCall], app: object, context: Context) -> None:
        self.calls: Final = deque(calls)
        self.app: Final = app
        self.context: Final = context
        self.awaited: Answer | None = None  # what the event loop has of it
        self.failure: tuple[BaseException, DeferredCall] | None = None  # there, still to be reported


@final
class DeferredThread:
    """Runs deferred calls, each on its own, those of a response in order, in a daemon thread that begins with them.

    What a call gives to be awaited goes to the event loop; meanwhile the thread turns to other responses. Of more than
    `max_waiting` responses the calls are refused and logged by name: a queue that grows without end would take the
    process with it.
    """

    __slots__ = ("_changed", "_ended", "_max_waiting", "_pending", "_process", "_queue", "_report", "_thread")

    def __init__(self, process: Process, report: Report, max_waiting: int) -> None:
        self._process: Final = process
        self._report: Final = report
        self._max_waiting: Final = max_waiting
        self._queue: Final[SimpleQueue[_Work | None]] = SimpleQueue()
        # Guarded by `_changed`, as is what the calls of each are: so none is called lost that has run, and none begins
        # that was called lost.
        self._pending: Final[set[_Work]] = set()
        self._changed: Final = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = False

    @property
    def is_current(self) -> bool:
        """Whether this is called in its thread."""
        return threading.current_thread() is self._thread

    def start(self, calls: Sequence[DeferredCall], app: object) -> None:
        """Run `calls` in order, in the context of the caller, a copy of it. After `drain` they are lost, and logged."""
        with self._changed:
            if self._ended:
                log_all_lost(calls, "the server has shut down")
                return
            if len(self._pending) >= self._max_waiting:
                log_all_lost(calls, f"those of {self._max_waiting} responses run or wait already")
                return
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="heaven-core deferred work", daemon=True)
                thread.start()  # a process that can start no more threads raises
                self._thread = thread
            work = _Work(calls, app, copy_context())
            self._pending.add(work)
            self._queue.put(work)

    def drain(self, deadline_seconds: float) -> None:
        """Wait for what is pending, `deadline_seconds` at most. What is left then is cancelled, and logged by name.

        A function that runs in the thread can't be cancelled: it goes on as long as the process lasts.
        """
        why = "nobody has waited for its end"
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._pending, deadline_seconds)
            why = f"it had not ended {deadline_seconds:g} s after the shutdown began"
        finally:
            with self._changed:
                self._ended = True
                self._queue.put(None)
                for work in list(self._pending):
                    log_all_lost(work.calls, why)
                    work.calls.clear()
                    if work.awaited is None:
                        self._pending.discard(work)
                    else:
                        self._process.call_soon(work.awaited.give_up)
                # So that what those clean up still has the lifespan.
                self._changed.wait_for(lambda: not self._pending, _CANCELLED)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                self._go_on(work)
            except BaseException as error:
                log_error(error, "the thread of deferred work, which goes on")

    def _go_on(self, work: _Work) -> None:
        """Run the calls, up to one that has to be awaited."""
        failure, work.failure = work.failure, None
        if failure is not None:
            self._tell(*failure)
        while (call := self._next_of(work)) is not None:
            try:
                result = work.context.run(call.run, work.app)
                if is_awaitable(result):
                    answer = Answer()
                    with self._changed:
                        work.awaited = answer
                    self._process.begin(work.context.copy(), result, answer, partial(self._take_answer, work))
                    return
            except BaseException as error:  # SystemExit, too: the end of a command line's main is not the server's
                self._finish_first(work)
                self._tell(error, call)
            else:
                self._finish_first(work)

    def _next_of(self, work: _Work) -> DeferredCall | None:
        """The next call, `None` where there is none, or is to be none any more."""
        with self._changed:
            if work.calls and not self._ended:
                return work.calls[0]
            self._pending.discard(work)
            self._changed.notify_all()
            return None

    def _finish_first(self, work: _Work) -> None:
        with self._changed:
            work.awaited = None
            if work.calls:  # else it was called lost meanwhile
                work.calls.popleft()

    def _take_answer(self, work: _Work, answer: Answer) -> None:
        """Learn in the loop's thread that the call that was awaited has ended."""
        with self._changed:
            ended = self._ended
            if answer.error is not None and work.calls:  # one that was called lost is no news
                work.failure = (answer.error, work.calls[0])
            self._finish_first(work)
            if not ended:
                self._queue.put(work)  # in whose thread `on_error` runs, which may block
                return
            self._pending.discard(work)
            self._changed.notify_all()
        if work.failure is not None:
            self._tell(*work.failure)

    def _tell(self, error: BaseException, call: DeferredCall) -> None:
        self._report(error, f"deferred call {call.name}")
