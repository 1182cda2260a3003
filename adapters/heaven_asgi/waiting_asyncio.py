"""On asyncio: the owner is woken by a cancellation that is taken back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, final

from heaven_asgi.open_streams import OpenStreams
from heaven_asgi.requests import Departure, Inbox
from heaven_asgi.waiting import Ticking, Woken
from heaven_core.protocol.needs import NextItem
from heaven_io.streams import Stream

__all__ = ["AsyncioWaiting"]


@final
class AsyncioWaiting:
    """On asyncio the owner is woken by one `cancel()`, so that the generator's `finally` may still await."""

    __slots__ = (
        "_cancelled_before", "_closing_limit", "_inbox", "_owner", "_pressed", "_streams", "_driver", "_ticking",
        "_timeout", "_waiting", "_watcher", "_woken", "bursting", "cut", "endless", "keeping", "over", "sending",
        "steps",
    )  # fmt: skip

    def __init__(self, inbox: Inbox | Departure, streams: OpenStreams, closing_limit: float) -> None:
        self._inbox: Final = inbox
        self._streams: Final = streams
        self._closing_limit: Final = closing_limit
        self.steps = 0
        self.bursting = self.keeping = self.endless = self.over = self.sending = self.cut = False
        self._pressed: asyncio.TimerHandle | None = None
        owner = asyncio.current_task()
        assert owner is not None  # ASGI applications are called in a task
        self._owner: Final = owner
        # Cancellations that somebody before us has swallowed and not taken back are none of this request.
        self._cancelled_before: Final = owner.cancelling()
        self._waiting = False
        self._woken = 0  # how often we have cancelled the owner
        self._timeout: float | None = None  # after which the driver ticks
        self._driver: Ticking | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = asyncio.get_running_loop().create_task(
            inbox.watch(self), name="heaven_asgi watch"
        )

    async def next(self, need: NextItem[Stream], ticking: Ticking) -> object:
        """See `Waiting`."""
        if self._inbox.gone or self.over:
            raise Woken
        if need.timeout is not None:
            self._driver = ticking
            self._set_timer(need.timeout)
        if not self.steps:
            self.endless = need.endless
            self._streams.join(self)
        self.steps += 1
        self._waiting = True
        try:
            return await need.stream.next()
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
            if self._timeout is not None:
                self._streams.timers.clear(self._timeout, self)
                self._timeout = None
            self._driver = None
            if self._ticking is not None:
                await self._until_ticked(self._ticking)

    def burst(self, flush: Callable[[], Awaitable[bool]]) -> bool:
        """See `Waiting`."""
        if self.bursting:
            return False
        self.bursting = True
        asyncio.get_running_loop().call_soon(self._rest, flush)
        return True

    def _rest(self, flush: Callable[[], Awaitable[bool]]) -> None:
        # The event loop has its turn, so that the owner has suspended: in a step, or in sending.
        self.bursting = False
        if not self._waiting or not self.keeping:
            return
        if self._ticking is None:
            self._perform_beside(self._flush(flush))
        else:  # one thing at a time
            self._ticking.add_done_callback(lambda _: self._rest(flush))

    async def _flush(self, flush: Callable[[], Awaitable[bool]]) -> None:
        wanted = await flush()
        self._ticking = None
        if not wanted:
            self.wake()

    def stop(self) -> None:
        """End the watch."""
        self._streams.leave(self)
        watcher, self._watcher = self._watcher, None  # which ends the cycle of references through its frames
        if watcher is not None:
            watcher.cancel()

    def interrupt(self, *, over: bool, cut: bool) -> None:
        """See `Interruptible`."""
        self.over = self.over or over
        self.wake()
        if not cut or not self.sending:
            return
        self.cut = True
        if self._ticking is not None:
            self._ticking.cancel()
        elif not self._woken:
            self._woken += 1
            self._owner.cancel()

    def wake(self) -> None:
        """Stop the step that is awaited, if there is one."""
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
        if self._woken:
            self._take_back()
        return isinstance(error, asyncio.CancelledError) and self._owner.cancelling() <= self._cancelled_before

    def _set_timer(self, timeout: float) -> None:
        self._timeout = timeout
        self._streams.timers.set(timeout, self)

    def elapse(self) -> None:
        """See `Timed`."""
        if self._timeout is None or self._driver is None:
            return
        if self._ticking is not None:  # what was kept is being sent, so that it is not silent
            self._set_timer(self._timeout)
        else:
            self._timeout = None
            self._perform_beside(self._perform(self._driver))

    def _perform_beside(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        if not task.done():  # as an eager one may be
            self._ticking = task

    async def _until_ticked(self, ticking: asyncio.Task[None]) -> None:
        """Nothing more is performed beside the owner from then on."""
        try:
            await ticking
        except asyncio.CancelledError:
            if self._owner.cancelling() > self._cancelled_before or not self.cut:
                raise
            # Nobody knows what of it has gone, so that nothing can follow it.
            raise Woken from None
        finally:
            self._ticking = None

    async def _perform(self, ticking: Ticking) -> None:
        again = await ticking.tick()
        self._ticking = None
        if again is None or self._inbox.gone:
            self.wake()
        elif self._waiting and again < math.inf:
            self._set_timer(again)
