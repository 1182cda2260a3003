"""What the servers of WSGI do with a bridge that does its part: clients that leave, workers that die, ends, files."""

from __future__ import annotations

import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.table.kit import Ask
from tests.wire.conftest import Serve, served_by
from tests.wire.diary import Diary
from tests.wire.raw import Raw, fetch, read_answers, write_request
from tests.wire.runs import Run
from tests.wire.servers import GUNICORN, GUNICORN_THREADS, UWSGI_THREADS, WAITRESS, Kind, Server, until

MIB = 1024 * 1024


def has_lost_its_client(run: Run) -> bool:
    return run.outcome == "disconnected 200"


class TestClients:
    """A server hears that its client has left when it writes, and not before."""

    @served_by(GUNICORN_THREADS, UWSGI_THREADS)
    @pytest.mark.parametrize("way", ["close", "reset"])
    @pytest.mark.parametrize(
        ("path", "first"),
        [("/endless", b"xxxx"), ("/endless-sync", b"xxxx"), ("/heartbeats", b":\n\n")],
    )
    def test_a_stream_is_closed_when_its_client_has_left(self, path: str, first: bytes, way: str, serve: Serve) -> None:
        server = serve("everything")
        run = Run(server)
        with Raw(server.port) as raw:
            raw.send(write_request("GET", path, list(run.headers.items())))
            raw.read_until(first)
            if way == "close":
                raw.close()
            else:
                raw.reset()
        run.wait_for("disconnected 200", ["closed", "always"])

    @served_by(WAITRESS)
    @pytest.mark.parametrize(("path", "first"), [("/endless", b"xxxx"), ("/heartbeats", b":\n\n")])
    def test_waitress_hears_it_too(self, path: str, first: bytes, serve: Serve) -> None:
        server = serve("everything")
        run = Run(server)
        with Raw(server.port) as raw:
            raw.send(write_request("GET", path, list(run.headers.items())))
            raw.read_until(first)
        run.wait_for("disconnected 200", ["closed", "always"])

    @served_by(GUNICORN_THREADS, UWSGI_THREADS, WAITRESS)
    def test_one_that_stays_gets_heartbeats(self, serve: Serve) -> None:
        with Raw(serve("everything").port) as raw:
            raw.send(write_request("GET", "/heartbeats"))
            raw.read_until(b"data: first\n\n")
            while raw.received.count(b":\n\n") < 3:
                assert raw.read_some()

    @served_by(GUNICORN_THREADS, UWSGI_THREADS, WAITRESS)
    def test_the_head_of_a_silent_event_stream_goes_out(self, kind: Kind, serve: Serve) -> None:
        """With the first heartbeat: a server sends it with the first bytes of a body (PEP 3333)."""
        with Raw(serve("everything").port) as raw:
            raw.send(write_request("GET", "/heartbeats"))
            head = raw.read_until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert b"text/event-stream" in head

    @served_by(GUNICORN, GUNICORN_THREADS, UWSGI_THREADS)
    @pytest.mark.parametrize("path", ["/take", "/take-stream"])
    def test_one_that_leaves_in_the_middle_of_an_upload(self, path: str, serve: Serve) -> None:
        """SPEC 2: it never looks like the end of the body. waitress asks the app when it has all of it."""
        server = serve("everything")
        for leave in (Raw.close, Raw.reset):
            run = Run(server)
            with Raw(server.port) as raw:
                raw.send(write_request("POST", path, [*run.headers.items(), ("Content-Length", "100")]) + b"only some")
                leave(raw)
            until(partial(has_lost_its_client, run), "the outcome", server)
            if path == "/take":
                assert run.notes == []
            else:
                assert (run.notes[0], run.notes[-1]) == ("handler", "ClientDisconnected")

    @served_by(GUNICORN, GUNICORN_THREADS)
    def test_chunks_that_are_none_are_a_400(self, serve: Serve) -> None:
        server = serve("everything")
        run = Run(server)
        with Raw(server.port) as raw:
            raw.send(write_request("POST", "/take", [*run.headers.items(), ("Transfer-Encoding", "chunked")]))
            raw.send(b"no chunk\r\n\r\n")
            assert raw.read_answer("POST").status == 400
        run.wait_for("complete 400", [])

    @served_by(UWSGI_THREADS)
    def test_a_body_in_chunks_that_the_server_does_not_take_apart_is_a_411(self, serve: Serve) -> None:
        with Raw(serve("everything").port) as raw:
            raw.send(write_request("POST", "/take", [("Transfer-Encoding", "chunked"), ("Connection", "close")]))
            assert raw.read_answer("POST").status == 411


@served_by(GUNICORN_THREADS, UWSGI_THREADS, WAITRESS)
def test_a_request_is_ones_own_also_after_its_response(serve: Serve) -> None:
    """uWSGI uses the environ of a thread again. What is read here, in deferred work, was not read before."""
    server = serve("everything")
    run = Run(server)
    fetch(server.port, Ask(), "/later", {**run.headers, "X-Secret": "alice", "Cookie": "who=alice"})
    until(lambda: "later" in run.notes, "the deferred call to begin", server)
    for _ in range(20):  # whichever thread it is
        fetch(server.port, Ask(), "/text", {"X-Secret": "mallory", "Cookie": "who=mallory"})
    fetch(server.port, Ask(), f"/go?run={run.name}")
    run.wait_for("complete 200", ["later", "go", "alice alice http://test/later"])


