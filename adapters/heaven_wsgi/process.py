"""What the adapters of one process share: its event loop, and that they end in order.

Servers fork, some without a word to Python: what was begun before belongs to the parent, and a child begins anew.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final, final

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
        self._lock: Final = Lock()
        self._endings: Final[list[Callable[[], None]]] = []
        self._loop: LoopThread | None = None
        self._registered = False

    def get_loop(self) -> LoopThread:
        """The event loop, which begins when it is first asked for. Raises what it can't begin for."""
        if self._loop is None:
            from heaven_wsgi.loop_thread import LoopThread  # noqa: PLC0415  (sync applications don't need asyncio)

            with self._lock:
                if self._loop is None:
                    self._loop = LoopThread()
                    self._see_to_the_end()
        return self._loop

    def at_end(self, end: Callable[[], None]) -> None:
        """Have `end` called when the process ends, while the event loop still runs."""
        with self._lock:
            self._see_to_the_end()
            self._endings.append(end)

    def _see_to_the_end(self) -> None:
        if not self._registered:
            atexit.register(self._end)
            self._registered = True

    def _end(self) -> None:
        if os.getpid() != self.pid:
            return  # a child has the list of its parent
        while self._endings:
            self._endings.pop()()
        if self._loop is not None:
            self._loop.stop()


def this_process() -> Process:
    """The process in which this is called."""
    pid = os.getpid()
    process = _processes.get(pid)
    return process if process is not None else _processes.setdefault(pid, Process(pid))
