"""Timeouts, of which a thousand streams have a thousand of the same length."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, final

__all__ = ["Clock", "Timed", "Timers", "timers_here"]

# A timeout may be this part of itself late: so one call of the event loop's serves all that end at about the same time.
_GRAIN: Final = 1 / 64


class Timed(Protocol):
    """Something that waits for a timeout; hashed by identity."""

    def elapse(self) -> None:
        """Learn that the time is over."""
        ...


class Clock(Protocol):
    """What an event loop of asyncio has."""

    def time(self) -> float:
        """The seconds since some moment."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> object:
        """Call `callback` when `time()` is `when`."""
        ...


@final
class Timers:
    """The timeouts of one event loop: that of asyncio which runs, unless another `clock` is given.

    A loop is not kept here, since what keeps this is kept by the loop.

    Those of one length end in the order in which they began, so that one timer of the loop's is enough for all of
    them. One of its own for each stream takes 330 bytes, and a cancelled one stays until it would have been due:
    together a tenth of what a silent stream of events takes (benchmarks/event_streams.py).
    """

    __slots__ = ("_clock", "_lengths")

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Final = clock
        self._lengths: Final[dict[float, _Length]] = {}

    def set(self, timeout: float, waiting: Timed) -> None:
        """Let `waiting` elapse in `timeout` seconds, unless it is cleared before. It has no other at the time."""
        length = self._lengths.get(timeout)
        if length is None:
            length = self._lengths[timeout] = _Length(timeout, self._lengths, self._clock)
        length.set(waiting)

    def clear(self, timeout: float, waiting: Timed) -> None:
        """Don't let it elapse."""
        length = self._lengths.get(timeout)
        if length is not None:
            length.due.pop(waiting, None)


@final
class _Length:
    __slots__ = ("_clock", "_lengths", "_running", "_timeout", "due")

    def __init__(self, timeout: float, lengths: dict[float, _Length], clock: Clock | None) -> None:
        self._clock: Final = clock
        self._timeout: Final = timeout
        self._lengths: Final = lengths
        self._running = False
        self.due: Final[dict[Timed, float]] = {}  # in order, since what is set goes to the end

    def set(self, waiting: Timed) -> None:
        due = self.due[waiting] = (self._clock or asyncio.get_running_loop()).time() + self._timeout
        if not self._running:
            self._run_until(due)

    def _run_until(self, due: float) -> None:
        self._running = True
        clock = self._clock or asyncio.get_running_loop()
        clock.call_at(due + self._timeout * _GRAIN, self._fire)

    def _fire(self) -> None:
        self._running = False
        now = (self._clock or asyncio.get_running_loop()).time()
        elapsed: list[Timed] = []
        for waiting, due in self.due.items():
            if due > now:
                self._run_until(due)
                break
            elapsed.append(waiting)
        for waiting in elapsed:
            del self.due[waiting]
        if not self.due:
            self._lengths.pop(self._timeout, None)
        for waiting in elapsed:
            waiting.elapse()


def timers_here() -> Timers:
    """Timeouts for the event loop that runs, asyncio's or trio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        from heaven_driver.trio_clock import TRIO_CLOCK  # noqa: PLC0415  (nobody on asyncio needs to have trio)

        return Timers(TRIO_CLOCK)
    return Timers()
