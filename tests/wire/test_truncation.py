"""A body that breaks off after the start: an HTTP/1.1 client can tell (RFC 9112 §8)."""

from __future__ import annotations

import os

import pytest

from tests.table.kit import Ask
from tests.wire.conftest import Serve, served_by
from tests.wire.raw import Raw, fetch, read_answers, write_request
from tests.wire.runs import Run
from tests.wire.servers import EVERY_KIND, GRANIAN, UWSGI, UWSGI_THREADS, Kind

# It delimits what has no length by closing, also to HTTP/1.1.
UNDELIMITED = (UWSGI, UWSGI_THREADS)


@served_by(*[kind for kind in EVERY_KIND if kind not in UNDELIMITED])
@pytest.mark.parametrize("path", ["/async-stream-that-fails", "/sync-stream-that-fails", "/shorter-than-promised"])
def test_items_yielded_before_the_break_arrive_and_the_body_is_not_whole(path: str, serve: Serve) -> None:
    """Chunked or with a length, and the next request, on a connection of its own, is answered as ever."""
    server = serve("everything")
    with Raw(server.port) as raw:
        raw.send(write_request("GET", path))  # no "Connection: close": the server closes, though it could go on
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.status == 200
    assert answer.body in (b"onetwo", b"four")
    assert not answer.whole
    assert fetch(server.port, Ask(), "/text").whole


@served_by(*UNDELIMITED)
def test_a_promised_length_shows_the_break_everywhere(serve: Serve) -> None:
    answer = fetch(serve("everything").port, Ask(), "/shorter-than-promised")
    assert (answer.body, answer.whole) == (b"four", False)


@served_by(*EVERY_KIND)
@pytest.mark.parametrize("ranges", ["", "bytes=1-", "bytes=0-33554431,33554433-"])
def test_a_file_that_shrinks_while_it_is_sent(ranges: str, serve: Serve, kind: Kind) -> None:
    """SPEC 3: a short body never looks whole, and the next response never mixes into it."""
    server = serve("everything")
    run = Run(server)
    path = server.directory / "shrinks.bin"
    size = 64 * 1024 * 1024
    with path.open("wb") as file:
        file.truncate(size)
    lines = [*run.headers.items(), *([("Range", ranges)] if ranges else [])]
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/shrinks", lines) + write_request("GET", "/text"))
        raw.read_until(b"\r\n\r\n")
        os.truncate(path, 1024 * 1024)
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    status = 206 if ranges else 200
    assert answer.status == status
    assert not answer.whole
    assert len(answer.body) < size
    assert set(answer.body.rpartition(b"\r\n\r\n")[2]) == {0}, "nothing but the file, since its part began"
    outcomes = {f"failed {status}"}
    if kind == GRANIAN and not ranges:
        # It sends the file by its path, and says that it is done with the app before it has sent it.
        outcomes.add(f"complete {status}")
    run.wait_for(outcomes, [])
