"""Time that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

from heaven_core.runtime import Runtime, run_at_once

__all__ = ["Clock"]


def _keep_silent(error: BaseException, where: str) -> None:
    """Log nothing: in a test, errors are for the application's `on_error`."""


@final
class Clock:
    """`now` is wall time in seconds since the epoch, `elapsed` the monotonic seconds since the clock was made."""

    __slots__ = ("_tokens", "elapsed", "now")

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self.now: float = now
        self.elapsed: float = 0.0
        self._tokens = 0

    def advance(self, seconds: float) -> None:
        """Let `seconds` go by on both clocks."""
        self.now += seconds
        self.elapsed += seconds

    def runtime(
        self,
        log: Callable[[BaseException, str], None] = _keep_silent,
        spawn: Callable[[Awaitable[object]], None] = run_at_once,
    ) -> Runtime:
        """The runtime of a driver that lives by this clock. Its random tokens are token1, token2, ...

        `log` and `spawn` are as in `Runtime`; without `log`, nothing is logged.
        """
        return Runtime(lambda: self.now, lambda: self.elapsed, self._token, repr, log, spawn)

    def _token(self) -> str:
        self._tokens += 1
        return f"token{self._tokens}"
