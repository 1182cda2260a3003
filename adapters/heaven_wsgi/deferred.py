"""Deferred work where no event loop is: in one thread of the process, and what is async on its event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Final, final

from heaven_core import DeferredCall
from heaven_core._checks import is_awaitable
from heaven_io.reporting import Report, log_all_lost, log_error
from heaven_wsgi.process import Process
from heaven_wsgi.waiting import Answer

__all__ = ["MAX_WAITING", "DeferredThread"]

# Responses whose calls run or wait.
MAX_WAITING: Final = 10_000


@final
class _Work:
    """The calls of one response that have not run to their end; the first one is under way."""

    __slots__ = ("app", "calls", "context")

    def __init__(self, calls: Sequence[DeferredCall], app: object, context: Context) -> None:
        self.calls: Final = deque(calls)
        self.app: Final = app
        self.context: Final = context


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
        self._queue: Final[SimpleQueue[Callable[[], None]]] = SimpleQueue()
        self._pending: Final[set[_Work]] = set()
        self._changed: Final = Condition()
        self._thread: Thread | None = None
        self._ended = False

    def start(self, calls: Sequence[DeferredCall], app: object) -> None:
        """Run `calls` in order, in the context of the caller, a copy of it. After `drain` they are lost, and logged."""
        with self._changed:
            if self._ended:
                log_all_lost(calls, "the process is ending")
                return
            if len(self._pending) >= self._max_waiting:
                log_all_lost(calls, f"those of {self._max_waiting} responses run or wait already")
                return
            if self._thread is None:
                thread = Thread(target=self._run, name="heaven-core deferred work", daemon=True)
                thread.start()  # a process that can start no more threads raises
                self._thread = thread
            work = _Work(calls, app, copy_context())
            self._pending.add(work)
        self._queue.put(partial(self._go_on, work))

    def drain(self, deadline_seconds: float) -> None:
        """Wait for what is pending, `deadline_seconds` at most. What is left then is logged by name."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending, deadline_seconds)
            self._ended = True
            for work in self._pending:
                log_all_lost(work.calls, f"it had not ended {deadline_seconds:g} s after the shutdown began")
            self._pending.clear()

    def _run(self) -> None:
        while True:
            self._queue.get()()

    def _go_on(self, work: _Work) -> None:
        """Run the calls, up to one that has to be awaited."""
        while not self._ended and work.calls:  # what is left at the end has been logged as lost
            call = work.calls[0]
            try:
                result = work.context.run(call.run, work.app)
                if is_awaitable(result):
                    done = partial(self._take_answer, work)
                    self._process.get_loop().begin(work.context.copy(), result, Answer(), done)
                    return
            except BaseException as error:  # SystemExit, too: the end of a command line's main is not the server's
                self._tell(error, call)
            self._forget_first(work)
        with self._changed:
            self._pending.discard(work)
            self._changed.notify_all()

    def _take_answer(self, work: _Work, answer: Answer) -> None:
        self._queue.put(partial(self._go_on_after, work, answer))

    def _go_on_after(self, work: _Work, answer: Answer) -> None:
        if self._ended:
            return
        if answer.error is not None:
            self._tell(answer.error, work.calls[0])
        self._forget_first(work)
        self._go_on(work)

    def _tell(self, error: BaseException, call: DeferredCall) -> None:
        """Report it. An exit out of `on_error` would end the thread, and with it all that is deferred."""
        try:
            self._report(error, f"deferred call {call.name}")
        except BaseException as another:
            log_error(another, f"on_error of deferred call {call.name}")

    def _forget_first(self, work: _Work) -> None:
        with self._changed:  # so that none is logged as lost that has run
            if not self._ended:
                work.calls.popleft()
