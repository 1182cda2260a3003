"""Several requests on one connection: in step whatever happens, and closed where it has to be."""

from __future__ import annotations

from tests.table.kit import LIMIT
from tests.wire.conftest import Serve, served_by
from tests.wire.raw import Raw, read_answers, write_request
from tests.wire.runs import Run
from tests.wire.servers import GUNICORN_THREADS, KINDS, UVICORN_HTTPTOOLS, WAITRESS, Kind

# Of the servers of WSGI, those that keep connections; what else is here is theirs.
KEEPING = served_by(*KINDS, GUNICORN_THREADS, WAITRESS)


@KEEPING
def test_a_connection_serves_many(serve: Serve) -> None:
    with Raw(serve("everything").port) as raw:
        for _ in range(3):
            raw.send(write_request("GET", "/text"))
            assert raw.read_answer().text == "grüß dich"
            raw.send(write_request("HEAD", "/data"))
            assert raw.read_answer("HEAD").body == b""


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """RFC 9112 §9.3.2."""
    asked = ["/text", "/async-stream", "/failing-handler", "/nowhere", "/file", "/no-content", "/json-list"]
    requests = [write_request("GET", path) for path in asked[:-1]]
    with Raw(serve("everything").port) as raw:
        raw.send(b"".join([*requests, write_request("GET", asked[-1], [("Connection", "close")])]))
        answers = read_answers(raw.read_until_closed(), ["GET"] * len(asked))
    assert [answer.status for answer in answers] == [200, 200, 500, 404, 200, 204, 200]
    assert answers[1].body == b"onezw\xc3\xb6\x00\xff"
    assert answers[-1].body == b'["a",{"b":[]}]'
    assert all(answer.whole for answer in answers)


def test_res_close_ends_the_connection(serve: Serve) -> None:
    """RFC 9112 §9.6: the answer says so."""
    with Raw(serve("everything").port) as raw:
        raw.send(write_request("GET", "/close"))
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.text == "last"
    assert answer.hop["connection"].lower() == "close"


def test_res_close_holds_for_http_1_0_with_keep_alive(serve: Serve) -> None:
    with Raw(serve("everything").port) as raw:
        raw.send(write_request("GET", "/close", [("Connection", "keep-alive")], version="1.0"))
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.text == "last"


@KEEPING
def test_http_1_0_gets_a_stream_that_ends_with_the_connection(serve: Serve, kind: Kind) -> None:
    """RFC 9112 §6.1: no Transfer-Encoding to a client that does not know it."""
    with Raw(serve("everything").port) as raw:
        raw.send(write_request("GET", "/async-stream", version="1.0"))
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.body == b"onezw\xc3\xb6\x00\xff"
    # uvicorn with httptools sends chunks all the same.
    assert ("transfer-encoding" in answer.hop) is (kind is UVICORN_HTTPTOOLS)


@KEEPING
def test_deferred_work_does_not_delay_the_next_request_on_the_connection(serve: Serve) -> None:
    """SPEC 5: here it waits for that very request."""
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/slow-deferred", list(run.headers.items())))
        assert raw.read_answer().text == "answered"
        run.wait_for_notes(["waiting"])
        raw.send(write_request("GET", f"/go?run={run.name}"))
        assert raw.read_answer().text == '{"gone":true}'
    run.wait_for("complete 200", ["waiting", "go", "done"])


# Uploads


def test_an_upload_that_says_that_it_is_too_large_is_refused_unread(serve: Serve) -> None:
    """SPEC 2: 413 as soon as Content-Length has come; not a byte of the body has."""
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        head = write_request("POST", "/take", [*run.headers.items(), ("Content-Length", str(LIMIT + 1))])
        raw.send(head)
        answer = raw.read_answer("POST")
        assert answer.status == 413
    run.wait_for("complete 413", [])


@KEEPING
def test_after_a_refused_upload_the_connection_is_in_step(serve: Serve) -> None:
    """What is left of the body is never taken for a request: it is drained, or the connection closed."""
    with Raw(serve("everything").port) as raw:
        raw.send(write_request("POST", "/take", body=b"GET /close HTTP/1.1\r\n\r\n" * 100))
        assert raw.read_answer("POST").status == 413
        try:
            raw.send(write_request("GET", "/json-list", [("Connection", "close")]))
        except ConnectionError:
            return
        for answer in read_answers(raw.read_until_closed(), ["GET"]) if raw.read_some() else []:
            assert answer.body == b'["a",{"b":[]}]'


@KEEPING
def test_a_chunked_upload_that_is_too_large_is_refused(serve: Serve) -> None:
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request("POST", "/take", [*run.headers.items(), ("Transfer-Encoding", "chunked")]))
        raw.send(b"200\r\n%b\r\n" % (b"x" * 512) * 2 + b"0\r\n\r\n")
        assert raw.read_answer("POST").status == 413
    run.wait_for("complete 413", [])


@KEEPING
def test_a_chunked_upload_arrives_whole(serve: Serve) -> None:
    with Raw(serve("everything").port) as raw:
        raw.send(write_request("POST", "/take", [("Transfer-Encoding", "chunked")]))
        for piece in (b"3\r\nabc\r\n", b"4\r\ndefg\r\n", b"0\r\n\r\n"):
            raw.send(piece)
        assert raw.read_answer("POST").text == "7 bytes"


@KEEPING
def test_expect_100_continue_is_answered(serve: Serve) -> None:
    """RFC 9110 §10.1.1."""
    with Raw(serve("everything").port) as raw:
        raw.send(write_request("POST", "/take", [("Expect", "100-continue"), ("Content-Length", "3")]))
        raw.read_until(b"HTTP/1.1 100")
        raw.send(b"abc")
        assert raw.read_answer("POST").text == "3 bytes"


def test_a_client_that_leaves_in_the_middle_of_an_upload_never_runs_the_handler(serve: Serve) -> None:
    """SPEC 2: it never looks like the end of the body."""
    server = serve("everything")
    for leave in (Raw.close, Raw.reset):
        run = Run(server)
        with Raw(server.port) as raw:
            raw.send(write_request("POST", "/take", [*run.headers.items(), ("Content-Length", "100")]) + b"only some")
            run.wait_until_known()
            leave(raw)
        run.wait_for("disconnected 200", [])


def test_a_handler_that_reads_an_upload_learns_that_the_client_has_left(serve: Serve) -> None:
    """Its loop raises, and does not end."""
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request("POST", "/take-stream", [*run.headers.items(), ("Content-Length", "100")]) + b"some")
        run.wait_for_notes(["handler", "piece"])
        raw.close()
    run.wait_for("disconnected 200", ["handler", "piece", "ClientDisconnected"])


def test_an_upload_is_answered_while_it_is_read(serve: Serve) -> None:
    """Piece by piece; the watch for the client's leaving takes nothing of it."""
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request("POST", "/echo", [*run.headers.items(), ("Transfer-Encoding", "chunked")]))
        for piece in (b"abc", b"def"):
            raw.send(b"3\r\n%b\r\n" % piece)
            raw.read_until(piece.upper())
        raw.send(b"0\r\n\r\n")
        assert raw.read_answer("POST").text == "<ABCDEF"
    run.wait_for("complete 200", ["closed"])


def test_a_client_that_leaves_an_upload_that_is_being_answered(serve: Serve) -> None:
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request("POST", "/echo", [*run.headers.items(), ("Transfer-Encoding", "chunked")]))
        raw.send(b"3\r\nabc\r\n")
        raw.read_until(b"ABC")
    run.wait_for("disconnected 200", ["closed"])
