"""What a driver wants of the transport below it: a wire for one response, and the peer at its other end."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from typing import Final, Protocol, final

from heaven_core.http.headers import Field
from heaven_io.files import ReadableFile

__all__ = ["Peer", "SentPart", "Wakeable", "Wire"]


@final
class SentPart(ConnectionError):
    """Nothing can be sent any more, and `sent` bytes of the file have left before."""

    def __init__(self, sent: int) -> None:
        super().__init__(f"the client has gone after {sent} bytes of a file")
        self.sent: Final = sent


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

    def watch(self, waiting: Wakeable, streaming: bool) -> Coroutine[object, object, None] | None:
        """Wake `waiting` when the client has gone. Called once for a response.

        What is returned is run beside the response, and cancelled with its end; `None` where the peer hears of it
        without. `streaming` says that the response is a stream, of which a client that has ended its own sending wants
        no more; a file still goes to it.
        """
        ...

    def confirm(self) -> Awaitable[bool] | None:
        """Whether a small response that has been sent found its client still there; `None` where nobody can tell.

        Asked only where deferred work waits for the answer.
        """
        ...


class Wire(Protocol):
    """The way of one response to its client.

    Each method returns what has to be awaited until the wire has room for more, or `None` where it has room already: so
    a chunk that is written into a buffer costs no coroutine, and a wire may return what the server below gives it.
    `OSError`, from the call or from what it returns, says that nothing can be sent any more.

    The methods take what is in `Start` and `Chunk`, and not these: a small response would pay a tenth more for objects
    that nobody looks at (benchmarks/dispatch.py).
    """

    def send_whole(self, status: int, fields: list[Field], body: bytes, close: bool) -> Awaitable[None] | None:
        """Send a whole response: its head, and all of its body. There is no other call for it then."""
        ...

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

        Where fewer have, something is in the way, the end of the file for one, or a disk that would have to be waited
        for: then the next piece is read, goes by `send_body`, and this is called again for the rest. `None` says that
        the wire can't at all, and everything is read. `whole` says that this is the whole file and the whole body.
        Raises `SentPart` where the client goes in the middle.
        """
        ...

    def reset(self) -> None:
        """Break the body off, so that the client can tell that it is not whole (RFC 9112 §8)."""
        ...
