"""Calls in daemon threads that the end of the process waits for: a while, since one of them may hang.

A server may end the process as soon as a response has gone. Where it begins no lifespan, in which deferred work is
awaited, the call that is under way would be cut in the middle.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from threading import Condition, Thread, main_thread
from typing import Final, final

__all__ = ["UNFINISHED", "Unfinished"]

# Seconds after which the thread looks again whether the main thread has ended.
_LOOK_AGAIN: Final = 0.1


@final
class Unfinished:
    """The calls of this process. While there are any, a thread that is no daemon keeps the process from ending."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._calls: dict[object, float] = {}  # and the seconds that each may take
        self._thread: Thread | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def begin(self, call: object, grace: float) -> None:
        """`call` begins; when the main thread has ended it may take `grace` seconds more."""
        with self._changed:
            self._calls[call] = grace
            if self._thread is None:
                thread = Thread(target=self._wait, name="heaven-core end", daemon=False)
                with suppress(RuntimeError):  # the process has as many as it may, or ends already
                    thread.start()
                    self._thread = thread

    def end(self, call: object) -> None:
        """`call` has ended, or nobody is to wait for it any more."""
        with self._changed:
            self._calls.pop(call, None)
            self._changed.notify_all()

    def _forget(self) -> None:
        """Begin anew: a child has none of its parent's threads, and locks as they were when it was forked."""
        self._changed = Condition()
        self._calls = {}
        self._thread = None

    def _wait(self) -> None:
        ended: float | None = None  # when the main thread has
        with self._changed:
            while self._calls:
                if ended is None and not main_thread().is_alive():
                    ended = time.monotonic()
                if ended is not None and time.monotonic() >= ended + max(self._calls.values()):
                    break
                self._changed.wait(_LOOK_AGAIN)
            self._thread = None


UNFINISHED: Final = Unfinished()
"""Those of this process."""
