"""A client that takes nothing: a send that it holds up for too long is given up.

Next to all sends end at once, so what has to be paid for each is little: nothing is set up before one is found waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from types import coroutine
from typing import TYPE_CHECKING, Final, Protocol, final

from heaven_driver.timers import Timers

if TYPE_CHECKING:
    from heaven_driver.senders_trio import Senders

__all__ = ["SendTimeout", "Taking"]


# A timeout is looked at so many times while it lasts, for what has been taken meanwhile.
_LOOKS: Final = 4


class Taking(Protocol):
    """The client of a send."""

    def count_unsent(self) -> int | None:
        """Bytes that it has not taken yet, of all that it was sent before; `None` where nobody can tell."""
        ...


@final
class SendTimeout:
    """How long the sends of one event loop may be held up: `seconds`, or for ever where that is `None`.

    A send is what a server below has returned for one message. Where nobody can tell what a client takes while a send
    lasts, the message should be small enough that one which does not take it all for so long is no client. Where
    somebody can, it has `seconds` from what it has taken last; up to half of that more, since it is asked now and then.
    """

    __slots__ = ("_look", "_seconds", "_senders", "_timers")

    def __init__(self, seconds: float | None, timers: Timers, on_asyncio: bool) -> None:
        self._senders: Senders | None = None
        if not on_asyncio:
            from heaven_driver.senders_trio import Senders  # noqa: PLC0415  (nobody on asyncio needs to have trio)

            self._senders = Senders()
        self._seconds: Final = seconds
        self._look: Final = (seconds or 0.0) / _LOOKS
        self._timers: Final = timers

    def wait(self, sending: Awaitable[None], taking: Taking) -> Awaitable[None]:
        """Await `sending`, not begun yet. Raises `ConnectionAbortedError` when the time is over, and what it raises."""
        if self._seconds is None:
            return sending
        if self._senders is None:
            return self._wait(sending, taking)
        return self._wait_on_trio(self._senders, sending, taking)

    async def wait_on(self, steps: Generator[object, object, None], waiting: object, taking: Taking) -> None:
        """Await the rest of a send whose first step has been taken, and waits for `waiting`, as `wait` does.

        PERF: for an adapter that takes the first step of a small response's send itself, by `__await__()`, since that
        is the last one nearly always. On trio the time has no end then.
        """
        task = asyncio.current_task() if self._senders is None else None
        if self._seconds is None or task is None:
            await _rest_of(steps, waiting)
            return
        before = task.cancelling()
        held = _HeldUp(self._timers, self._look, taking, task.cancel)
        cancelled = False
        try:
            await _rest_of(steps, waiting)
        except asyncio.CancelledError:
            if not held.over:
                raise
            cancelled = True
        finally:
            held.end()
            others = held.over and task.uncancel() > before
        if cancelled and others:
            raise asyncio.CancelledError  # somebody else has cancelled the request, too
        if held.over:
            raise self._gone()

    async def _wait(self, sending: Awaitable[None], taking: Taking) -> None:
        steps = sending.__await__()
        for waiting in steps:
            await self.wait_on(steps, waiting, taking)
            return

    async def _wait_on_trio(self, senders: Senders, sending: Awaitable[None], taking: Taking) -> None:
        left = senders.begin(sending)
        held = _HeldUp(self._timers, self._look, taking, left.give_up)
        try:
            await left.wait()
        finally:
            held.end()
        if left.given_up:
            raise self._gone()

    def _gone(self) -> ConnectionAbortedError:
        return ConnectionAbortedError(f"the client has taken nothing for {self._seconds:g} s")


@final
class _HeldUp:
    """See `Timed`. A send that waits, and what ends the waiting for it."""

    __slots__ = ("_give_up", "_idle", "_look", "_taking", "_timers", "_unsent", "over")

    def __init__(self, timers: Timers, look: float, taking: Taking, give_up: Callable[[], object]) -> None:
        self._timers: Final = timers
        self._look: Final = look
        self._taking: Final = taking
        self._give_up: Final = give_up
        self._unsent: int | None = None  # at the last look
        self._idle = 0  # looks since something was taken
        self.over: bool = False
        timers.set(look, self)

    def elapse(self) -> None:
        unsent = self._taking.count_unsent()
        known = self._unsent
        self._unsent = unsent
        if unsent is not None and (known is None or unsent < known):
            self._idle = 0
        else:
            self._idle += 1
        if self._idle < _LOOKS:
            self._timers.set(self._look, self)
        else:
            self.over = True
            self._give_up()

    def end(self) -> None:
        self._timers.clear(self._look, self)


@coroutine
def _rest_of(steps: Generator[object, object, None], waiting: object) -> Generator[object, object, None]:
    """Await what is left of an awaitable whose first step has been taken by hand, and waits for `waiting`."""
    while True:
        try:
            value = yield waiting
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:
            throw: Callable[[BaseException], object] | None = getattr(steps, "throw", None)
            if throw is None:  # granian's are iterators, and no more than that
                raise
            try:
                waiting = throw(error)
            except StopIteration:
                return
        else:
            try:
                waiting = next(steps) if value is None else steps.send(value)
            except StopIteration:
                return
