"""Waiting for the next item of a stream while the client may leave and time goes by.

Both ways have one owner, the task of the request, in which the user's generator is iterated and closed. What is
special about each event loop is how somebody else wakes an owner that waits inside that generator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, final

from heaven_core.protocol.needs import NextItem
from heaven_io.streams import Stream

__all__ = ["Ticking", "Waiting", "Woken"]


class Ticking(Protocol):
    """Who has something to do when an item takes long: the driver itself, since a method of it would be an object."""

    async def tick(self) -> float | None:
        """Perform what `elapsed()` returns.

        Gives the seconds until the next time, infinity for never, and `None` when the item is not wanted any more.
        """
        ...


@final
class Woken(Exception):
    """The item is not wanted any more: the client has gone, or the server ends. The generator is woken, and at rest.

    `given_up` says that its `finally` was cancelled again, since it had not come to its end in time.
    """

    def __init__(self, given_up: bool = False) -> None:
        super().__init__()
        self.given_up: Final = given_up


class Waiting(Protocol):
    """What the driver wants of either.

    `sending` is the driver's to set while it sends. `cut` says that this went on for too long at the shutdown.
    `bursting` says that nobody else has had a turn since `burst` was called; `keeping` is set while something is kept.
    """

    bursting: bool
    keeping: bool
    sending: bool
    cut: bool

    def stop(self) -> None:
        """End the watch."""
        ...

    def is_taken_back(self, error: BaseException) -> bool:
        """Whether `error` is a cancellation that whoever caused it has taken back since."""
        ...

    def burst(self, flush: Callable[[], Awaitable[bool]]) -> bool:
        """Something was sent: have `flush` performed when an item is waited for while something is kept.

        It says whether the item is still wanted. Returns whether others are known to have had a turn since the last
        call; where nobody can tell, nothing happens.
        """
        ...

    async def next(self, need: NextItem[Stream], ticking: Ticking) -> object:
        """The next item. After the need's timeout, and as often as it says, its `tick` is performed beside.

        Raises `Woken`, `StopAsyncIteration`, and what the stream raises.
        """
        ...
