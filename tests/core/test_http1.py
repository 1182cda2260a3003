"""HTTP/1.1 on the wire, read back by h11: RFC 9112."""

from __future__ import annotations

from http import HTTPStatus

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.http1 import LAST_CHUNK, write_chunk, write_head
from heaven_core.http.reason_phrases import REASON_PHRASES

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.!~", min_size=1, max_size=12).map(
    lambda name: f"x-{name}".encode()
)
VALUES = st.from_regex(r"([!-~]([ -~]{0,20}[!-~])?)?", fullmatch=True).map(str.encode)


def client() -> h11.Connection:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "example.com")]))
    connection.send(h11.EndOfMessage())
    return connection


def read_body(connection: h11.Connection) -> bytes:
    body = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.EndOfMessage):
            return body
        assert isinstance(event, h11.Data), event
        body += event.data


def test_a_head_is_a_status_line_field_lines_and_an_empty_line() -> None:
    """RFC 9112 §2.1 and §4."""
    head = write_head(200, [(b"content-type", b"text/plain"), (b"x-a", b"")])
    assert head == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-a: \r\n\r\n"


@given(st.lists(st.tuples(TOKENS, VALUES), max_size=8), st.sampled_from([s for s in HTTPStatus if s >= 200]))
def test_h11_reads_back_what_was_written(fields: list[tuple[bytes, bytes]], status: HTTPStatus) -> None:
    """RFC 9112 §4 and §5: status, reason, and every field line in its order."""
    connection = client()
    connection.receive_data(write_head(status, fields))
    response = connection.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == status
    assert response.reason == REASON_PHRASES[status].encode()
    assert list(response.headers) == fields


def test_an_interim_response_is_written_the_same_way() -> None:
    """RFC 9110 §15.2: 100 (Continue), before the response proper."""
    connection = client()
    connection.receive_data(write_head(100, []))
    assert isinstance(connection.next_event(), h11.InformationalResponse)


def test_an_unknown_status_has_an_empty_phrase_after_its_blank() -> None:
    """RFC 9112 §4: a server MUST send the space even when the reason-phrase is absent."""
    assert write_head(299, []) == b"HTTP/1.1 299 \r\n\r\n"


@pytest.mark.parametrize(("reason", "line"), [("Fine", b"HTTP/1.1 200 Fine"), ("", b"HTTP/1.1 200 ")])
def test_a_reason_of_ones_own_is_taken(reason: str, line: bytes) -> None:
    """RFC 9112 §4."""
    assert write_head(200, [], reason=reason) == line + b"\r\n\r\n"


@pytest.mark.parametrize("status", [-200, 0, 99, 1000])
def test_a_status_of_other_than_three_digits_is_refused(status: int) -> None:
    """RFC 9112 §4: status-code = 3DIGIT."""
    with pytest.raises(ValueError, match="a status has three digits"):
        write_head(status, [])


def test_a_reason_beyond_ascii_is_refused() -> None:
    """RFC 9112 §4: obs-text has no agreed meaning."""
    with pytest.raises(ValueError, match="beyond ASCII"):
        write_head(200, [], reason="schön")


@pytest.mark.parametrize("bad", [b"\r", b"\n", b"\0", b"a\r\nset-cookie: x=1", b"\r\n\r\n<html>"])
def test_no_cr_lf_or_nul_passes_in_a_name_or_value(bad: bytes) -> None:
    """RFC 9110 §5.5 and RFC 9112 §2.2: another line, or another response, could be forged."""
    for field in ((b"x-a", bad), (bad, b"x")):
        with pytest.raises(ValueError, match="would forge another line"):
            write_head(200, [(b"x-first", b"1"), field])


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "OK\r\nset-cookie: x=1"])
def test_no_cr_lf_or_nul_passes_in_a_reason(bad: str) -> None:
    """RFC 9112 §4."""
    with pytest.raises(ValueError, match="would forge another line"):
        write_head(200, [], reason=bad)


def test_a_chunk_has_its_size_in_hexadecimal() -> None:
    """RFC 9112 §7.1."""
    assert write_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_empty_data_makes_no_chunk_since_it_would_end_the_body() -> None:
    """RFC 9112 §7.1: a chunk of size zero is the last."""
    assert write_chunk(b"") == b""


@given(st.lists(st.binary(max_size=40)))
def test_h11_reads_back_chunks_and_their_end(pieces: list[bytes]) -> None:
    """RFC 9112 §7.1."""
    connection = client()
    wire = write_head(200, [(b"transfer-encoding", b"chunked")])
    wire += b"".join(map(write_chunk, pieces)) + LAST_CHUNK
    connection.receive_data(wire)
    assert isinstance(connection.next_event(), h11.Response)
    assert read_body(connection) == b"".join(pieces)
    assert connection.trailing_data == (b"", False)


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (413, b"Content Too Large"),
        (414, b"URI Too Long"),
        (416, b"Range Not Satisfiable"),
        (422, b"Unprocessable Content"),
        (431, b"Request Header Fields Too Large"),
    ],
)
def test_a_phrase_is_that_of_the_rfc(status: int, phrase: bytes) -> None:
    """RFC 9110 §15, RFC 6585: whatever Python's version calls it."""
    assert write_head(status, []) == b"HTTP/1.1 %d %s\r\n\r\n" % (status, phrase)
