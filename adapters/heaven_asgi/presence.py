"""Asking an ASGI server whether the client is still there, without waiting for it to leave."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Final, final

import anyio

from heaven_asgi.types import Message, Receive
from heaven_driver.engine import on_asyncio

__all__ = ["Presence", "received_by_now"]

# Seconds for those who can't say at once what they have: trio, which lets nobody begin what is cancelled already, and
# servers whose receive() is no coroutine, since another thread answers (granian). Others look before they wait.
_MOMENT: Final = 0.001


async def received_by_now(receive: Receive) -> Message | None:
    """What the server has to say now, `None` where it would have to wait. Raises what `receive` raises."""
    receiving = receive()
    with anyio.CancelScope() as scope:
        if on_asyncio() and isinstance(receiving, Coroutine):
            scope.cancel()
        else:
            scope.deadline = anyio.current_time() + _MOMENT
        message: Message = await receiving
        return message
    return None


@final
class Presence:
    """Whether the client of a request without a body is `gone`. Of one with a body its `Inbox` says so."""

    __slots__ = ("_receive", "gone")

    def __init__(self, receive: Receive) -> None:
        self._receive: Final = receive
        self.gone: bool = False

    async def has_left(self) -> bool:
        """See `heaven_core.Presence`."""
        try:
            while not self.gone:
                message = await received_by_now(self._receive)
                if message is None:
                    break
                self.gone = message["type"] == "http.disconnect"  # else it is the empty body
        except Exception:
            self.gone = True  # a server whose receive() fails has lost its client
        return self.gone
