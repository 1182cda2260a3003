"""The stepper on trio, where the owner waits in a scope that can be cancelled."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, final

import trio
from anyio.abc import TaskGroup

from heaven_core.protocol.needs import NextItem
from heaven_driver.outbox import Outbox
from heaven_driver.shutdown import SENDING, STREAM, OpenStreams
from heaven_driver.stepping import IDLE, STEPPING, TICKING, WOKEN, Ticking, Woken
from heaven_io.streams import Stream

__all__ = ["TrioStepper"]


@final
class TrioStepper:
    """Has the owner wait in a scope of its own, which the watcher cancels.

    What the generator's `finally` awaits is cancelled again each time unless it is shielded: that is how trio works.
    """

    __slots__ = (
        "_beside", "_group", "_interrupted", "_outbox", "_performed", "_scope", "_state", "_streams", "_ticking",
        "_timeout", "endless", "steps",
    )  # fmt: skip

    def __init__(self, outbox: Outbox, streams: OpenStreams, streaming: bool, group: TaskGroup) -> None:
        self._outbox: Final = outbox
        self._streams: Final = streams
        self._group: Final = group
        self._state = IDLE
        self._scope: trio.CancelScope | None = None
        self._timeout: float | None = None  # after which the driver ticks
        self._ticking: Ticking | None = None
        self._performed: trio.Event | None = None  # of what is performed beside the owner
        self._beside: trio.CancelScope | None = None
        self._interrupted = 0  # how far: see `shutdown`
        self.steps: int = 0
        self.endless: bool = False
        watching = outbox.peer.watch(self, streaming)
        if watching is not None:
            group.start_soon(_run, watching)

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
            with trio.CancelScope() as self._scope:
                return await need.stream.next(need.freeze)
        finally:
            self._state = IDLE
            self._scope = None
            self._ticking = None
            if self._timeout is not None:
                self._streams.timers.clear(self._timeout, self)
                self._timeout = None
            while self._performed is not None:  # nothing more is performed beside the owner from now on
                await self._performed.wait()
        raise Woken

    def after_a_turn(self, call: Callable[[], None]) -> None:
        """See `Stepper`."""
        self._group.start_soon(_call, call)

    def perform_beside(self, work: Callable[[], Awaitable[bool]]) -> None:
        """See `Stepper`."""
        if self._state != IDLE:
            self._group.start_soon(self._perform, work)

    async def _perform(self, work: Callable[[], Awaitable[bool]]) -> None:
        async def performing() -> None:
            if not await work():
                self.wake()

        await self._do_beside(performing)

    async def _do_beside(self, work: Callable[[], Awaitable[None]]) -> None:
        while self._performed is not None:  # one thing at a time
            await self._performed.wait()
        if self._state == IDLE:
            return  # the owner goes on, and does it with what comes next
        performed = self._performed = trio.Event()
        if self._state == STEPPING:
            self._state = TICKING
        try:
            with trio.CancelScope() as self._beside:
                await work()
        finally:
            self._performed = self._beside = None
            performed.set()
            if self._state == TICKING:
                self._state = STEPPING

    def stop(self) -> None:
        """End the watch."""
        self._streams.leave(self)
        self._group.cancel_scope.cancel()

    def is_taken_back(self, error: BaseException) -> bool:
        """See `Stepper`."""
        return False

    @property
    def is_cancelled(self) -> bool:
        """See `Cancellable`. trio itself cancels whatever a `finally` awaits."""
        return False

    def hurry(self) -> None:
        """See `Cancellable`."""

    @property
    def hurried(self) -> bool:
        """See `Stepper`."""
        return False

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
        (self._group.cancel_scope if self._beside is None else self._beside).cancel()

    def wake(self) -> None:
        """Stop the step that is awaited, if there is one."""
        if self._scope is not None:
            self._state = WOKEN
            self._scope.cancel()

    def _set_timer(self, timeout: float) -> None:
        self._timeout = timeout
        self._streams.timers.set(timeout, self)

    def elapse(self) -> None:
        """See `Timed`."""
        if self._timeout is None or self._ticking is None:
            return
        if self._performed is not None:  # what was kept is being sent, so that it is not silent
            self._set_timer(self._timeout)
        else:
            self._timeout = None
            self._group.start_soon(self._tick, self._ticking)

    async def _tick(self, ticking: Ticking) -> None:
        async def performing() -> None:
            again = await ticking.tick()
            if again is None or self._outbox.peer.gone:
                self.wake()
            elif again < math.inf and self._ticking is not None:
                self._set_timer(again)

        await self._do_beside(performing)


async def _call(call: Callable[[], None]) -> None:
    call()


async def _run(watching: Coroutine[object, object, None]) -> None:
    await watching
