"""Waiting for the next item of a stream while the client may leave and time goes by.

Both ways have one owner, the task of the request, in which the user's generator is iterated and closed. What is
special about each event loop is how somebody else wakes an owner that waits inside that generator.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, final

import anyio
from anyio.abc import TaskGroup

from heaven_asgi.requests import Inbox
from heaven_io.streams import Stream

__all__ = ["AsyncioWaiting", "Tick", "TrioWaiting", "Waiting", "Woken"]

# Performs what `elapsed()` returns. Gives the seconds until the next time, infinity for never, and `None` when the item
# is not wanted any more.
Tick: TypeAlias = Callable[[], Awaitable[float | None]]


@final
class Woken(Exception):
    """The item is not wanted any more: mostly, the client has gone. The generator has been woken and is at rest.

    `given_up` says that its `finally` was cancelled again, since it had not come to its end in time.
    """

    def __init__(self, given_up: bool = False) -> None:
        super().__init__()
        self.given_up: Final = given_up


class Waiting(Protocol):
    """What the driver wants of either."""

    @property
    def gone(self) -> bool:
        """Whether the client is known to have gone."""
        ...

    def stop(self) -> None:
        """End the watch."""
        ...

    def is_taken_back(self, error: BaseException) -> bool:
        """Whether `error` is a cancellation that whoever caused it has taken back since."""
        ...

    async def next(self, stream: Stream, timeout: float | None, tick: Tick) -> object:
        """The next item of `stream`. After `timeout` seconds, and as often as it says, `tick` is performed beside.

        Raises `Woken`, `StopAsyncIteration`, and what the stream raises.
        """
        ...


@final
class AsyncioWaiting:
    """On asyncio the owner is woken by one `cancel()`, so that the generator's `finally` may still await."""

    __slots__ = (
        "_cancelled_before", "_closing_limit", "_inbox", "_owner", "_pressed", "_ticking", "_timer", "_waiting",
        "_watcher", "_woken",
    )  # fmt: skip

    def __init__(self, inbox: Inbox, closing_limit: float) -> None:
        self._inbox: Final = inbox
        self._closing_limit: Final = closing_limit
        self._pressed: asyncio.TimerHandle | None = None
        owner = asyncio.current_task()
        assert owner is not None  # ASGI applications are called in a task
        self._owner: Final = owner
        # Cancellations that somebody before us has swallowed and not taken back are none of this request.
        self._cancelled_before: Final = owner.cancelling()
        self._waiting = False
        self._woken = 0  # how often we have cancelled the owner
        self._timer: asyncio.TimerHandle | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = asyncio.get_running_loop().create_task(self._watch())

    @property
    def gone(self) -> bool:
        """Whether the client is known to have gone."""
        return self._inbox.gone

    async def next(self, stream: Stream, timeout: float | None, tick: Tick) -> object:
        """See `Waiting`."""
        if self._inbox.gone:
            raise Woken
        if timeout is not None:
            self._set_timer(timeout, tick)
        self._waiting = True
        try:
            return await stream.next()
        except asyncio.CancelledError:
            if self._woken:
                given_up = self._woken > 1
                if self._take_back() <= self._cancelled_before:  # else somebody has cancelled the request, too
                    raise Woken(given_up) from None
            elif self._owner.cancelling() <= self._cancelled_before:
                raise RuntimeError("the stream was cancelled by something that it awaits, not by the server") from None
            if self._ticking is not None:
                self._ticking.cancel()  # it may be in a send() that a slow client holds up
            raise
        finally:
            self._waiting = False
            if self._woken:  # the generator has swallowed it
                self._take_back()
            if timeout is not None:
                await self._stop_timer()

    def stop(self) -> None:
        """End the watch."""
        watcher, self._watcher = self._watcher, None  # which ends the cycle of references through its frames
        if watcher is not None:
            watcher.cancel()

    async def _watch(self) -> None:
        try:
            await self._inbox.wait_until_gone()
        except Exception:
            self._inbox.gone = True  # a server whose receive() fails has lost its client
        self._wake()

    def _wake(self) -> None:
        if self._waiting and not self._woken:
            self._press()

    def _press(self) -> None:
        # A `finally` that does not come to its end is cancelled again.
        self._woken += 1
        self._owner.cancel()
        self._pressed = asyncio.get_running_loop().call_later(self._closing_limit, self._press)

    def _take_back(self) -> int:
        """Take our cancellations back; how many there still are."""
        if self._pressed is not None:
            self._pressed.cancel()
            self._pressed = None
        left = self._owner.cancelling()
        for _ in range(self._woken):
            left = self._owner.uncancel()
        self._woken = 0
        return left

    def is_taken_back(self, error: BaseException) -> bool:
        """Whether `error` is a cancellation that whoever caused it has taken back since."""
        return isinstance(error, asyncio.CancelledError) and self._owner.cancelling() <= self._cancelled_before

    def _set_timer(self, timeout: float, tick: Tick) -> None:
        self._timer = asyncio.get_running_loop().call_later(timeout, self._fire, tick)

    def _fire(self, tick: Tick) -> None:
        self._timer = None
        self._ticking = asyncio.get_running_loop().create_task(self._perform(tick))

    async def _perform(self, tick: Tick) -> None:
        again = await tick()
        self._ticking = None
        if again is None or self._inbox.gone:
            self._wake()
        elif self._waiting and again < math.inf:
            self._set_timer(again, tick)

    async def _stop_timer(self) -> None:
        """Nothing more is performed beside the owner from now on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ticking is not None:
            await self._ticking


@final
class TrioWaiting:
    """On trio the owner waits in a scope of its own, which the watcher cancels.

    What the generator's `finally` awaits is cancelled again each time unless it is shielded: that is how trio works.
    """

    __slots__ = ("_group", "_inbox", "_performing", "_scope", "_ticker")

    def __init__(self, inbox: Inbox, group: TaskGroup) -> None:
        self._inbox: Final = inbox
        self._group: Final = group
        self._scope: anyio.CancelScope | None = None
        self._ticker: anyio.CancelScope | None = None
        self._performing: anyio.Event | None = None
        group.start_soon(self._watch)

    @property
    def gone(self) -> bool:
        """Whether the client is known to have gone."""
        return self._inbox.gone

    async def next(self, stream: Stream, timeout: float | None, tick: Tick) -> object:
        """See `Waiting`."""
        if self._inbox.gone:
            raise Woken
        if timeout is not None:
            self._ticker = anyio.CancelScope()
            self._group.start_soon(self._tick, self._ticker, timeout, tick)
        try:
            with anyio.CancelScope() as self._scope:
                return await stream.next()
        finally:
            self._scope = None
            await self._stop_ticker()
        raise Woken

    def stop(self) -> None:
        """End the watch."""
        self._group.cancel_scope.cancel()

    def is_taken_back(self, error: BaseException) -> bool:
        """See `Waiting`."""
        return False

    async def _watch(self) -> None:
        try:
            await self._inbox.wait_until_gone()
        except Exception:
            self._inbox.gone = True  # a server whose receive() fails has lost its client
        self._wake()

    def _wake(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _tick(self, ticker: anyio.CancelScope, timeout: float, tick: Tick) -> None:
        again: float | None = timeout
        with ticker:
            while again is not None and again < math.inf and not self._inbox.gone:
                await anyio.sleep(again)
                performing = self._performing = anyio.Event()
                try:
                    again = await tick()
                finally:
                    self._performing = None
                    performing.set()
            if again is None or self._inbox.gone:
                self._wake()

    async def _stop_ticker(self) -> None:
        """Nothing more is performed beside the owner from now on."""
        if self._performing is not None:
            await self._performing.wait()
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
