"""The stepper on asyncio, where the owner is woken by a cancellation that is taken back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, final

from heaven_core.protocol.needs import NextItem
from heaven_driver.outbox import Outbox
from heaven_driver.shutdown import SENDING, STREAM, OpenStreams
from heaven_driver.stepping import IDLE, STEPPING, TICKING, WOKEN, Ticking, Woken
from heaven_io.streams import Stream

__all__ = ["AsyncioStepper"]

_OWN_TIMEOUT: Final = (
    "what a timeout or task group in the stream had cancelled took more than %g s to close, and was given up"
)


@final
class AsyncioStepper:
    """Wakes the owner by one `cancel()`, so that the generator's `finally` may still await."""

    __slots__ = (
        "_beside", "_cancelled_before", "_interrupted", "_outbox", "_owner", "_pressed", "_presses",
        "_state", "_streams", "_ticking", "_timeout", "_watcher", "endless", "hurried", "steps",
    )  # fmt: skip

    def __init__(self, outbox: Outbox, streams: OpenStreams, streaming: bool) -> None:
        self._outbox: Final = outbox
        self._streams: Final = streams
        owner = asyncio.current_task()
        assert owner is not None  # a request is served in a task
        self._owner: Final = owner
        # Cancellations that somebody before us has swallowed and not taken back are none of this request.
        self._cancelled_before: Final = owner.cancelling()
        self._state = IDLE
        self._presses = 0  # how often we have cancelled the owner
        self._pressed: asyncio.TimerHandle | None = None
        self._timeout: float | None = None  # after which the driver ticks
        self._ticking: Ticking | None = None
        self._beside: asyncio.Task[None] | None = None
        self._interrupted = 0  # how far: see `shutdown`
        self.steps: int = 0
        self.endless: bool = False
        self.hurried: bool = False
        watching = outbox.peer.watch(self, streaming)
        self._watcher: asyncio.Task[None] | None = None
        if watching is not None:
            self._watcher = asyncio.get_running_loop().create_task(watching, name="heaven_driver watch")

    async def next(self, need: NextItem[Stream], ticking: Ticking) -> object:
        """See `Stepper`."""
        if self._outbox.peer.gone or self._interrupted >= STREAM:
            raise Woken
        if need.timeout is not None:
            self._ticking = ticking
            self._set_timer(need.timeout)
        if not self.steps:
            self.endless = need.endless
            self._streams.join(self)
        self.steps += 1
        self._state = STEPPING
        try:
            return await need.stream.next(need.freeze)
        except asyncio.CancelledError:
            presses = self._presses
            if self._take_back() <= self._cancelled_before:  # else somebody has cancelled the request, too
                raise self._end_of_step(presses) from None
            if self._beside is not None:
                self._beside.cancel()  # it may be in a send that a slow client holds up
            raise
        finally:
            self._state = IDLE
            if self._presses:  # the generator has swallowed it
                self._take_back()
                self.hurried = False
            if self._timeout is not None:
                self._streams.timers.clear(self._timeout, self)
                self._timeout = None
            self._ticking = None
            if self._beside is not None:
                await self._until_performed(self._beside)

    def _end_of_step(self, presses: int) -> Exception:
        """What a step has ended with that was cancelled while the request was not."""
        if not presses:
            return RuntimeError("the stream was cancelled by something that it awaits, not by the server")
        if self.hurried:  # asyncio's count of cancellations does not tell whose they are
            return TimeoutError(_OWN_TIMEOUT % self._streams.closing_limit)
        return Woken(presses > 1)

    def after_a_turn(self, call: Callable[[], None]) -> None:
        """See `Stepper`."""
        asyncio.get_running_loop().call_soon(call)

    def perform_beside(self, work: Callable[[], Awaitable[bool]]) -> None:
        """See `Stepper`."""
        if self._state == IDLE:
            return
        if self._beside is None:
            self._begin_beside(self._perform(work))
        else:  # one thing at a time
            self._beside.add_done_callback(lambda _: self.perform_beside(work))

    async def _perform(self, work: Callable[[], Awaitable[bool]]) -> None:
        wanted = await work()
        self._end_beside()
        if not wanted:
            self.wake()

    def stop(self) -> None:
        """End the watch."""
        self._streams.leave(self)
        watcher, self._watcher = self._watcher, None  # which ends the cycle of references through its frames
        if watcher is not None:
            watcher.cancel()

    @property
    def is_cancelled(self) -> bool:
        """See `Cancellable`."""
        stepping = self._state == STEPPING or self._state == TICKING
        return stepping and self._owner.cancelling() > self._cancelled_before

    def hurry(self) -> None:
        """See `Cancellable`."""
        self.hurried = True
        self.wake()

    @property
    def cut(self) -> bool:
        """See `Stepper`."""
        return self._interrupted == SENDING

    def interrupt(self, reach: int) -> None:
        """See `Interruptible`."""
        self._interrupted = max(self._interrupted, min(reach, STREAM))
        self.wake()
        if reach < SENDING or not self._outbox.sending:
            return
        self._interrupted = SENDING
        if self._beside is not None:
            self._beside.cancel()
        elif not self._presses:
            self._presses = 1
            self._owner.cancel()

    def wake(self) -> None:
        """Stop the step that is awaited, if there is one."""
        if (self._state == STEPPING or self._state == TICKING) and not self._presses:
            self._state = WOKEN
            self._press()

    def _press(self) -> None:
        # A `finally` that does not come to its end is cancelled again.
        self._presses += 1
        self._owner.cancel()
        self._pressed = asyncio.get_running_loop().call_later(self._streams.closing_limit, self._press)

    def _take_back(self) -> int:
        """Take our cancellations back, and say how many there still are."""
        if self._pressed is not None:
            self._pressed.cancel()
            self._pressed = None
        left = self._owner.cancelling()
        for _ in range(self._presses):
            left = self._owner.uncancel()
        self._presses = 0
        return left

    def is_taken_back(self, error: BaseException) -> bool:
        """See `Stepper`."""
        if self._presses:
            self._take_back()
        return isinstance(error, asyncio.CancelledError) and self._owner.cancelling() <= self._cancelled_before

    def _set_timer(self, timeout: float) -> None:
        self._timeout = timeout
        self._streams.timers.set(timeout, self)

    def elapse(self) -> None:
        """See `Timed`."""
        if self._timeout is None or self._ticking is None:
            return
        if self._beside is not None:  # what was kept is being sent, so that it is not silent
            self._set_timer(self._timeout)
        else:
            self._timeout = None
            self._begin_beside(self._tick(self._ticking))

    def _begin_beside(self, work: Coroutine[object, object, None]) -> None:
        if self._state == STEPPING:
            self._state = TICKING
        task = asyncio.get_running_loop().create_task(work)
        if not task.done():  # as an eager one may be
            self._beside = task

    def _end_beside(self) -> None:
        self._beside = None
        if self._state == TICKING:
            self._state = STEPPING

    async def _until_performed(self, beside: asyncio.Task[None]) -> None:
        """Nothing more is performed beside the owner from then on."""
        try:
            await beside
        except asyncio.CancelledError:
            if self._owner.cancelling() > self._cancelled_before or not self.cut:
                raise
            # Nobody knows what of it has gone, so that nothing can follow it.
            raise Woken from None
        finally:
            self._beside = None

    async def _tick(self, ticking: Ticking) -> None:
        again = await ticking.tick()
        self._end_beside()
        if again is None or self._outbox.peer.gone:
            self.wake()
        elif self._state == STEPPING and again < math.inf:
            self._set_timer(again)
