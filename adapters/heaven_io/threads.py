"""Daemon threads of one kind: so many at most, begun as they are needed, and nobody else's.

`concurrent.futures` has threads, too, but the process waits for each of them in the end, however long it hangs: a disk
that does not answer would keep it from ending. An event loop's own are shared with all that the application does.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from threading import Condition, Thread
from typing import Any, Final, ParamSpec, TypeVar, final

from heaven_core._typing import override

__all__ = ["FILES", "FILE_THREADS", "Threads"]

P = ParamSpec("P")
R = TypeVar("R")

# Seconds that a thread waits for more to do before it ends.
_IDLE: Final = 10.0

# Threads for the work on files: opening, reading, closing, listing, in the whole process. Disks are waited for, so that
# it is not a question of processors.
FILE_THREADS: Final = 40


@final
class Threads(Executor):
    """At most `limit` daemon threads called `name`; what comes when all of them are busy waits for its turn, in order.

    `idle` is after how many seconds without work one of them ends, `None` for never: all work is done in the same
    thread then, if `limit` is 1.
    """

    def __init__(self, name: str, limit: int, idle: float | None = _IDLE) -> None:
        self._name: Final = name
        self._limit: Final = limit
        self._idle_time: Final = idle
        self._pid = os.getpid()
        self._changed = Condition()
        self._jobs: deque[_Job] = deque()
        self._count = 0  # of threads
        self._idle = 0  # of those
        self._ended = False

    @override
    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Have a thread call `fn`, and the result tell what comes of it.

        Raises `RuntimeError` after `shutdown`, or where the process can begin no thread and there is none.
        """
        future: Future[R] = Future()
        job = _Job(future, partial(fn, *args, **kwargs))
        if self._pid != os.getpid():
            self._forget()
        with self._changed:
            if self._ended:
                raise RuntimeError(f"no work is taken any more: {self._name}")
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._count < self._limit:
                self._begin(job)
        return future

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work, and end each thread when there is none left. Nobody waits for that."""
        with self._changed:
            self._ended = True
            dropped = list(self._jobs) if cancel_futures else []
            if cancel_futures:
                self._jobs.clear()
            self._changed.notify_all()
        for job in dropped:
            job.future.cancel()

    @property
    def idle(self) -> int:
        """How many threads wait for work."""
        return self._idle

    def _forget(self) -> None:
        """Begin anew: a child has none of its parent's threads, and locks as they were when it was forked."""
        self._pid = os.getpid()
        self._changed = Condition()
        self._jobs = deque()
        self._count = self._idle = 0

    def _begin(self, job: _Job) -> None:
        self._count += 1
        try:
            Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:  # the process has as many as it may
            self._count -= 1
            if not self._count:
                self._jobs.remove(job)
                raise

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.do()
            del job  # which may hold a whole response, until there is another

    def _next(self) -> _Job | None:
        """What is to be done next, once there is something; `None` where the thread is to end."""
        with self._changed:
            while not self._jobs and not self._ended:
                self._idle += 1
                notified = self._changed.wait(self._idle_time)
                self._idle -= 1
                if not notified:
                    break
            if self._jobs:
                return self._jobs.popleft()
            self._count -= 1
            return None


@final
class _Job:
    __slots__ = ("_work", "future")

    def __init__(self, future: Future[R], work: Callable[[], R]) -> None:
        self.future: Final[Future[Any]] = future
        self._work: Final = work

    def do(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._work()
        except BaseException as error:
            self.future.set_exception(error)
            del self  # which the error leads to, by its traceback
        else:
            self.future.set_result(result)


FILES: Final = Threads("heaven-core file", FILE_THREADS)
"""Those of this process for its work on files."""
