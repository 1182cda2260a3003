"""The body of a request, read whole or piece by piece, at most as much of it as is allowed."""

from __future__ import annotations

from typing import Final, Protocol, final

from heaven_core.errors import ContentTooLarge
from heaven_core.http.headers import ReceivedFields

__all__ = ["BodyReader", "BodyStream", "Presence", "check_announced", "read_whole"]


class BodyReader(Protocol):
    """Where a driver's request body comes from."""

    async def read(self) -> bytes:
        """The next piece, `b""` after the last. Raises `ClientDisconnected` if the client leaves before the end."""
        ...


class Presence(Protocol):
    """Where a driver knows whether the client is still there."""

    async def has_left(self) -> bool:
        """Whether the client has gone, or ended its sending, as one does that goes."""
        ...


def check_announced(fields: ReceivedFields, limit: int) -> None:
    """Raise `ContentTooLarge` where Content-Length says more than `limit` bytes: then nothing is read at all."""
    for line in fields:
        if line[0] == b"content-length":
            # The server below has read this number before; int() refuses one of thousands of digits.
            digits = line[1].strip().lstrip(b"0")
            if digits.isdigit() and (len(digits) > len(str(limit)) or int(digits) > limit):
                raise _too_large(limit)


async def read_whole(reader: BodyReader, limit: int) -> bytes:
    """All of the body. Raises `ContentTooLarge` beyond `limit` bytes, and `ClientDisconnected`."""
    body = await reader.read()
    if len(body) > limit:
        raise _too_large(limit)
    piece = await reader.read() if body else b""
    if not piece:
        return body
    # Not a list: a client that sends two bytes at a time would have us keep twenty times the size.
    buffer = bytearray(body)
    while piece:
        if len(buffer) + len(piece) > limit:
            raise _too_large(limit)
        buffer += piece
        piece = await reader.read()
    return bytes(buffer)


@final
class BodyStream:
    """Iterates over the pieces. What it has raised, it raises again: a body that broke off never seems to end.

    Not an async generator: one that a handler leaves early has nothing to clean up, and trio would warn.
    """

    __slots__ = ("_ended", "_error", "_left", "_limit", "_reader")

    def __init__(self, reader: BodyReader, limit: int) -> None:
        self._reader: Final = reader
        self._limit: Final = limit
        self._left = limit
        self._ended = False
        self._error: BaseException | None = None

    def __aiter__(self) -> BodyStream:
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises `ContentTooLarge` and `ClientDisconnected`."""
        if self._error is not None:
            raise self._error
        if self._ended:
            raise StopAsyncIteration
        try:
            piece = await self._reader.read()
            self._left -= len(piece)
            if self._left < 0:
                raise _too_large(self._limit)
        except Exception as error:
            self._error = error
            raise
        if not piece:
            self._ended = True
            raise StopAsyncIteration
        return piece


def _too_large(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"the body is larger than {limit} bytes")
