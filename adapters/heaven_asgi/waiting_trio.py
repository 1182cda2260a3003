"""On trio: the owner waits in a scope that can be cancelled."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final, final

import anyio
from anyio.abc import TaskGroup

from heaven_asgi.requests import Inbox
from heaven_asgi.shutdown import Shutdown
from heaven_asgi.waiting import Tick, Woken
from heaven_core.needs import NextItem
from heaven_io.streams import Stream

__all__ = ["TrioWaiting"]


@final
class TrioWaiting:
    """On trio the owner waits in a scope of its own, which the watcher cancels.

    What the generator's `finally` awaits is cancelled again each time unless it is shielded: that is how trio works.
    """

    __slots__ = (
        "_group", "_inbox", "_performing", "_scope", "_shutdown", "_ticker", "bursting", "cut", "endless", "sending",
        "steps",
    )  # fmt: skip

    def __init__(self, inbox: Inbox, shutdown: Shutdown, group: TaskGroup) -> None:
        self._inbox: Final = inbox
        self._shutdown: Final = shutdown
        self.steps = 0
        self.bursting = self.endless = self.sending = self.cut = False
        self._group: Final = group
        self._scope: anyio.CancelScope | None = None
        self._ticker: anyio.CancelScope | None = None
        self._performing: anyio.Event | None = None
        group.start_soon(self._watch)

    @property
    def gone(self) -> bool:
        """Whether the client is known to have gone."""
        return self._inbox.gone

    async def next(self, need: NextItem[Stream], tick: Tick) -> object:
        """See `Waiting`."""
        if self._inbox.gone:
            raise Woken
        if need.timeout is not None:
            self._ticker = anyio.CancelScope()
            self._group.start_soon(self._tick, self._ticker, need.timeout, tick)
        if not self.steps:
            self.endless = need.endless
            self._shutdown.join(self)
        self.steps += 1
        try:
            with anyio.CancelScope() as self._scope:
                return await need.stream.next()
        finally:
            self._scope = None
            await self._stop_ticker()
        raise Woken

    def burst(self, flush: Callable[[], Awaitable[bool]]) -> None:
        """See `Waiting`. A task that waits can't be noticed here, so nothing is kept."""

    def stop(self) -> None:
        """End the watch."""
        self._shutdown.leave(self)
        self._group.cancel_scope.cancel()

    def is_taken_back(self, error: BaseException) -> bool:
        """See `Waiting`."""
        return False

    def interrupt(self, late: bool) -> None:
        """See `Interruptible`."""
        self._wake()
        if not late:
            return
        if self._ticker is not None:
            self._ticker.cancel()
        if self.sending:
            self.cut = True
            self._group.cancel_scope.cancel()

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
