"""Items that are taken ahead of time, as they were when they were yielded: see `NextItem.freeze`."""

from __future__ import annotations

from typing import Final, final

__all__ = ["FrozenEvent", "as_it_is"]


@final
class FrozenEvent:
    """What `NextItem.freeze` makes of an item of an event stream: `data` is what goes on the wire."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data


def as_it_is(item: object) -> object:
    """Freeze nothing: for a driver that takes one step at a time, and answers before the next."""
    return item
