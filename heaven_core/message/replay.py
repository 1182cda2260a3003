"""The last events of a subject, for clients that come back and want what they missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final
from uuid import uuid4

from heaven_core._checks import check_int
from heaven_core.http.event_stream import ServerSentEvent

__all__ = ["Replay"]


@final
class Replay:
    """Keeps the last `count` events, none longer than `max_age` seconds by `clock` (such as `time.monotonic`).

    One for each subject: ids can be guessed, so whoever may not see a subject must not be given its buffer. Events
    without an id get one that no buffer before it had, also after a restart: `prefix` and a number, where the prefix is
    random unless given. It has no lock: whoever publishes from several threads brings one.

    Raises `TypeError` and `ValueError` for a count or an age that makes no sense, and for one of age and clock alone.
    """

    __slots__ = ("_clock", "_count", "_dropped", "_kept", "_max_age", "_number", "_prefix")

    def __init__(
        self,
        count: int,
        *,
        max_age: float | None = None,
        clock: Callable[[], float] | None = None,
        prefix: str | None = None,
    ) -> None:
        if check_int("the count of a Replay", count) < 1:
            raise ValueError(f"a Replay keeps 1 event or more, not {count}")
        if (max_age is None) != (clock is None):
            raise ValueError("max_age= and clock= belong together: the age is in seconds of that clock")
        if max_age is not None and not 0 < max_age < float("inf"):
            raise ValueError(f"max_age= must be more than 0 seconds: {max_age!r}")
        self._count: Final = count
        self._max_age: Final = max_age or 0.0
        self._clock: Final = clock
        self._prefix: Final = f"{uuid4().hex[:12]}-" if prefix is None else prefix
        ServerSentEvent(id=self._prefix)  # refuses what no id can hold
        self._number = 0
        # By id, in order; and the id that was dropped last, which is as good to go on after as one that is kept.
        self._kept: Final[dict[str, tuple[ServerSentEvent, float]]] = {}
        self._dropped: str | None = None

    def add(self, event: object) -> ServerSentEvent:
        """Keep an event, and give it back with the id that it has now: that is the one to publish.

        What is no `ServerSentEvent` becomes the data of one. Raises `ValueError` for an empty id, which would make
        clients forget theirs, and for one that is kept already.
        """
        if not isinstance(event, ServerSentEvent):
            event = ServerSentEvent(event)
        if event.id is None:
            self._number += 1
            event = ServerSentEvent(
                event.data, event.event, f"{self._prefix}{self._number}", event.retry, event.comment
            )  # fmt: skip
        name = event.id or ""
        if not name or name in self._kept or name == self._dropped:
            raise ValueError(f"an event needs an id that no other has, to be found by it: {event.id!r}")
        now = self._now()
        self._forget(now)
        self._kept[name] = (event, now)
        if len(self._kept) > self._count:
            self._drop_first()
        return event

    def after(self, last_id: str | None) -> list[ServerSentEvent] | None:
        """The events after the one with this id, in order; none for a client that has seen none (`None`).

        `None` where nobody can say any more what came after it: it has fallen out, or is from another buffer. Then it
        is yours to say what the client gets: all that is kept, an event that has it load everything, or nothing.

        Subscribe first, ask next, and skip what comes again: so an event that is published meanwhile comes once.
        """
        self._forget(self._now())
        if not last_id:
            return []
        if last_id == self._dropped:
            return [event for event, _ in self._kept.values()]
        if last_id not in self._kept:
            return None
        names = list(self._kept)
        return [self._kept[name][0] for name in names[names.index(last_id) + 1 :]]

    def _now(self) -> float:
        return 0.0 if self._clock is None else self._clock()

    def _forget(self, now: float) -> None:
        if self._clock is None:
            return
        while self._kept:
            _, kept_since = next(iter(self._kept.values()))
            if now - kept_since <= self._max_age:
                return
            self._drop_first()

    def _drop_first(self) -> None:
        self._dropped = next(iter(self._kept))
        del self._kept[self._dropped]
