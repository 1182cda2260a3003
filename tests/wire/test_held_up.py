"""A client that takes nothing of its response: after `send_timeout` it is gone (SPEC 4)."""

from __future__ import annotations

import time
from typing import Final

import pytest

from tests.wire.conftest import Serve, served_by
from tests.wire.raw import Raw, read_answers, write_request
from tests.wire.runs import Run
from tests.wire.servers import GRANIAN, HYPERCORN, HYPERCORN_TRIO, SOCKET_KINDS, UVICORN

TIMEOUT: Final = {"HEAVEN_TEST_SEND_TIMEOUT": "0.5"}


@pytest.mark.parametrize(("path", "notes"), [("/flood", ["closed", "always"]), ("/buffered", ["always"])])
def test_the_response_ends(path: str, notes: list[str], serve: Serve) -> None:
    """Also where the server shields its sends, as hypercorn does on trio."""
    run = Run(serve("everything", fresh=True, **TIMEOUT))
    with Raw(run.server.port) as raw:
        raw.send(write_request("GET", path, list(run.headers.items())))
        run.wait_for("disconnected 200", notes)


@served_by(*SOCKET_KINDS)
def test_the_connection_is_reset_where_it_is_ours(serve: Serve) -> None:
    run = Run(serve("everything", fresh=True, **TIMEOUT))
    with Raw(run.server.port) as raw:
        raw.send(write_request("GET", "/flood", list(run.headers.items())))
        run.wait_for("disconnected 200", ["closed", "always"])
        raw.read_until_closed()
        assert raw.was_reset


@served_by(UVICORN, HYPERCORN, HYPERCORN_TRIO, GRANIAN)
def test_a_client_that_takes_a_little_all_the_time_stays(serve: Serve) -> None:
    """Also where a server's next piece has to wait for a lump that the client takes for seconds.

    tests/socket has the same of our own server.
    """
    run = Run(serve("everything", fresh=True, HEAVEN_TEST_SEND_TIMEOUT="1"))
    with Raw(run.server.port, receive_buffer=65536) as raw:
        raw.send(write_request("GET", "/buffered", [*run.headers.items(), ("Connection", "close")]))
        for _ in range(60):
            raw.received += raw.socket.recv(20_000)
            time.sleep(0.05)
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.whole
    run.wait_for("complete 200", ["always"])
