"""A client that leaves in the middle of a stream: clean-up at once, and deferred work."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Serve
from tests.wire.raw import Raw, write_request
from tests.wire.runs import Run

# Seconds that the specification gives the clean-up of a generator.
AT_ONCE = 1.0


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize(
    ("path", "first"),
    [
        pytest.param("/endless", b"xxxx", id="async-generator"),
        pytest.param("/endless-sync", b"xxxx", id="sync-generator"),
        pytest.param("/silent", b"data: first\n\n", id="silent-events"),
        pytest.param("/mute", b"\r\n\r\n", id="events-before-the-first"),
        pytest.param("/heartbeats", b":\n\n", id="heartbeats"),
    ],
)
def test_the_generator_is_closed_at_once(path: str, first: bytes, way: str, serve: Serve) -> None:
    """Issue 3, "It must show" 5: its `finally` has run within a second, and its deferred work runs."""
    server = serve("everything")
    run = Run(server)
    with Raw(server.port) as raw:
        raw.send(write_request("GET", path, list(run.headers.items())))
        raw.read_until(first)
        if way == "close":
            raw.close()
        else:
            raw.reset()
    run.wait_for_notes(["closed", "always"], AT_ONCE)
    run.wait_for("disconnected 200", ["closed", "always"])


def test_a_client_that_stays_gets_heartbeats(serve: Serve) -> None:
    """After silence only, as often as it lasts: the step that is awaited is not cut off."""
    server = serve("everything")
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/heartbeats"))
        raw.read_until(b"data: first\n\n")
        while raw.received.count(b":\n\n") < 3:
            assert raw.read_some()


def test_the_head_of_a_silent_event_stream_goes_out(serve: Serve) -> None:
    """SPEC 4: so that an EventSource sees that it is open."""
    server = serve("everything")
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/mute"))
        head = raw.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"text/event-stream" in head
