"""What a driver wants of the transport below it: a wire for one response, and the peer at its other end."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from heaven_core.http.headers import Field
from heaven_io.files import ReadableFile

__all__ = ["Peer", "Wakeable", "Wire"]


class Wakeable(Protocol):
    """Something that waits, and wants to know that the client has gone."""

    def wake(self) -> None:
        """Learn that the client has gone."""
        ...


class Peer(Protocol):
    """The client of one request."""

    @property
    def gone(self) -> bool:
        """Whether the client is known to have left."""
        ...

    async def watch(self, waiting: Wakeable | None = None) -> None:
        """Wait until the client has gone, and wake `waiting` then. One task at a time does."""
        ...


class Wire(Protocol):
    """The way of one response to its client.

    Each method returns what has to be awaited until the wire has room for more, or `None` where it has room already: so
    a chunk that is written into a buffer costs no coroutine, and a wire may return what the server below gives it.
    `OSError`, from the call or from what it returns, says that nothing can be sent any more.

    The methods take what is in `Start` and `Chunk`, and not these: a small response would pay a tenth more for objects
    that nobody looks at (benchmarks/dispatch.py).
    """

    def send_head(
        self, status: int, fields: list[Field], length: int | None, close: bool, more: bool
    ) -> Awaitable[None] | None:
        """Send the head of a response; the arguments are those of `Start`.

        `more` says that `send_body` or `send_file` is called next, with nothing but this awaited in between: a wire
        that can send both at once keeps the head until then.
        """
        ...

    def send_body(self, chunks: Sequence[bytes], ended: bool) -> Awaitable[None] | None:
        """Send these chunks, in order; none where only the end is to be said. `ended`: the body is whole after them.

        Chunks stay separate, since some wires frame each of them.
        """
        ...

    def send_file(self, file: ReadableFile, offset: int, count: int, whole: bool) -> Awaitable[int] | None:
        """Send `count` bytes of `file` from `offset` on without reading them; what is awaited says how many have left.

        `whole` says that this is the whole file and the whole body. `None` says that the wire can't: then the file is
        read, and goes by `send_body`.
        """
        ...

    def reset(self) -> None:
        """Break the body off, so that the client can tell that it is not whole (RFC 9112 §8)."""
        ...
