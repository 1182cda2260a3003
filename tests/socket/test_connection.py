"""The server's side of HTTP/1.1 without I/O: bytes in, requests and refusals out; responses in, bytes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from heaven_core import ClientDisconnected, LocalProtocolError
from heaven_socket import CONTINUE, Connection, Limits, RemoteProtocolError, RequestHead
from tests.socket.bad_requests import BAD_BODIES, BAD_HEADS, SMUGGLING, Bad

each_lane = pytest.mark.parametrize("fast_lane", [True, False], ids=["fast", "h11"])


def feed(connection: Connection, data: bytes, pieces: int) -> Iterator[None]:
    """Hand in `data` in pieces of this size; 0 for all of it. The connection may be asked after each."""
    for start in range(0, len(data), pieces or len(data)):
        connection.receive_data(data[start : start + (pieces or len(data))])
        yield


def read(data: bytes, pieces: int = 0, fast_lane: bool = True, limits: Limits | None = None) -> list[object]:
    """What a server makes of all that a client sends: heads, bodies, and the status that ends it."""
    connection = Connection(limits, fast_lane=fast_lane)
    made: list[object] = []
    body = b""
    for _ in feed(connection, data, pieces):
        try:
            while True:
                if connection.head is None:
                    head = connection.next_head()
                    if head is None:
                        break
                    made.append(head)
                    body = b""
                piece = connection.next_piece()
                if piece is None:
                    break
                body += piece
                if not piece:
                    made.append(body)
                    connection.send_head(204, [], 0)
                    connection.send_end()
                    if not connection.keep_alive:
                        return made
                    connection.start_next_cycle()
        except RemoteProtocolError as error:
            return [*made, error.status]
    return made


def plain(method: str = "GET", path: bytes = b"/", version: str = "1.1", keep_alive: bool = True) -> RequestHead:
    return RequestHead(method, path, path, b"", ((b"host", b"test"),), version, 0, keep_alive, False)


def same(made: Sequence[object]) -> list[object]:
    """With the field lines as tuples, whoever has read them."""
    return [
        RequestHead(
            one.method, one.target, one.path, one.query, tuple(one.fields), one.http_version, one.length,
            one.keep_alive, one.expects,
        )
        if isinstance(one, RequestHead)
        else one
        for one in made
    ]  # fmt: skip


# Requests


@each_lane
@pytest.mark.parametrize("pieces", [0, 1, 2, 3, 7])
def test_a_request_in_any_pieces(pieces: int, fast_lane: bool) -> None:
    assert same(read(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", pieces, fast_lane)) == [plain(), b""]


@each_lane
@pytest.mark.parametrize("pieces", [0, 1, 5])
def test_pipelined_requests_with_bodies(pieces: int, fast_lane: bool) -> None:
    """RFC 9112 §9.3.2."""
    data = (
        b"POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"
        b"GET /b HTTP/1.1\r\nHost: test\r\n\r\n"
        b"POST /c HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nde\r\n1;x=y\r\nf\r\n0\r\nX-T: z\r\n\r\n"
        b"GET /d HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        b"GET /never HTTP/1.1\r\nHost: test\r\n\r\n"
    )
    made = read(data, pieces, fast_lane)
    assert [one.target for one in made if isinstance(one, RequestHead)] == [b"/a", b"/b", b"/c", b"/d"]
    assert [one for one in made if not isinstance(one, RequestHead)] == [b"abc", b"", b"def", b""]


@each_lane
@pytest.mark.parametrize("empty", [b"\r\n", b"\n", b"\r\n\r\n\n"])
@pytest.mark.parametrize("pieces", [0, 1])
def test_empty_lines_before_a_request_are_skipped(pieces: int, empty: bytes, fast_lane: bool) -> None:
    """RFC 9112 §2.2; h11 refuses them."""
    data = empty + b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    assert same(read(data * 2, pieces, fast_lane)) == [plain(), b""] * 2


@each_lane
@pytest.mark.parametrize("pieces", [0, 1])
def test_a_line_may_end_with_a_bare_lf(pieces: int, fast_lane: bool) -> None:
    """RFC 9112 §2.2: a recipient may take it for a line's end. What follows the blank line is the next request's."""
    data = b"GET / HTTP/1.1\nHost: test\n\nGET /b HTTP/1.1\r\nHost: test\r\n\r\n"
    assert same(read(data, pieces, fast_lane)) == [plain(), b"", plain(path=b"/b"), b""]


@each_lane
def test_the_target_in_absolute_form_takes_the_place_of_host(fast_lane: bool) -> None:
    """RFC 9112 §3.2.2: whatever Host says, be it no host at all."""
    [head, _] = read(b"GET http://other:81/x?y=1 HTTP/1.1\r\nX: 1\r\nHost: u@test/\r\n\r\n", fast_lane=fast_lane)
    assert isinstance(head, RequestHead)
    assert (head.path, head.query, dict(head.fields)[b"host"]) == (b"/x", b"y=1", b"other:81")


@each_lane
@pytest.mark.parametrize(
    ("line", "path"), [(b"OPTIONS * HTTP/1.1", b"*"), (b"CONNECT test:443 HTTP/1.1", b"*"), (b"GET /* HTTP/1.1", b"/*")]
)
def test_the_other_forms_of_a_target(line: bytes, path: bytes, fast_lane: bool) -> None:
    """RFC 9112 §3.2.3, §3.2.4."""
    [head, _] = read(line + b"\r\nHost: test\r\n\r\n", fast_lane=fast_lane)
    assert isinstance(head, RequestHead)
    assert head.path == path


@each_lane
@pytest.mark.parametrize("host", [b"test", b"test:8000", b"[::1]:8000", b"127.0.0.1:60001", b"TEST.example."])
def test_hosts_that_are_hosts(host: bytes, fast_lane: bool) -> None:
    [head, _] = read(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host, fast_lane=fast_lane)
    assert isinstance(head, RequestHead)
    assert list(head.fields) == [(b"host", host)]


@each_lane
def test_http_1_0_may_do_without_host(fast_lane: bool) -> None:
    [head, _] = read(b"GET / HTTP/1.0\r\n\r\n", fast_lane=fast_lane)
    assert isinstance(head, RequestHead)
    assert (head.http_version, list(head.fields)) == ("1.0", [])


@each_lane
@pytest.mark.parametrize(
    ("version", "field", "keep_alive"),
    [
        ("1.1", b"", True),
        ("1.1", b"Connection: close\r\n", False),
        ("1.1", b"Connection: Upgrade, CLOSE\r\n", False),
        ("1.1", b"Connection: x\r\nConnection: close\r\n", False),
        ("1.1", b"Connection: keep-alive\r\n", True),
        ("1.2", b"", True),
        ("1.0", b"", False),
        ("1.0", b"Connection: keep-alive\r\n", True),
        ("1.0", b"Connection: Keep-Alive, close\r\n", False),
    ],
)
def test_who_goes_on_with_a_connection(version: str, field: bytes, keep_alive: bool, fast_lane: bool) -> None:
    """RFC 9112 §9.3."""
    data = b"GET / HTTP/%s\r\nHost: test\r\n%s\r\n" % (version.encode(), field)
    [head, _] = read(data, fast_lane=fast_lane)
    assert isinstance(head, RequestHead)
    assert head.keep_alive is keep_alive


@each_lane
def test_a_length_that_is_given_twice_but_equal_is_one(fast_lane: bool) -> None:
    """RFC 9110 §8.6: a recipient may take it so."""
    made = read(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3, 3\r\n\r\nabc", fast_lane=fast_lane)
    assert made[1] == b"abc"


# What is refused


@each_lane
@pytest.mark.parametrize("pieces", [0, 1, 1000])
@pytest.mark.parametrize("bad", [*BAD_HEADS, *SMUGGLING], ids=lambda bad: bad.name)
def test_a_head_that_is_refused(bad: Bad, pieces: int, fast_lane: bool) -> None:
    if pieces == 1 and len(bad.data) > 30_000:
        pieces = 1000
    made = read(bad.data, pieces, fast_lane)
    assert made == [bad.status]


@pytest.mark.parametrize("pieces", [0, 1, 1000])
@pytest.mark.parametrize("bad", BAD_BODIES, ids=lambda bad: bad.name)
def test_a_body_that_is_refused(bad: Bad, pieces: int) -> None:
    if pieces == 1 and len(bad.data) > 30_000:
        pieces = 1000
    head, *status = read(bad.data, pieces)
    assert isinstance(head, RequestHead)
    assert status == [bad.status]


def test_the_answer_to_a_refusal_is_whole() -> None:
    connection = Connection()
    connection.receive_data(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(RemoteProtocolError) as raised:
        connection.next_head()
    page = f"{raised.value}\n".encode()
    assert connection.refuse(raised.value, [(b"date", b"now")]) == (
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n"
        b"content-length: %d\r\ndate: now\r\nconnection: close\r\n\r\n%s" % (len(page), page)
    )
    assert not connection.keep_alive


def test_a_refusal_says_nothing_into_a_response_that_has_begun() -> None:
    connection = asked(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n")
    connection.send_head(200, [], 5)
    assert connection.refuse(RemoteProtocolError("what came")) == b""


@each_lane
def test_an_end_in_the_middle_of_a_head(fast_lane: bool) -> None:
    connection = Connection(fast_lane=fast_lane)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: te")
    assert connection.next_head() is None
    connection.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="middle"):
        connection.next_head()


@pytest.mark.parametrize("framing", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
def test_an_end_in_the_middle_of_a_body(framing: bytes) -> None:
    """It never looks like the end of the body."""
    connection = asked(b"POST / HTTP/1.1\r\nHost: test\r\n%s\r\n\r\n" % framing)
    assert connection.next_piece() is None
    connection.receive_data(b"")
    connection.receive_data(b"")  # may be said twice
    for _ in range(2):
        with pytest.raises(ClientDisconnected):
            connection.next_piece()


@each_lane
def test_after_a_refusal_nothing_can_be_read_any_more(fast_lane: bool) -> None:
    """What follows it on the connection is nobody's request, whoever asks again."""
    connection = Connection(fast_lane=fast_lane)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\nGET /next HTTP/1.1\r\nHost: test\r\n\r\n")
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            connection.next_head()
    assert not connection.keep_alive


