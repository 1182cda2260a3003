"""One request of an ASGI server: its response as ASGI messages, and its client."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, final

import anyio

from heaven_asgi.inbox import Inbox
from heaven_asgi.presence import Presence
from heaven_asgi.types import Message, Scope, Send
from heaven_asgi.unacknowledged import unacknowledged
from heaven_asgi.zero_copy import PathOfDescriptor, extensions_of, left_of, path_of, zero_copy_message
from heaven_core.http.headers import Field
from heaven_driver.send_timeout import SendTimeout
from heaven_driver.wire import Wakeable
from heaven_io.files import READ_SIZE, ReadableFile

__all__ = ["CLOSE", "HTTP1", "PIECE", "ASGIWire"]

# Bytes in one message. A server says nothing before nearly all of it is on its way: where nobody else can tell either,
# a client that takes less than this within `send_timeout`, 2 KB a second by default, is gone.
PIECE: Final = READ_SIZE

CLOSE: Final[Field] = (b"connection", b"close")  # what HTTP/1 says where the connection ends after a response
HTTP1: Final = frozenset({"1", "1.0", "1.1"})  # granian says "1" for HTTP/1.0


@final
class ASGIWire:
    """The wire of a response, and the peer of its request: one object, since each request has one.

    Where the request may have a body, its inbox is the one that receives.
    """

    __slots__ = ("_departed", "_presence", "_scope", "_send", "_sends", "gone")

    def __init__(self, scope: Scope, presence: Presence | Inbox, send: Send, sends: SendTimeout) -> None:
        self._scope: Final = scope
        self._presence: Final = presence
        self._send: Final = send
        self._sends: Final = sends
        # Once the server has been given the path of a file, and ends the body.
        self._departed: anyio.Event | None = None
        self.gone: bool = presence.gone  # the handler may have found out

    async def send_whole(self, status: int, fields: list[Field], body: bytes, close: bool) -> None:
        """See `Wire`. For most small ones the adapter does this itself, without a wire."""
        if len(body) <= PIECE:
            await self._sends.wait(self._send_small(self._head(status, fields, close), body), self)
            return
        await self.send_head(status, fields, len(body), close, True)
        await self._send_in_pieces(body, True)

    def send_head(
        self, status: int, fields: list[Field], length: int | None, close: bool, more: bool
    ) -> Awaitable[None]:
        """See `Wire`."""
        return self._sends.wait(self._send(self._head(status, fields, close)), self)

    def send_body(self, chunks: Sequence[bytes], ended: bool) -> Awaitable[None] | None:
        """See `Wire`."""
        if self._departed is not None:
            return None
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if len(data) > PIECE:
            return self._send_in_pieces(data, ended)
        return self._sends.wait(self._send({"type": "http.response.body", "body": data, "more_body": not ended}), self)

    def send_file(self, file: ReadableFile, offset: int, count: int, whole: bool) -> Awaitable[int] | None:
        """See `Wire`. By its path, else by its descriptor, where the server offers that."""
        extensions = extensions_of(self._scope)
        if not extensions or file.fd is None:
            return None
        path = path_of(extensions, file.fd) if whole else None
        if path is not None:
            return self._send_path(path, file.fd, count)
        message = zero_copy_message(extensions, file.fd, offset, count)
        return None if message is None else self._send_descriptor(message, file.fd, offset, count)

    def reset(self) -> None:
        """See `Wire`. To return without a last body message is how ASGI says it."""

    def count_unsent(self) -> int | None:
        """See `Taking`."""
        return unacknowledged(self._scope)

    def confirm(self) -> None:
        """See `Peer`. Whole responses don't come this way."""

    async def watch(self, waiting: Wakeable, streaming: bool) -> None:
        """See `Peer`."""
        try:
            await self._presence.watch()
        except Exception:  # noqa: S110  # a server whose receive() fails has lost its client
            pass
        self.gone = True
        if self._departed is not None:
            self._departed.set()
        waiting.wake()

    def _head(self, status: int, fields: list[Field], close: bool) -> Message:
        if close and self._scope["http_version"] in HTTP1:
            fields = [*fields, CLOSE]
        return {"type": "http.response.start", "status": status, "headers": fields}

    async def _send_small(self, head: Message, body: bytes) -> None:
        await self._send(head)
        await self._send({"type": "http.response.body", "body": body})

    async def _send_in_pieces(self, data: bytes, ended: bool) -> None:
        size = len(data)
        for start in range(0, size, PIECE):
            end = start + PIECE
            message = {"type": "http.response.body", "body": data[start:end], "more_body": not ended or end < size}
            await self._sends.wait(self._send(message), self)

    async def _send_path(self, path: PathOfDescriptor, fd: int, count: int) -> int:
        departed = self._departed = anyio.Event()
        try:
            await self._send(path.message)
            if not self.gone:
                await departed.wait()  # the server says "disconnect", too, when it is done with the response
        finally:
            path.close_later()
        return left_of(fd, 0, count)

    async def _send_descriptor(self, message: Message, fd: int, offset: int, count: int) -> int:
        await self._send(message)
        return left_of(fd, offset, count)
