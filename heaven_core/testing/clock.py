"""Time that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, final

from heaven_core.runtime import Runtime, run_at_once

__all__ = ["Clock", "Timed"]


class Timed(Protocol):
    """What something is to happen to at a time: a stream that waits, with its next heartbeat."""

    @property
    def deadline(self) -> float:
        """When, in seconds of `Clock.elapsed`; infinite for never."""
        ...

    def elapse(self) -> None:
        """It is that time: the deadline is a later one from now on."""
        ...


def _keep_silent(error: BaseException, where: str) -> None:
    """Log nothing: in a test, errors are for the application's `on_error`."""


@final
class Clock:
    """`now` is wall time in seconds since the epoch, `elapsed` the monotonic seconds since the clock was made.

    `timers` are the streams that wait right now, in the client's hands.
    """

    __slots__ = ("_tokens", "elapsed", "now", "timers")

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self.now: float = now
        self.elapsed: float = 0.0
        self.timers: Final[list[Timed]] = []
        self._tokens = 0

    def advance(self, seconds: float) -> None:
        """Let `seconds` go by on both clocks.

        A stream that waits meanwhile, in another task or because its own step says this, has its heartbeats sent, each
        at its time. Raises `RuntimeError` where that would have to end a stream that waits on trio.
        """
        now, elapsed = self.now, self.elapsed
        while due := [timer for timer in self.timers if timer.deadline <= elapsed + seconds]:
            first = min(due, key=_deadline_of)
            self.now, self.elapsed = now + (first.deadline - elapsed), first.deadline
            first.elapse()
        self.now, self.elapsed = now + seconds, elapsed + seconds

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


def _deadline_of(timer: Timed) -> float:
    return timer.deadline
