"""The messages of one request: its body, and that its client has gone."""

from __future__ import annotations

from collections import deque
from typing import Final, final

import anyio

from heaven_asgi.presence import Receiver
from heaven_asgi.types import Message, Receive
from heaven_core.errors import ClientDisconnected

__all__ = ["Inbox"]

# Bytes of a request that the watch keeps for a reader. Where nobody has begun to read by then, it is dropped: it must
# not hide that the client leaves.
_READ_AHEAD: Final = 64 * 1024
# Seconds after which one who has begun to read counts as one who does not.
_READER_LIMIT: Final = 30.0


@final
class Inbox:
    """The one place that calls `receive`: for the request's body, and to learn that the client has gone.

    While a response is streamed both may be wanted at once, by the generator that reads the request and by the watch.
    Then only the watch receives, and keeps what it meets of the body, a little ahead of the reader.
    """

    __slots__ = (
        "_arrived",
        "_asked",
        "_kept",
        "_lost",
        "_received",
        "_receiver",
        "_receiving",
        "_room",
        "_size",
        "_watched",
        "asked",
        "ended",
        "gone",
    )

    def __init__(self, receive: Receive) -> None:
        self._receiver: Final = Receiver(receive)
        self._kept: deque[Message] | None = None
        self._size = 0  # of what is kept, in bytes
        self._watched = False
        self._asked = False
        self._receiving = False
        self._received: anyio.Event | None = None
        self._lost = False
        self._arrived: anyio.Event | None = None
        self._room: anyio.Event | None = None
        self.asked: bool = False  # then `end` has to be called with the request's
        self.ended: bool = False
        self.gone: bool = False

    async def read(self) -> bytes:
        """The next piece of the body, empty after the last. Raises `ClientDisconnected`.

        Raises `RuntimeError` where the response was streamed for so long without reading that the body is lost.
        """
        self._asked = True
        if self._lost:
            raise RuntimeError("the request was not read while its response was streamed: begin to read it earlier")
        while not self.ended:
            message = await self._next()
            if message["type"] == "http.disconnect":
                self.gone = True
                break
            self.ended = not message.get("more_body", False)
            body: bytes = message.get("body", b"")
            if body:
                return body
        if not self.ended:
            raise ClientDisconnected("the client went away before it had sent the whole request")
        return b""

    async def has_left(self) -> bool:
        """See `heaven_core.Presence`. What comes of the body meanwhile is kept for its reader, as by the watch."""
        whole = self.ended
        self.asked = True
        try:
            while not (self.gone or self._watched or self._receiving or self._lost or self._size > _READ_AHEAD):
                self._receiving = True
                try:
                    message = await self._receiver.by_now()
                finally:
                    self._received_one()
                if message is None:
                    break
                self._take(message)
                if whole:
                    break  # a server may say the end of the body again and again
                whole = not message.get("more_body", False)
        except Exception:
            self.gone = True  # a server whose receive() fails has lost its client
        return self.gone

    async def watch(self) -> None:
        """Wait until the client has gone."""
        while self._receiving:
            # By a task that began to read before the watch: what it meets may be the one http.disconnect. By the time
            # that this wakes it may be receiving the next one, and of two who receive at once one would wait in vain.
            self._received = anyio.Event()
            await self._received.wait()
        self._watched = True
        # One coroutine for the whole of it: there is one for each stream, for as long as that lasts.
        try:
            while not self.gone:
                if self._size > _READ_AHEAD:
                    await self._make_room()
                self._take(await self._receiver.next())
        except Exception:
            self.gone = True  # a server whose receive() fails has lost its client
        finally:
            # A reader elsewhere, in a task or a deferred call, receives for itself again.
            self._watched = False
            if self._arrived is not None:
                self._arrived.set()

    def end(self) -> None:
        """The request has ended. What it has not read may still be wanted, by deferred work for one."""
        if self.ended:
            self._receiver.end()

    def _received_one(self) -> None:
        self._receiving = False
        if self._received is not None:
            self._received.set()

    async def _make_room(self) -> None:
        while self._size > _READ_AHEAD:
            if not self._asked:
                self._kept = None
                self._size = 0
                self._lost = True
                return
            self._room = anyio.Event()
            with anyio.move_on_after(_READER_LIMIT):
                await self._room.wait()
            if self._size > _READ_AHEAD:
                self._asked = False  # it has begun, and reads no more

    def _take(self, message: Message) -> None:
        self.gone = message["type"] == "http.disconnect"
        if not self.ended and not self._lost:
            if self._kept is None:
                self._kept = deque()
            self._kept.append(message)
            self._size += len(message.get("body", b""))
        if self._arrived is not None:
            self._arrived.set()

    async def _next(self) -> Message:
        while not self._kept:
            if not self._watched:
                self._receiving = True
                try:
                    return await self._receiver.next()
                finally:
                    self._received_one()
            self._arrived = anyio.Event()
            await self._arrived.wait()
        if self._kept[0]["type"] == "http.disconnect":
            return self._kept[0]
        message = self._kept.popleft()
        self._size -= len(message.get("body", b""))
        if self._room is not None:
            self._room.set()
        return message
