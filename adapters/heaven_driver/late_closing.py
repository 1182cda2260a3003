"""Streams whose task somebody else has cancelled, and which don't come to their end."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol, final

from heaven_driver.timers import Timers

__all__ = ["Cancellable", "LateClosing"]

# How often these are looked for while the limit goes by.
_LOOKS: Final = 4
# Seconds from one look to the next at least: a limit of none would have the event loop do nothing else.
_SHORTEST: Final = 0.05


class Cancellable(Protocol):
    """A stream that is under way in a task which others may cancel; hashed by identity."""

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody else has cancelled the task, and the stream's step goes on nevertheless."""
        ...

    def hurry(self) -> None:
        """Cancel the step again, as what takes too long to close."""
        ...


@final
class LateClosing:
    """Hurries the open `streams` that go on for more than `limit` seconds after their task was cancelled.

    asyncio tells a task of its cancellation once, inside of what it awaits: a `finally` of the user's. So nobody else
    hears of it, and this looks, a few times while the limit goes by: one timer for all of them.
    """

    __slots__ = ("_interval", "_looking", "_looks", "_streams", "_timers")

    def __init__(self, limit: float, timers: Timers, streams: Collection[Cancellable]) -> None:
        self._interval: Final = max(limit / _LOOKS, _SHORTEST)
        self._timers: Final = timers
        self._streams: Final = streams
        self._looking = False
        self._looks: dict[Cancellable, int] = {}  # at those that were cancelled

    def begin(self) -> None:
        """Look while there are streams."""
        if not self._looking:
            self._looking = True
            self._timers.set(self._interval, self)

    def elapse(self) -> None:
        """See `Timed`."""
        self._looking = False
        if not self._streams:
            self._looks.clear()
            return
        self.begin()
        seen = self._looks
        self._looks = {stream: seen.get(stream, 0) + 1 for stream in self._streams if stream.is_cancelled}
        for stream, looks in self._looks.items():
            if looks > _LOOKS:
                stream.hurry()
