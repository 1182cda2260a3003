"""How many calls of an async `on_error` run at a time: errors may come faster than anybody is told of them."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from threading import Lock
from typing import Final, final

from heaven_io.reporting import log_warning

__all__ = ["MOST_AT_A_TIME", "Telling"]

MOST_AT_A_TIME: Final = 100


@final
class Telling:
    """Counts those calls for one adapter. Each that `may_begin` has let through is to be told by `end`."""

    __slots__ = ("_lock", "_running")

    def __init__(self) -> None:
        self._lock: Final = Lock()  # under WSGI errors come from many threads
        self._running = 0

    def may_begin(self, awaitable: Awaitable[object]) -> bool:
        """Whether one more may run. Where not, `awaitable` is closed and the log says so; it has the error anyway."""
        with self._lock:
            may = self._running < MOST_AT_A_TIME
            self._running += may
        if may:
            return True
        if isinstance(awaitable, Coroutine):
            awaitable.close()
        log_warning(f"on_error is not told of an error: {MOST_AT_A_TIME} of its calls are still running")
        return False

    def end(self) -> None:
        """One has ended."""
        with self._lock:
            self._running -= 1
