"""On trio: the owner waits in a scope that can be cancelled."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final, final

import anyio
from anyio.abc import TaskGroup

from heaven_asgi.open_streams import OpenStreams
from heaven_asgi.requests import Departure, Inbox
from heaven_asgi.waiting import Ticking, Woken
from heaven_core.protocol.needs import NextItem
from heaven_io.streams import Stream

__all__ = ["TrioWaiting"]


@final
class TrioWaiting:
    """On trio the owner waits in a scope of its own, which the watcher cancels.

    What the generator's `finally` awaits is cancelled again each time unless it is shielded: that is how trio works.
    """

    __slots__ = (
        "_group", "_inbox", "_performing", "_scope", "_streams", "_ticker", "bursting", "cut", "endless", "keeping",
        "over", "sending", "steps",
    )  # fmt: skip

    def __init__(self, inbox: Inbox | Departure, streams: OpenStreams, group: TaskGroup) -> None:
        self._inbox: Final = inbox
        self._streams: Final = streams
        self.steps = 0
        self.bursting = self.keeping = self.endless = self.over = self.sending = self.cut = False
        self._group: Final = group
        self._scope: anyio.CancelScope | None = None
        self._ticker: anyio.CancelScope | None = None
        self._performing: anyio.Event | None = None
        group.start_soon(inbox.watch, self)

    async def next(self, need: NextItem[Stream], ticking: Ticking) -> object:
        """See `Waiting`."""
        if self._inbox.gone or self.over:
            raise Woken
        if need.timeout is not None:
            self._ticker = anyio.CancelScope()
            self._group.start_soon(self._tick, self._ticker, need.timeout, ticking)
        if not self.steps:
            self.endless = need.endless
            self._streams.join(self)
        self.steps += 1
        try:
            with anyio.CancelScope() as self._scope:
                return await need.stream.next()
        finally:
            self._scope = None
            await self._stop_ticker()
        raise Woken

    def burst(self, flush: Callable[[], Awaitable[bool]]) -> bool:
        """See `Waiting`. A task that waits can't be noticed here, so nothing is kept."""
        return False

    def stop(self) -> None:
        """End the watch."""
        self._streams.leave(self)
        self._group.cancel_scope.cancel()

    def is_taken_back(self, error: BaseException) -> bool:
        """See `Waiting`."""
        return False

    def interrupt(self, *, over: bool, cut: bool) -> None:
        """See `Interruptible`."""
        self.over = self.over or over
        self.wake()
        if not cut or not self.sending:
            return
        self.cut = True
        if self._performing is not None and self._ticker is not None:
            self._ticker.cancel()
        else:
            self._group.cancel_scope.cancel()

    def wake(self) -> None:
        """Stop the step that is awaited, if there is one."""
        if self._scope is not None:
            self._scope.cancel()

    async def _tick(self, ticker: anyio.CancelScope, timeout: float, ticking: Ticking) -> None:
        again: float | None = timeout
        with ticker:
            while again is not None and again < math.inf and not self._inbox.gone:
                await anyio.sleep(again)
                performing = self._performing = anyio.Event()
                try:
                    again = await ticking.tick()
                finally:
                    self._performing = None
                    performing.set()
            if again is None or self._inbox.gone:
                self.wake()

    async def _stop_ticker(self) -> None:
        """Nothing more is performed beside the owner from now on."""
        if self._performing is not None:
            await self._performing.wait()
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
