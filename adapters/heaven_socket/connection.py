r"""The server's side of one HTTP/1.1 connection, without any I/O: bytes in, requests out; a response in, bytes out.

The session of this package is one user of it; a server of your own may be another:

    connection = Connection()
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    head = connection.next_head()           # None: receive more
    piece = connection.next_piece()         # of the body; b"" after the last, None: receive more
    wire = connection.send_head(200, fields, length, close)
    wire += connection.send_body([b"hello"]) + connection.send_end()
    if connection.keep_alive:
        connection.start_next_cycle()       # what has come already may hold the next head

`RemoteProtocolError` says that the client broke a rule: send what `refuse` gives, and close. `LocalProtocolError` says
that you called this out of turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, final

from heaven_core import LAST_CHUNK, ClientDisconnected, Field, LocalProtocolError, write_chunk, write_head
from heaven_core.http.headers import Fields
from heaven_socket.chunks import ChunkReader
from heaven_socket.fast_lane import read_plain_head
from heaven_socket.head import RemoteProtocolError, RequestHead
from heaven_socket.judge import judge_head, judge_start
from heaven_socket.limits import Limits

__all__ = ["CONTINUE", "DRAINED", "Connection"]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

# Bytes of a body nobody asked for, after which it is cheaper for both to begin with a new connection.
DRAINED: Final = 64 * 1024

_END_OF_HEAD: Final = b"\r\n\r\n"
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
# RFC 9112 §2.2: at least one is to be ignored; a client may not go on with them for ever.
_EMPTY_LINES: Final = re.compile(rb"(?:\r?\n)+")
_MOST_EMPTY: Final = 64

_CHUNKED: Final[Field] = (b"transfer-encoding", b"chunked")
_CLOSE: Final[Field] = (b"connection", b"close")
_KEEP_ALIVE: Final[Field] = (b"connection", b"keep-alive")

_PAGE: Final[Fields] = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]

# Bytes of a body that are handed out at a time, where it comes in many small chunks.
_PIECE: Final = 64 * 1024

# How far the response has come.
_NO_REQUEST: Final = 0
_AWAITED: Final = 1
_CHUNKING: Final = 2
_SENDING: Final = 3  # delimited by its length, or by the end of the connection
_SENT: Final = 4
_STATES: Final = (
    "no head has been read",
    "no response has begun",
    "a response in chunks has begun",
    "a response has begun",
    "the response has ended",
)


@final
class Connection:
    """One connection's requests, one after the other, and their responses.

    `fast_lane=False` has h11 read each head.

    - `head`: of the request under way; `None` before the first;
    - `keep_alive`: whether the connection goes on after the response, which is certain once its head was sent;
    - `is_delimited`: whether the client can tell that the body of the response breaks off: not where the end of the
      connection is that of the body (RFC 9112 §8), so that it has to be reset then;
    - `ended`: the client has ended its sending.
    """

    __slots__ = (
        "_begun", "_buffer", "_chunks", "_error", "_fast_lane", "_left", "_limits", "_searched", "_skipped", "_state",
        "_unsent", "_whole", "ended", "head", "is_delimited", "keep_alive",
    )  # fmt: skip

    def __init__(self, limits: Limits | None = None, *, fast_lane: bool = True) -> None:
        self._limits: Final = Limits() if limits is None else limits
        self._fast_lane: Final = fast_lane
        self._whole: bytes | None = None  # exactly one head, as nearly always
        self._buffer: Final = bytearray()
        self._searched = 0
        self._skipped = 0
        self._left = 0  # of the body, in bytes
        self._chunks: ChunkReader | None = None
        self._begun = False  # somebody has read of the body
        self._error: RemoteProtocolError | None = None  # after which nothing can be read any more
        self._state = _NO_REQUEST
        self._unsent: int | None = None  # of the body of the response, in bytes, where that is known
        self.head: RequestHead | None = None
        self.keep_alive: bool = True
        self.is_delimited: bool = True
        self.ended: bool = False

    @property
    def buffered(self) -> int:
        """Bytes that have come and were not taken out."""
        return len(self._buffer) if self._whole is None else len(self._whole)

    @property
    def is_read(self) -> bool:
        """Whether the body of the request has been read to its end."""
        return not self._left and self._chunks is None

    @property
    def awaits_continue(self) -> bool:
        """Whether the client waits for a 100 before it sends the body: send `CONTINUE` when you want it."""
        return (
            self.head is not None
            and self.head.expects
            and not self._begun
            and not self.buffered
            and self._state == _AWAITED
        )

    def receive_data(self, data: bytes) -> None:
        """Take what has come from the client; `b""` says that it has ended its sending, and may be said again."""
        if not data:
            self.ended = True
        elif self._whole is None and not self._buffer and data.find(_END_OF_HEAD) == len(data) - 4:
            self._whole = data
        else:
            if self._whole is not None:
                self._buffer.extend(self._whole)
                self._whole = None
            self._buffer.extend(data)

    def next_head(self) -> RequestHead | None:
        """The head of the next request, `None` where more has to come.

        Raises `RemoteProtocolError`, also where the client has ended its sending in the middle of a head; and
        `LocalProtocolError` before `start_next_cycle`.
        """
        if self._state != _NO_REQUEST:
            raise self._out_of_turn("next_head()", "call start_next_cycle() first")
        if self._error is not None:
            raise self._error
        try:
            return self._next_head()
        except RemoteProtocolError as error:
            self._fail(error)
            raise

    def _next_head(self) -> RequestHead | None:
        data = self._whole
        if data is not None:
            self._whole = None
            if self._fast_lane and len(data) <= self._limits.head_size:
                head = read_plain_head(data, self._limits)
                if head is not None:
                    return self._begin(head)
            self._buffer.extend(data)
        return self._next_head_of_buffer()

    def next_piece(self) -> bytes | None:
        """The next piece of the body, `b""` after the last, `None` where more has to come.

        Raises `RemoteProtocolError`, and `ClientDisconnected` where the client has ended its sending before.
        """
        if self._state == _NO_REQUEST:
            raise self._out_of_turn("next_piece()", "read a head first")
        self._begun = True
        if self._chunks is None:
            if not self._left:
                return b""
            self._unpack()
            if self._buffer:
                data = bytes(self._buffer[: self._left])
                del self._buffer[: self._left]
                self._left -= len(data)
                return data
        else:
            piece = self._next_chunks(self._chunks)
            if piece is not None:
                return piece
        if self.ended:
            raise ClientDisconnected("the client ended its sending before it had sent the whole request")
        return None

    def _next_chunks(self, reader: ChunkReader) -> bytes | None:
        """All that has come of them, as one piece: a client could send a byte in each."""
        if self._error is not None:
            raise self._error
        self._unpack()
        pieces: list[bytes] = []
        size = 0
        piece: bytes | None = None
        try:
            while size < _PIECE:
                piece = reader.read(self._buffer)
                if not piece:
                    break
                pieces.append(piece)
                size += len(piece)
        except RemoteProtocolError as error:
            self._fail(error)
            if not pieces:
                raise
            # What comes before it is as it should be; the next call raises.
        if pieces:
            return b"".join(pieces)
        if piece == b"":
            self._chunks = None
        return piece

    def _fail(self, error: RemoteProtocolError) -> None:
        self._error = error
        self.keep_alive = False

    def send_head(
        self, status: int, fields: Fields, length: int | None, close: bool = False, server: Fields = ()
    ) -> bytes:
        """The head of the response. `length`: of the body that follows, in bytes, `None` where nobody knows.

        What `fields` say of it, Content-Length, has to be the same; it is not added.

        `server` are the fields of the server's own, Date for one. `close` asks for the end of the connection; so do the
        client, a body of unknown length to HTTP/1.0, and the body of a request that nobody has read and that is large.

        Raises `LocalProtocolError`, and `ValueError` for what would forge a line.
        """
        head = self._begin_response(close)
        lines = [*fields, *server]
        state = _SENDING
        if length is None:
            if head.http_version == "1.1":
                lines.append(_CHUNKED)
                state = _CHUNKING
            else:
                self.keep_alive = self.is_delimited = False  # RFC 9112 §6.3
        if not self.keep_alive:
            lines.append(_CLOSE)
        elif head.http_version == "1.0":
            lines.append(_KEEP_ALIVE)
        written = write_head(status, lines)
        self._state = state
        self._unsent = length
        return written

    def send_whole(self, status: int, fields: Fields, body: bytes, close: bool = False, server: Fields = ()) -> bytes:
        """A whole response, as `send_head`, `send_body` and `send_end` would write it. Raises as `send_head` does."""
        head = self._begin_response(close)
        lines = [*fields, *server]
        if not self.keep_alive:
            lines.append(_CLOSE)
        elif head.http_version == "1.0":
            lines.append(_KEEP_ALIVE)
        written = write_head(status, lines)
        self._unsent = 0
        self._state = _SENT
        return written + body

    def _begin_response(self, close: bool) -> RequestHead:
        """Decide whether the connection goes on."""
        head = self.head
        if head is None or self._state != _AWAITED:
            raise self._out_of_turn("send_head()", "there is one response for each request")
        if close or not head.keep_alive or (head.length != 0 and not self.is_read and not self._is_to_be_read(head)):
            self.keep_alive = False
        return head

    def send_body(self, chunks: Sequence[bytes]) -> bytes:
        """These chunks, framed each by itself.

        Raises `LocalProtocolError`, also where they are more than the head has said.
        """
        if self._state == _CHUNKING:
            return b"".join([write_chunk(chunk) for chunk in chunks])
        if self._state != _SENDING:
            raise self._out_of_turn("send_body()", "send a head first")
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.count_sent(len(data))
        return data

    def count_sent(self, size: int) -> None:
        """Count bytes of a body that you send by another way, a file by its descriptor say.

        Raises `LocalProtocolError` where they are more than the head has said.
        """
        if self._unsent is not None:
            self._unsent -= size
            if self._unsent < 0:
                raise self._out_of_turn("send_body()", "the body has more bytes than its head has said")

    def send_end(self) -> bytes:
        """What ends a body. Raises `LocalProtocolError`, also where less was sent than the head has said."""
        if self._state != _CHUNKING and self._state != _SENDING:
            raise self._out_of_turn("send_end()", "send a head first")
        if self._unsent:
            raise self._out_of_turn("send_end()", f"{self._unsent} bytes of what the head has said are missing")
        chunking = self._state == _CHUNKING
        self._state = _SENT
        return LAST_CHUNK if chunking else b""

    def start_next_cycle(self) -> None:
        """Go on to the next request. Raises `LocalProtocolError` before both bodies have come to their end."""
        if self._state != _SENT or not self.is_read or not self.keep_alive or self._error is not None:
            raise self._out_of_turn(
                "start_next_cycle()",
                "first the response has to end, the request to be read, and the connection to last",
            )
        self._state = _NO_REQUEST
        self._begun = False
        self.head = None

    def refuse(self, error: RemoteProtocolError, server: Fields = ()) -> bytes:
        """A whole response that tells the client what it did wrong; then the connection has to be closed.

        Nothing where a response has begun already.
        """
        self.keep_alive = False
        if self._state > _AWAITED:
            return b""
        self._state = _SENT
        page = f"{error}\n".encode()
        fields = [*_PAGE, (b"content-length", b"%d" % len(page)), *server, _CLOSE]
        return write_head(error.status, fields) + page

    def _next_head_of_buffer(self) -> RequestHead | None:
        buffer = self._buffer
        empty = _EMPTY_LINES.match(buffer) if buffer else None
        if empty is not None:
            self._skipped += empty.end()
            del buffer[: empty.end()]
            self._searched = 0
            if self._skipped > _MOST_EMPTY:
                raise RemoteProtocolError("the client sends nothing but empty lines")
        if not buffer:
            return None
        found = _BLANK_LINE.search(buffer, self._searched)
        if found is None:
            judge_start(buffer, self._limits)
            if self.ended:
                raise RemoteProtocolError("the client ended its sending in the middle of a head")
            self._searched = max(0, len(buffer) - 2)
            return None
        data = bytes(buffer[: found.end()])
        del buffer[: found.end()]
        self._searched = 0
        head = read_plain_head(data, self._limits) if self._fast_lane and len(data) <= self._limits.head_size else None
        return self._begin(judge_head(data, self._limits) if head is None else head)

    def _begin(self, head: RequestHead) -> RequestHead:
        self.head = head
        self._skipped = 0
        self._state = _AWAITED
        if head.length is None:
            self._chunks = ChunkReader(self._limits.head_size)
        else:
            self._left = head.length
        return head

    def _unpack(self) -> None:
        if self._whole is not None:
            self._buffer.extend(self._whole)
            self._whole = None

    def _is_to_be_read(self, head: RequestHead) -> bool:
        """Whether what is left of the body will be read or dropped: it is little, and on its way."""
        if head.expects and not self._begun and not self.buffered:
            return False
        return head.length is not None and self._left <= DRAINED

    def _out_of_turn(self, call: str, instead: str) -> LocalProtocolError:
        return LocalProtocolError(f"{call} out of turn: {_STATES[self._state]}; {instead}")
