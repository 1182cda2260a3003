"""Bodies in chunks: what is accepted, h11 accepts with equal bytes, in whatever pieces it comes."""

from __future__ import annotations

from typing import Final

import h11
from hypothesis import given
from hypothesis import strategies as st

from heaven_socket import RemoteProtocolError
from heaven_socket.chunks import ChunkReader

TRAILER_SIZE: Final = 1000
HEAD: Final = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"

SIZES: Final = st.sampled_from(
    [b"", b"0", b"1", b"3", b"a", b"A", b"0003", b"g", b"-1", b"+1", b" 1", b"1 ", b"1\t", b"0" * 17, b"f" * 16, b"1_0"]
)
EXTENSIONS: Final = st.sampled_from(
    [b"", b"", b"", b";", b";a=b", b';a="b"', b" ;a", b";\x01", b";\xff", b";a\nb", b";a\rb"]
)
ENDS: Final = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""])
TRAILERS: Final = st.lists(
    st.sampled_from(
        [b"X: y\r\n", b"X:\r\n", b"X : y\r\n", b"X\r\n", b": y\r\n", b" folded\r\n", b"X: \x01\r\n", b"X: y\n"]
    ),
    max_size=2,
).map(b"".join)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Chunks that are as they should be, but for perhaps something."""
    odd = draw(st.integers(0, 5))
    pieces: list[bytes] = []
    for _ in range(draw(st.integers(0, 3))):
        data = draw(st.binary(min_size=1, max_size=5))
        size = draw(SIZES) if odd == 1 else b"%x" % len(data)
        extension = draw(EXTENSIONS) if odd == 2 else b""
        ends = [draw(ENDS), draw(ENDS)] if odd == 3 else [b"\r\n", b"\r\n"]
        pieces += [size, extension, ends[0], data, ends[1]]
    last = draw(st.sampled_from([b"0\r\n", b"0;x\r\n", b"00\r\n", b"0\n", b""])) if odd == 4 else b"0\r\n"
    return b"".join(
        [*pieces, last, draw(TRAILERS) if odd == 5 else b"", b"\r\n", draw(st.sampled_from([b"", b"GET /"]))]
    )


def ours(data: bytes, size: int) -> tuple[bytes, bool, bytes] | None:
    """The body, whether it has come to its end, and what is left; `None` where it is refused."""
    reader, buffer, body = ChunkReader(TRAILER_SIZE), bytearray(), b""
    for start in range(0, max(len(data), 1), size):
        buffer += data[start : start + size]
        try:
            while piece := reader.read(buffer):
                body += piece
        except RemoteProtocolError:
            return None
        if piece == b"":
            return body, True, bytes(buffer) + data[start + size :]
    return body, False, bytes(buffer)


def by_h11(data: bytes) -> tuple[bytes, bool, bytes] | None:
    connection = h11.Connection(h11.SERVER)
    body = b""
    try:
        connection.receive_data(HEAD + data)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return body, True, connection.trailing_data[0]
            elif event is h11.NEED_DATA:
                return body, False, b""
    except h11.RemoteProtocolError:
        return None


@given(bodies())
def test_what_is_accepted_h11_accepts_with_equal_bytes(data: bytes) -> None:
    made = ours(data, len(data))
    if made is None:
        return
    body, ended, rest = made
    if ended:
        assert (body, True, rest) == by_h11(data)
    else:
        other = by_h11(data)
        assert other is not None
        assert other[:2] == (body, False)


@given(bodies(), st.integers(1, 7))
def test_it_is_the_same_in_any_pieces(data: bytes, size: int) -> None:
    """But that what comes too late is not seen any more."""
    whole = ours(data, len(data))
    pieces = ours(data, size)
    if whole is None:
        assert pieces is None
    else:
        assert pieces is not None
        assert pieces[:2] == whole[:2]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.integers(1, 50))
def test_what_is_written_is_read(pieces: list[bytes], size: int) -> None:
    from heaven_core import LAST_CHUNK, write_chunk

    data = b"".join([*map(write_chunk, pieces), LAST_CHUNK])
    assert ours(data, size) == (b"".join(pieces), True, b"")


@given(st.binary(max_size=60), st.integers(1, 60))
def test_garbage_ends(data: bytes, size: int) -> None:
    """With a refusal, or by waiting for more; nothing else is ever raised."""
    made = ours(data, size)
    assert made is None or len(made[0]) <= len(data)


def test_sixteen_digits_are_a_size() -> None:
    """RFC 9112 §7.1; and 64 bits are none that overflows in Python."""
    reader, buffer = ChunkReader(TRAILER_SIZE), bytearray(b"ffffffffffffffff\r\nabc")
    assert reader.read(buffer) == b"abc"
    assert reader.read(buffer) is None
