"""What the adapters of one process share: its event loop, and that they end in order.

Servers fork, some without a word to Python: what was begun before belongs to the parent, and a child begins anew.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING, Final, final

from heaven_wsgi.waiting import Answer, ServerThread

if TYPE_CHECKING:
    from heaven_wsgi.loop_thread import LoopThread

__all__ = ["Process", "this_process"]

# By process id. setdefault() is one step of the interpreter, so that no lock has to survive a fork. A child that Python
# was told of has none of them: its id may have been an ancestor's.
_processes: Final[dict[int, Process]] = {}
os.register_at_fork(after_in_child=_processes.clear)


@final
class Process:
    """One process: `pid` is its id."""

    __slots__ = ("_endings", "_lock", "_loop", "_registered", "pid")

    def __init__(self, pid: int) -> None:
        self.pid: Final = pid
        self._lock: Final = threading.RLock()
        self._endings: Final[list[Callable[[], None]]] = []
        self._loop: LoopThread | None = None
        self._registered = False

    def get_loop(self) -> LoopThread:
        """The event loop, which begins when it is first asked for. Raises what it can't begin for."""
        if self._loop is None:
            from heaven_wsgi.loop_thread import LoopThread  # noqa: PLC0415  (sync applications don't need asyncio)

            with self._lock:
                if self._loop is None:
                    self._see_to_the_end()
                    self._loop = LoopThread()
        return self._loop

    def await_in(self, context: Context, awaitable: Awaitable[object], thread: ServerThread) -> object:
        """See `LoopThread.await_in`. Raises also what the loop can't begin for."""
        return self._loop_for(awaitable).await_in(context, awaitable, thread)

    def begin(
        self, context: Context, awaitable: Awaitable[object], answer: Answer, done: Callable[[Answer], None]
    ) -> None:
        """See `LoopThread.begin`. Raises what the loop can't begin for."""
        self._loop_for(awaitable).begin(context, awaitable, answer, done)

    def call_soon(self, call: Callable[[], object]) -> None:
        """Have the loop call this, if there is one."""
        if self._loop is not None:
            self._loop.call_soon(call)

    @property
    def is_loop_thread(self) -> bool:
        """Whether this is called in the thread of the event loop."""
        return self._loop is not None and self._loop.is_current

    def at_end(self, end: Callable[[], None]) -> None:
        """Have `end` called when the process ends, while the event loop still runs, unless it is forgotten."""
        with self._lock:
            self._see_to_the_end()
            self._endings.append(end)

    def forget(self, end: Callable[[], None]) -> None:
        """Don't call `end` when the process ends."""
        with self._lock:
            if end in self._endings:
                self._endings.remove(end)

    def _loop_for(self, awaitable: Awaitable[object]) -> LoopThread:
        try:
            return self.get_loop()
        except BaseException:
            from heaven_wsgi.loop_thread import close_unawaited  # noqa: PLC0415  (it is here, or nothing is async)

            close_unawaited(awaitable)
            raise

    def _see_to_the_end(self) -> None:
        if self._registered:
            return
        self._registered = True
        atexit.register(self._end)
        # What `atexit` calls can begin no thread any more, from Python 3.12 on, nor use the pools of
        # `concurrent.futures`, so that neither asyncio.to_thread() nor a host's name would work in deferred work and in
        # a lifespan that is being left. Those pools themselves are ended by this function, which has no public name;
        # the last to be registered comes first, so that theirs has to be there.
        import_module("concurrent.futures.thread")
        register: Callable[[Callable[[], None]], object] | None = getattr(threading, "_register_atexit", None)
        if register is not None:
            try:
                register(self._end)
            except RuntimeError:
                pass  # the process is ending already

    def _end(self) -> None:
        if os.getpid() != self.pid:
            return  # a child has the list of its parent
        raised: BaseException | None = None
        while self._endings:
            try:
                self._endings.pop()()
            except BaseException as error:  # somebody does not want to wait: the others still end
                raised = raised or error
        if self._loop is not None:
            self._loop.stop()
        if raised is not None:
            raise raised


def this_process() -> Process:
    """The process in which this is called."""
    pid = os.getpid()
    process = _processes.get(pid)
    return process if process is not None else _processes.setdefault(pid, Process(pid))
