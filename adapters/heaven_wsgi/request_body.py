"""The body of a request: `wsgi.input`, read in the server's thread."""

from __future__ import annotations

from typing import Final, Protocol, final

from heaven_core import BadRequest, ClientDisconnected, ClientError, ContentTooLarge
from heaven_wsgi.waiting import ServerThread

__all__ = ["Input", "InputReader", "UnreadableBody", "read_in_thread"]

# Bytes that are asked for at a time: most servers wait until they have as many.
_PIECE: Final = 64 * 1024


class Input(Protocol):
    """`wsgi.input`, what is used of it."""

    def read(self, size: int, /) -> bytes:
        """Read so many bytes, fewer only at the end."""
        ...


class _Asked(Protocol):
    async def wait(self) -> bytes: ...


@final
class InputReader:
    """The body of one request; see `BodyReader`.

    `length` is how many bytes the client has announced, `None` where the server says itself where the body ends. At
    most `limit` bytes are asked for, and one more, which says that there are too many.
    """

    __slots__ = ("_asked", "_ended", "_input", "_left", "_length", "_taken", "_thread", "limit")

    def __init__(self, source: Input, length: int | None, limit: int, thread: ServerThread) -> None:
        self._input: Final = source
        self._length: Final = length
        self._left = length
        self._taken = 0
        self._thread: Final = thread
        self._asked: _Asked | None = None
        self._ended = False
        self.limit: Final = limit

    async def read(self) -> bytes:
        """See `BodyReader`. Raises `BadRequest` where the server finds the body malformed."""
        if self._ended:
            raise RuntimeError("the response has ended, and the request with it: read it earlier")
        if self._thread.is_current:
            return self.read_here()
        # What was asked for and then not waited for, by a timeout say, is still the next piece.
        if self._asked is None:
            self._asked = read_in_thread(self, self._thread)
        piece = await self._asked.wait()
        self._asked = None
        return piece

    def end(self) -> None:
        """Read no more: what follows is not of this request."""
        self._ended = True

    def read_here(self) -> bytes:
        """Read the next piece, in the server's thread. Raises as `read` does."""
        size = min(_PIECE, self.limit + 1 - self._taken)
        if self._left is not None:
            size = min(size, self._left)
        if size <= 0:
            if self._left != 0:
                raise ContentTooLarge(f"the body is larger than {self.limit} bytes")
            return b""
        try:
            piece = self._input.read(size)
        except Exception as error:
            if _is_leaving(error, self._length is None):
                raise ClientDisconnected("the client went away before it had sent the whole request") from error
            raise BadRequest(f"the server can't read the body of the request: {error}") from error
        self._taken += len(piece)
        if self._left is not None:
            self._left -= len(piece)
            if not piece:
                raise ClientDisconnected(
                    f"the client ended its sending {self._left} bytes before the {self._length} that it had announced"
                )
        return piece


def _is_leaving(error: Exception, in_chunks: bool) -> bool:
    """Whether this says that the client has left, and not that its chunks are none: each server has errors of its own.

    Werkzeug's server has an `OSError` without a number for both kinds of bad chunks, and would go on with the next
    request of the connection if it was told that the client has left.
    """
    return isinstance(error, OSError) and not (in_chunks and type(error) is OSError and error.errno is None)


@final
class UnreadableBody:
    """A body that nobody can read, since it is not said where it ends: whoever wants it is told `why`."""

    __slots__ = ("_status", "_why")

    def __init__(self, status: int, why: str) -> None:
        self._status: Final = status
        self._why: Final = why

    async def read(self) -> bytes:
        """See `BodyReader`. Raises `ClientError`."""
        error = ClientError(self._why)
        error.status = self._status
        raise error

    def end(self) -> None:
        """Read no more."""


def read_in_thread(reader: InputReader, thread: ServerThread) -> _Asked:
    """Ask the server's thread, which waits, for the next piece. To be called on the event loop."""
    from heaven_wsgi.asked_read import AskedRead  # noqa: PLC0415  (it needs asyncio, which sync applications don't)

    return AskedRead(reader.read_here, thread)
