"""SPEC 2 and 5: a slow handler can ask whether anybody still waits, and the outcome knows who has left meanwhile."""

from __future__ import annotations

import time

import pytest

from tests.wire.conftest import Serve, served_by
from tests.wire.raw import Raw, fetch_json, write_request
from tests.wire.runs import Run
from tests.wire.servers import GRANIAN, KINDS

# Seconds in which each server hears of a client's leaving on this host: nothing says that it has.
HEARD = 0.5


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_handler_is_told_that_nobody_waits_any_more(method: str, serve: Serve) -> None:
    """And what it then answers is not complete."""
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request(method, "/asks", list(run.headers.items()), b"body" if method == "POST" else b""))
        run.wait_for_notes(["left: False"])
    run.wait_for("disconnected 200", ["left: False", "left: True"])


# granian answers from another thread, and may be too late to be heard before the response goes out.
@served_by(*[kind for kind in KINDS if kind is not GRANIAN])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_left_while_the_handler_worked_makes_no_complete_response(method: str, serve: Serve) -> None:
    """Also where the handler has not asked."""
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request(method, "/waits", list(run.headers.items()), b"body" if method == "POST" else b""))
        run.wait_for_notes(["waiting"])
    time.sleep(HEARD)
    fetch_json(server.port, f"/go?run={run.name}")
    run.wait_for("disconnected 200", ["waiting", "go"])


def test_a_client_that_stays_makes_a_complete_one(serve: Serve) -> None:
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/waits", list(run.headers.items())))
        run.wait_for_notes(["waiting"])
        fetch_json(server.port, f"/go?run={run.name}")
        assert raw.read_until(b"answered").startswith(b"HTTP/1.1 200")
        run.wait_for("complete 200", ["waiting", "go"])


def test_asking_takes_nothing_of_the_body(serve: Serve) -> None:
    server = serve("everything")
    run = Run(server)
    size = 300_000
    with Raw(server.port) as raw:
        raw.send(write_request("POST", "/large/asks-and-reads", [*run.headers.items(), ("Content-Length", str(size))]))
        for _ in range(30):
            raw.send(b"x" * (size // 30))
            time.sleep(0.002)
        assert b"300000 bytes, left: False" in raw.read_until(b"left: False")
    run.wait_for("complete 200", [])
