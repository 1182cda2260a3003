"""Taking the next step of a stream while the client may leave and time goes by.

Both steppers have one owner, the task of the request, in which the user's generator is iterated and closed. What is
special about each event loop is how something else wakes an owner that waits inside that generator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, final

from heaven_core.protocol.needs import NextItem
from heaven_io.streams import Stream

__all__ = ["IDLE", "STEPPING", "TICKING", "WOKEN", "Stepper", "Ticking", "Woken"]

# The state of a stepper.
IDLE: Final = 0  # no step is awaited
STEPPING: Final = 1  # a step is awaited
TICKING: Final = 2  # ... and something is performed beside it
WOKEN: Final = 3  # the step that is awaited has been told to stop


class Ticking(Protocol):
    """Something to tell when an item takes long: the driver, since a bound method of it would be an object."""

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


class Stepper(Protocol):
    """What driver and outbox want of the stepper of either event loop.

    `cut` says that sending went on for too long at the shutdown, and was stopped.
    """

    @property
    def hurried(self) -> bool:
        """Whether the last step was cancelled again, since it did not come to its end in time."""
        ...

    @property
    def cut(self) -> bool:
        """Whether sending was stopped at the shutdown."""
        ...

    def stop(self) -> None:
        """End the watch for the client's leaving."""
        ...

    def is_taken_back(self, error: BaseException) -> bool:
        """Whether `error` is a cancellation that whatever caused it has taken back since."""
        ...

    def after_a_turn(self, call: Callable[[], None]) -> None:
        """Have `call` called when the event loop has had a turn, so that the owner waits for something."""
        ...

    def perform_beside(self, work: Callable[[], Awaitable[bool]]) -> None:
        """While a step is awaited, have `work` done beside it; it says whether the item is still wanted."""
        ...

    async def next(self, need: NextItem[Stream], ticking: Ticking) -> object:
        """The next item. After the need's timeout, and as often as it says, its `tick` is performed beside.

        Raises `Woken`, `StopAsyncIteration`, and what the stream raises.
        """
        ...