def test_after_a_bad_chunk_nothing_can_be_read_any_more() -> None:
    """But what came before it is handed out."""
    connection = asked(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\nx\r\n")
    assert connection.next_piece() == b"ab"
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            connection.next_piece()
    connection.send_head(400, [], 0)
    connection.send_end()
    assert not connection.keep_alive
    with pytest.raises(LocalProtocolError):
        connection.start_next_cycle()


def test_many_small_chunks_are_one_piece() -> None:
    connection = asked(b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1000)
    assert connection.next_piece() == b"a" * 1000
    connection.receive_data(b"0\r\n\r\n")
    assert connection.next_piece() == b""
    assert connection.is_read


# Responses


def asked(data: bytes = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n") -> Connection:
    connection = Connection()
    connection.receive_data(data)
    assert connection.next_head() is not None
    return connection


def test_a_body_of_known_length() -> None:
    connection = asked()
    assert connection.send_head(200, [(b"content-length", b"5")], 5) == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    assert connection.send_body([b"he", b"llo"]) == b"hello"
    assert connection.send_end() == b""
    assert connection.keep_alive


def test_a_body_of_unknown_length_comes_in_chunks_one_for_each_item() -> None:
    """RFC 9112 §7.1. An empty one would end the body."""
    connection = asked()
    assert connection.send_head(200, [], None) == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert connection.send_body([b"he", b"", b"llo"]) == b"2\r\nhe\r\n3\r\nllo\r\n"
    assert connection.send_body([]) == b""
    assert connection.send_end() == b"0\r\n\r\n"
    assert connection.keep_alive


def test_to_http_1_0_the_end_of_the_connection_is_that_of_the_body() -> None:
    """RFC 9112 §6.3; so it has to be reset where the body breaks off."""
    connection = asked(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert connection.send_head(200, [], None) == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    assert connection.send_body([b"he", b"llo"]) == b"hello"
    assert connection.send_end() == b""
    assert (connection.keep_alive, connection.is_delimited) == (False, False)


def test_http_1_0_is_told_that_the_connection_lasts() -> None:
    """RFC 9112 §9.3: it would not expect that."""
    connection = asked(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"connection: keep-alive\r\n" in connection.send_head(200, [(b"content-length", b"0")], 0)
    connection.send_end()
    connection.start_next_cycle()


@pytest.mark.parametrize(("asks", "close"), [(b"", True), (b"Connection: close\r\n", False)])
def test_a_connection_that_ends_says_so(asks: bytes, close: bool) -> None:
    """RFC 9112 §9.6."""
    connection = asked(b"GET / HTTP/1.1\r\nHost: test\r\n%s\r\n" % asks)
    assert connection.send_head(204, [], 0, close) == b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    assert connection.is_delimited
    assert connection.send_end() == b""
    with pytest.raises(LocalProtocolError):
        connection.start_next_cycle()


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("body", [b"", b"hello"])
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_whole_response_at_once_is_that_in_parts(data: bytes, body: bytes, close: bool) -> None:
    at_once, in_parts = asked(data), asked(data)
    fields = [(b"content-length", b"%d" % len(body))]
    written = in_parts.send_head(200, fields, len(body), close, [(b"date", b"now")])
    written += in_parts.send_body([body]) + in_parts.send_end()
    assert at_once.send_whole(200, fields, body, close, [(b"date", b"now")]) == written
    assert at_once.keep_alive is in_parts.keep_alive


def test_the_fields_of_the_server_follow_those_of_the_app() -> None:
    head = asked().send_head(200, [(b"x", b"1")], 0, server=[(b"date", b"now")])
    assert head == b"HTTP/1.1 200 OK\r\nx: 1\r\ndate: now\r\n\r\n"


# 100 Continue

EXPECTS = b"POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"


def test_a_client_that_waits_is_told_to_go_on() -> None:
    """RFC 9110 §10.1.1."""
    connection = asked(EXPECTS)
    waits = [connection.awaits_continue]
    assert CONTINUE == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.next_piece() is None
    assert [*waits, connection.awaits_continue] == [True, False]
    connection.receive_data(b"abc")
    assert connection.next_piece() == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        EXPECTS + b"a",
        EXPECTS.replace(b"HTTP/1.1", b"HTTP/1.0"),
        EXPECTS.replace(b"100-continue", b"something"),
        EXPECTS.replace(b"Content-Length: 3\r\n", b""),
        EXPECTS.replace(b"Content-Length: 3", b"Content-Length: 0"),
    ],
)
def test_a_client_that_does_not_wait(data: bytes) -> None:
    """It has begun to send, speaks HTTP/1.0, expects something else, or has nothing to send."""
    assert not asked(data).awaits_continue


def test_whoever_answers_without_the_body_ends_the_connection() -> None:
    """Nobody can know whether the client sends it all the same."""
    connection = asked(EXPECTS)
    assert b"connection: close" in connection.send_head(417, [], 0)
    assert not connection.awaits_continue


# Bodies that nobody reads


@pytest.mark.parametrize(
    ("framing", "begun", "keep_alive"),
    [
        (b"Content-Length: 3", False, True),
        (b"Content-Length: 65536", False, True),
        (b"Content-Length: 65537", False, False),
        (b"Content-Length: 65537", True, False),
        (b"Content-Length: 3", True, True),
        (b"Transfer-Encoding: chunked", False, False),
        (b"Transfer-Encoding: chunked", True, False),
    ],
)
def test_a_large_body_that_is_not_read_to_its_end_ends_the_connection(
    framing: bytes, begun: bool, keep_alive: bool
) -> None:
    """To read what nobody wants costs both more than a new connection; and the head has to say so (RFC 9112 §9.6)."""
    connection = asked(b"POST / HTTP/1.1\r\nHost: test\r\n%s\r\n\r\n" % framing)
    if begun:
        assert connection.next_piece() is None
    assert (b"connection: close" not in connection.send_head(200, [], 0)) is keep_alive
    assert connection.keep_alive is keep_alive


# Misuse


def test_what_is_called_out_of_turn() -> None:
    connection = Connection()
    for call in (
        connection.next_piece,
        connection.send_end,
        connection.start_next_cycle,
        lambda: connection.send_head(200, [], 0),
        lambda: connection.send_body([b"x"]),
    ):
        with pytest.raises(LocalProtocolError, match="out of turn: no head has been read"):
            call()
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n")
    connection.next_head()
    with pytest.raises(LocalProtocolError, match="no response has begun; call start_next_cycle"):
        connection.next_head()
    connection.send_head(200, [], 0)
    with pytest.raises(LocalProtocolError, match="one response for each request"):
        connection.send_head(200, [], 0)
    connection.send_end()
    with pytest.raises(LocalProtocolError, match="the request to be read"):
        connection.start_next_cycle()


def test_a_body_of_another_length_than_its_head_has_said() -> None:
    """It would put the next response out of step (RFC 9112 §6.3)."""
    connection = asked()
    connection.send_head(200, [(b"content-length", b"3")], 3)
    connection.send_body([b"ab"])
    with pytest.raises(LocalProtocolError, match="1 bytes of what the head has said are missing"):
        connection.send_end()
    with pytest.raises(LocalProtocolError, match="more bytes than its head has said"):
        connection.send_body([b"cd"])


def test_a_body_that_goes_by_another_way_counts() -> None:
    connection = asked()
    connection.send_head(200, [(b"content-length", b"3")], 3)
    connection.count_sent(3)
    assert connection.send_end() == b""


def test_what_would_forge_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="forge"):
        asked().send_head(200, [(b"x", b"1\r\ny: 2")], 0)