@served_by(GUNICORN_THREADS, GUNICORN)
def test_a_worker_that_is_killed_while_it_streams_shows_that_the_body_is_not_whole(serve: Serve) -> None:
    """And the next one serves."""
    server = serve("everything", fresh=True)
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/heartbeats"))
        raw.read_until(b"data: first\n\n")
        [worker] = children_of(server)
        os.kill(worker, signal.SIGKILL)
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.body.startswith(b"data: first\n\n")
    assert not answer.whole
    until(lambda: children_of(server) not in ([], [worker]), "another worker", server)
    assert fetch(server.port, Ask(), "/text").whole


def children_of(server: Server) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(child) for child in children.read_text().split()]


class TestShutdown:
    @pytest.mark.parametrize(
        ("kind", "started"),
        [
            # It serves in its main thread, which hears the signal.
            pytest.param(GUNICORN, {}, id="gunicorn-sync"),
            # Its requests are in other threads: `start()` has to listen, where the app is loaded.
            pytest.param(GUNICORN_THREADS, {"HEAVEN_TEST_START": "1"}, id="gunicorn-gthread"),
            pytest.param(WAITRESS, {"HEAVEN_TEST_START": "1"}, id="waitress"),
        ],
        indirect=["kind"],
    )
    def test_event_streams_end_in_order_at_a_signal(self, started: dict[str, str], serve: Serve) -> None:
        diary = Diary(serve, **started)
        with Raw(diary.server.port) as raw:
            raw.send(write_request("GET", "/events"))
            raw.read_until(b"data: one\n\n")
            diary.server.terminate()
            [answer] = read_answers(raw.read_until_closed(), ["GET"])
        diary.server.wait()
        assert answer.body == b"data: one\n\ndata: bye\n\n"
        assert answer.whole
        assert diary.lines == ["entered", "stream closed", "complete", "left"]

    @served_by(GUNICORN, GUNICORN_THREADS)
    @pytest.mark.parametrize("lifespan", ["failing", "failing synchronously"])
    def test_a_startup_that_fails_where_the_app_is_loaded_ends_the_server(self, lifespan: str, serve: Serve) -> None:
        diary = Diary(serve, lifespan, HEAVEN_TEST_START="1")
        until(lambda: not diary.server.is_running, "the server to give up", diary.server)
        assert "the database is away" in diary.server.output

    @served_by(GUNICORN, GUNICORN_THREADS)
    def test_one_that_fails_at_the_first_request_is_a_500(self, serve: Serve) -> None:
        diary = Diary(serve, "failing")
        assert fetch(diary.server.port, Ask(), "/text").status == 500
        assert "the database is away" in diary.server.output


class TestFiles:
    """Without the validator, behind which a server can't see that it is given a file."""

    @served_by(GUNICORN, GUNICORN_THREADS)
    def test_gunicorn_has_the_kernel_send_a_whole_file(self, serve: Serve) -> None:
        server = serve("everything", fresh=True, HEAVEN_TEST_BARE="1")
        size = 8 * MIB
        (server.directory / "big.bin").write_bytes(b"\x01" * size)
        run = Run(server)
        [worker] = children_of(server)
        before = reads_of(worker)
        answer = fetch(server.port, Ask(), "/big", run.headers)
        assert (len(answer.body), answer.whole) == (size, True)
        # Read by 128 KiB it would be 64 of them.
        assert reads_of(worker) - before < 30
        run.wait_for("complete 200", [])

    @served_by(GUNICORN, GUNICORN_THREADS)
    def test_a_file_that_shrinks_is_cut(self, serve: Serve) -> None:
        """SPEC 3: a short body never looks whole, and the next response never mixes into it."""
        server = serve("everything", fresh=True, HEAVEN_TEST_BARE="1")
        path = server.directory / "shrinks.bin"
        with path.open("wb") as file:
            file.truncate(64 * MIB)
        run = Run(server)
        with Raw(server.port) as raw:
            raw.send(write_request("GET", "/shrinks", list(run.headers.items())) + write_request("GET", "/text"))
            raw.read_until(b"\r\n\r\n")
            os.truncate(path, MIB)
            [answer] = read_answers(raw.read_until_closed(), ["GET"])
        assert answer.status == 200
        assert not answer.whole
        assert set(answer.body) == {0}
        run.wait_for("failed 200", [])

    @served_by(GUNICORN, GUNICORN_THREADS)
    def test_a_client_that_leaves_has_what_was_sent(self, serve: Serve) -> None:
        server = serve("everything", fresh=True, HEAVEN_TEST_BARE="1")
        with (server.directory / "big.bin").open("wb") as file:
            file.truncate(256 * MIB)
        run = Run(server)
        with Raw(server.port) as raw:
            raw.send(write_request("GET", "/big", list(run.headers.items())))
            raw.read_until(b"\r\n\r\n")
        run.wait_for("disconnected 200", [])


def reads_of(pid: int) -> int:
    """How often a process has asked for bytes of a file."""
    found = re.search(r"^syscr: (\d+)$", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])
