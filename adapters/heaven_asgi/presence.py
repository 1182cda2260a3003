"""Asking an ASGI server whether the client is still there, without waiting for it to leave."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction
from typing import Final, final

import anyio
from anyio.lowlevel import checkpoint

from heaven_asgi.types import Message, Receive
from heaven_io.detached import Job, begin

__all__ = ["Presence", "Receiver"]

# Turns of the event loop that a server, and what stands round it, has to give what it has already.
_TURNS: Final = 4
# Seconds for a server whose receive() is no coroutine: another thread answers (granian).
_MOMENT: Final = 0.001


@final
class Receiver:
    """Calls `receive`, and never gives a call up: what it has taken out of the server by then would be lost.

    A call that was begun to see whether there is something goes on, and whoever wants the next message gets that one.
    One at a time may ask.
    """

    __slots__ = ("_ahead", "_receive", "_scope")

    def __init__(self, receive: Receive) -> None:
        self._receive: Final = receive
        self._ahead: Job[Message] | None = None
        self._scope: anyio.CancelScope | None = None

    async def next(self) -> Message:
        """The next message. Raises what `receive` raises; may be cancelled."""
        ahead = self._ahead
        if ahead is None:
            message: Message = await self._receive()
            return message
        await ahead.result()
        return await self._take(ahead)

    async def by_now(self) -> Message | None:
        """The next message if the server has one, else `None`. Raises what `receive` raises."""
        ahead = self._ahead
        if ahead is None:
            scope = self._scope = anyio.CancelScope()
            ahead = self._ahead = begin(partial(self._receive_within, scope), "receiving a request")
        for _ in range(_TURNS):
            if ahead.finished:
                break
            await checkpoint()
        else:
            if not iscoroutinefunction(self._receive):
                with anyio.move_on_after(_MOMENT):
                    await ahead.result()
        return await self._take(ahead) if ahead.finished else None

    def end(self) -> None:
        """Give up a call that goes on: nobody wants the next message any more."""
        if self._ahead is not None and self._scope is not None:
            self._scope.cancel()

    async def _receive_within(self, scope: anyio.CancelScope) -> Message:
        with scope:
            message: Message = await self._receive()
            return message
        return {"type": "http.disconnect"}

    async def _take(self, ahead: Job[Message]) -> Message:
        self._ahead = None
        return await ahead.result()


@final
class Presence:
    """Whether the client of a request without a body is `gone`. Of one with a body its `Inbox` says so."""

    __slots__ = ("_receive", "_receiver", "asked", "gone")

    def __init__(self, receive: Receive) -> None:
        self._receive: Final = receive
        self._receiver: Receiver | None = None  # most are never asked
        self.asked: bool = False  # then `end` has to be called with the request's
        self.gone: bool = False

    async def has_left(self) -> bool:
        """See `heaven_core.Presence`."""
        receiver = self._receiver
        if receiver is None:
            receiver = self._receiver = Receiver(self._receive)
            self.asked = True
        try:
            for _ in range(2):  # the empty body comes first
                message = None if self.gone else await receiver.by_now()
                if message is None:
                    break
                self.gone = message["type"] == "http.disconnect"
        except Exception:
            self.gone = True  # a server whose receive() fails has lost its client
        return self.gone

    def end(self) -> None:
        """The request has ended."""
        if self._receiver is not None:
            self._receiver.end()

    async def watch(self) -> None:
        """Wait until the client has gone. Raises what `receive` raises."""
        receive = self._receive if self._receiver is None else self._receiver.next
        # hypercorn says it once: what has been heard must not be waited for.
        while not self.gone:
            message: Message = await receive()
            self.gone = message["type"] == "http.disconnect"
