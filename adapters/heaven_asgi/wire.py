"""One request of an ASGI server: its response as ASGI messages, and its client."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, final

import anyio

from heaven_asgi.inbox import Inbox
from heaven_asgi.types import Message, Receive, Scope, Send
from heaven_asgi.zero_copy import PathOfDescriptor, extensions_of, left_of, path_of, zero_copy_message
from heaven_core.http.headers import Field
from heaven_driver.wire import Wakeable
from heaven_io.files import ReadableFile

__all__ = ["CLOSE", "HTTP1", "ASGIWire"]

CLOSE: Final[Field] = (b"connection", b"close")  # what HTTP/1 says where the connection ends after a response
HTTP1: Final = frozenset({"1", "1.0", "1.1"})  # granian says "1" for HTTP/1.0


@final
class ASGIWire:
    """The wire of a response, and the peer of its request: one object, since each request has one.

    Where the request may have a body, its inbox is the one that receives.
    """

    __slots__ = ("_departed", "_inbox", "_receive", "_scope", "_send", "gone")

    def __init__(self, scope: Scope, receive: Receive, send: Send, inbox: Inbox | None, gone: bool) -> None:
        self._scope: Final = scope
        self._receive: Final = receive
        self._inbox: Final = inbox
        self._send: Final = send
        # Once the server has been given the path of a file, and ends the body.
        self._departed: anyio.Event | None = None
        self.gone: bool = gone  # the handler may have found out

    async def send_whole(self, status: int, fields: list[Field], body: bytes, close: bool) -> None:
        """See `Wire`. The adapter does this itself, without a wire."""
        await self.send_head(status, fields, len(body), close, True)
        await self._send({"type": "http.response.body", "body": body})

    def send_head(
        self, status: int, fields: list[Field], length: int | None, close: bool, more: bool
    ) -> Awaitable[None]:
        """See `Wire`."""
        if close and self._scope["http_version"] in HTTP1:
            fields = [*fields, CLOSE]
        return self._send({"type": "http.response.start", "status": status, "headers": fields})

    def send_body(self, chunks: Sequence[bytes], ended: bool) -> Awaitable[None] | None:
        """See `Wire`."""
        if self._departed is not None:
            return None
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return self._send({"type": "http.response.body", "body": data, "more_body": not ended})

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

    def confirm(self) -> None:
        """See `Peer`. Whole responses don't come this way."""

    async def watch(self, waiting: Wakeable, streaming: bool) -> None:
        """See `Peer`."""
        try:
            if self._inbox is not None:
                await self._inbox.watch()
            else:
                # hypercorn says it once: what has been heard must not be waited for.
                while not self.gone and (await self._receive())["type"] != "http.disconnect":
                    pass
        except Exception:  # noqa: S110  # a server whose receive() fails has lost its client
            pass
        self.gone = True
        if self._departed is not None:
            self._departed.set()
        waiting.wake()

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
