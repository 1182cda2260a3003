"""Calls in daemon threads that the end of the process waits for: a while, since one of them may hang.

A server may end the process as soon as a response has gone. Where it begins no lifespan, in which deferred work is
awaited, the call that is under way would be cut in the middle.
"""

from __future__ import annotations

import os
from threading import Condition, Thread, main_thread
from typing import Final, final

__all__ = ["UNFINISHED", "Unfinished"]


@final
class Unfinished:
    """The calls of this process. While there are any, a thread that is no daemon keeps the process from ending."""

    def __init__(self) -> None:
        self._calls: dict[object, float] = {}  # and the seconds that each may take after the end of the main thread
        self._changed = Condition()
        self._pid = 0  # of the process that has the thread

    def begin(self, call: object, grace: float) -> None:
        """`call` begins; when the main thread has ended it may take `grace` seconds more."""
        if self._pid != os.getpid():  # a child has none of its parent's threads, and locks as they were
            self._pid = os.getpid()
            self._changed = Condition()
            self._calls = {}
            Thread(target=self._wait, name="heaven-core end", daemon=False).start()
        with self._changed:
            self._calls[call] = grace

    def end(self, call: object) -> None:
        """`call` has ended, or nobody is to wait for it any more."""
        with self._changed:
            self._calls.pop(call, None)
            self._changed.notify_all()

    def _wait(self) -> None:
        main_thread().join()
        with self._changed:
            self._changed.wait_for(lambda: not self._calls, max(self._calls.values(), default=0.0))


UNFINISHED: Final = Unfinished()
"""Those of this process."""
