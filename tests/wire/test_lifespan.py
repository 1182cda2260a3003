"""The lifespan of an app, and the deferred work that is pending at the end."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.table.kit import Ask
from tests.wire.conftest import Serve, served_by
from tests.wire.diary import Diary
from tests.wire.raw import fetch
from tests.wire.runs import as_dict, as_list
from tests.wire.servers import EVERY_KIND, UWSGI, UWSGI_THREADS, Server, until


def listens(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except OSError:
        return False
    return True


# uWSGI without threads runs deferred work before it closes the connection.
WITH_DEFERRED_WORK_AFTERWARDS = served_by(*[kind for kind in EVERY_KIND if kind is not UWSGI])


@served_by(*[kind for kind in EVERY_KIND if kind not in (UWSGI, UWSGI_THREADS)])
@pytest.mark.parametrize("lifespan", ["asynchronous", "synchronous"])
def test_is_entered_before_the_first_request_and_left_at_the_end(lifespan: str, serve: Serve) -> None:
    diary = Diary(serve, lifespan)
    assert fetch(diary.server.port, Ask(), "/text").text == "hello"
    assert diary.lines == ["entered"]
    diary.server.terminate()
    diary.server.wait()
    assert diary.lines == ["entered", "left"]


@served_by(UWSGI, UWSGI_THREADS)
@pytest.mark.parametrize("lifespan", ["asynchronous", "synchronous"])
def test_uwsgi_leaves_it_unless_a_request_is_running(lifespan: str, serve: Serve) -> None:
    """One counts as running for a moment after its client has the answer: Python would not be told of the end."""
    diary = Diary(serve, lifespan)
    assert fetch(diary.server.port, Ask(), "/text").text == "hello"
    until_no_request_runs(diary.server)
    diary.server.terminate()
    diary.server.wait()
    assert diary.lines == ["entered", "left"]


def until_no_request_runs(server: Server) -> None:
    """uWSGI tells Python nothing of the end while one does."""
    if server.kind in (UWSGI, UWSGI_THREADS):
        until(lambda: workers_of(server) == {"idle"}, "the request to end", server)


def workers_of(server: Server) -> set[str]:
    """What uWSGI says that its workers do."""
    received = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.directory / f"stats-{server.port}.sock"))
        while data := connection.recv(65536):
            received += data
    return {str(as_dict(worker)["status"]) for worker in as_list(as_dict(json.loads(received))["workers"])}


@pytest.mark.parametrize("lifespan", ["failing", "failing synchronously"])
def test_a_startup_that_fails_is_reported_and_nothing_is_served(lifespan: str, serve: Serve) -> None:
    diary = Diary(serve, lifespan)
    until(lambda: not diary.server.is_running, "the server to give up", diary.server)
    assert not listens(diary.server)
    assert "the database is away" in diary.server.output


@WITH_DEFERRED_WORK_AFTERWARDS
def test_deferred_work_is_awaited_at_the_shutdown(serve: Serve) -> None:
    """SPEC 5; and before the lifespan is left, so that it has what the startup has made."""
    diary = Diary(serve, "asynchronous")
    assert fetch(diary.server.port, Ask(), "/defer").status == 200
    until(lambda: "deferred call has begun" in diary.lines, "the deferred call to begin", diary.server)
    until_no_request_runs(diary.server)
    diary.server.terminate()
    Path(f"{diary.path}.go").touch()
    diary.server.wait()
    assert diary.lines == ["entered", "deferred call has begun", "deferred call has ended", "left"]


@WITH_DEFERRED_WORK_AFTERWARDS
def test_deferred_work_that_is_lost_is_logged_by_name(serve: Serve) -> None:
    """SPEC 5: when the deadline is over, it is cancelled."""
    diary = Diary(serve, "asynchronous", deadline="0.1")
    assert fetch(diary.server.port, Ask(), "/defer-forever").status == 200
    until(lambda: "deferred call has begun" in diary.lines, "the deferred call to begin", diary.server)
    until_no_request_runs(diary.server)
    diary.server.terminate()
    diary.server.wait()
    assert "deferred call never_ends is lost: it had not ended 0.1 s after the shutdown began" in diary.server.output
    assert diary.lines == ["entered", "deferred call has begun", "left"]
