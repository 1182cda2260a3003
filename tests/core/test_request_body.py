"""Reading a request's body, within limits: SPEC section 2."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.errors import ClientDisconnected, ContentTooLarge
from heaven_core.message.request_body import BodyStream, check_announced, read_whole

R = TypeVar("R")


class Pieces:
    """A body in pieces. `leaves` has the client go away in place of the end; afterwards it pretends to have ended."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self.pieces = list(pieces)
        self.leaves = leaves
        self.reads = 0

    async def read(self) -> bytes:
        self.reads += 1
        if self.pieces:
            return self.pieces.pop(0)
        if self.leaves:
            self.leaves = False
            raise ClientDisconnected("gone")
        return b""


def run(awaitable: Awaitable[R]) -> R:
    """What `awaitable` gives: nothing here has to wait."""
    steps: Generator[object, None, R] = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        result: R = stop.value
        return result
    raise AssertionError("it waited")


async def collect(stream: BodyStream) -> list[bytes]:
    return [piece async for piece in stream]


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=5))
def test_pieces_are_put_together(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    assert run(read_whole(Pieces(*pieces), len(body))) == body
    assert run(collect(BodyStream(Pieces(*pieces), len(body)))) == pieces
    if body:
        with pytest.raises(ContentTooLarge, match=f"larger than {len(body) - 1} bytes"):
            run(read_whole(Pieces(*pieces), len(body) - 1))
        with pytest.raises(ContentTooLarge):
            run(collect(BodyStream(Pieces(*pieces), len(body) - 1)))


def test_reading_stops_at_the_limit() -> None:
    reader = Pieces(b"aa", b"aa", b"aa", b"aa")
    with pytest.raises(ContentTooLarge):
        run(read_whole(reader, 3))
    assert reader.reads == 2


def test_a_client_that_leaves_never_looks_like_the_end() -> None:
    with pytest.raises(ClientDisconnected):
        run(read_whole(Pieces(b"a", b"b", leaves=True), 9))
    with pytest.raises(ClientDisconnected):
        run(read_whole(Pieces(leaves=True), 9))


def test_a_stream_raises_again_what_it_has_raised() -> None:
    """A handler that catches it and goes on must not find a body that ended well."""
    stream = BodyStream(Pieces(b"a", leaves=True), 9)
    for _ in range(2):
        with pytest.raises(ClientDisconnected):
            run(collect(stream))
    stream = BodyStream(Pieces(b"aa", b"b"), 1)
    for _ in range(2):
        with pytest.raises(ContentTooLarge):
            run(collect(stream))


def test_a_stream_can_be_left_and_taken_up_again() -> None:
    stream = BodyStream(Pieces(b"a", b"b"), 9)
    assert run(anext(stream)) == b"a"
    assert run(collect(stream)) == [b"b"]


def test_a_stream_that_has_ended_reads_no_more() -> None:
    reader = Pieces(b"a")
    stream = BodyStream(reader, 9)
    assert run(collect(stream)) == [b"a"]
    reads = reader.reads
    assert run(collect(stream)) == []
    assert reader.reads == reads


@pytest.mark.parametrize("announced", [b"11", b"0011", b" 11 ", b"100", b"9" * 10_000])
def test_an_announced_size_beyond_the_limit_is_refused_unread(announced: bytes) -> None:
    with pytest.raises(ContentTooLarge, match="larger than 10 bytes"):
        check_announced([(b"host", b"a"), (b"content-length", announced)], 10)


@pytest.mark.parametrize("announced", [b"10", b"0", b"000000000010", b"", b"-11", b"x", b"99x"])
def test_an_announced_size_within_the_limit_or_none_says_nothing(announced: bytes) -> None:
    """What is no number is the server's to refuse; the bytes are counted in any case."""
    check_announced([(b"content-length", announced)], 10)
    check_announced([(b"x-length", b"11")], 10)
    check_announced([], 10)
