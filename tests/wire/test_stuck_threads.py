"""What hangs in a thread for ever holds up neither the end of the process nor other clients."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.table.kit import Ask
from tests.wire.conftest import Serve, served_by
from tests.wire.diary import Diary
from tests.wire.raw import Raw, fetch, write_request
from tests.wire.servers import GRANIAN, HYPERCORN, HYPERCORN_TRIO, SOCKET_KINDS, UVICORN, Kind, Server, until

# On each event loop, and with each way to end: what a parser of HTTP or a faster loop would do differently is nothing.
pytestmark = served_by(
    UVICORN,
    HYPERCORN,
    HYPERCORN_TRIO,
    GRANIAN,
    *[kind for kind in SOCKET_KINDS if kind.name in ("socket-asyncio", "socket-trio")],
)

# More than there are threads of a kind.
MANY = 45


NAMES = {"step": "stuck_items", "own": "stuck_items", "handler": "stuck_handler", "deferred": "stuck_call"}


def begun(diary: Diary) -> set[str]:
    return {line.partition(" ")[0] for line in diary.lines}


@pytest.mark.parametrize(
    ("say", "stay"), [(Server.terminate, True), (Server.interrupt, False)], ids=["clients-stay", "clients-leave"]
)
def test_the_process_ends_and_says_what_it_leaves_behind(
    say: Callable[[Server], None], stay: bool, kind: Kind, serve: Serve
) -> None:
    """SPEC 5: threads that run users' code are daemons. granian waits for a handler for ever, whatever it is."""
    stuck = [what for what in NAMES if kind is not GRANIAN or what != "handler"]
    diary = Diary(serve, app="stuck", deadline="0.3", HEAVEN_TEST_CLOSING_LIMIT="0.3")
    with ExitStack() as stack:
        for what in stuck:
            raw = stack.enter_context(Raw(diary.server.port))
            raw.send(write_request("GET", f"/{what}"))
        raw = stack.enter_context(Raw(diary.server.port))
        raw.send(write_request("GET", "/closing"))
        raw.read_until(b"one\n")
        raw.close()
        until(lambda: begun(diary) == {*stuck, "closing"}, "everything to be stuck", diary.server)
        if not stay:
            stack.close()
        say(diary.server)
        until(lambda: not diary.server.is_running, "the server to end", diary.server)
    assert {line.partition(" ")[2] for line in diary.lines} == {"daemon"}
    output = diary.server.output
    for what in stuck:
        assert f"{NAMES[what]} {'is lost' if what == 'deferred' else 'has not returned'}" in output


def test_streams_whose_clients_have_left_hold_no_other_up(serve: Serve) -> None:
    """A step that was given up no longer counts."""
    diary = Diary(serve, app="stuck", deadline="0.3", HEAVEN_TEST_CLOSING_LIMIT="0.3")
    for number in range(1, MANY + 1):
        with Raw(diary.server.port) as raw:
            raw.send(write_request("GET", "/step"))
            until(lambda: len(diary.lines) == number, "the stream to be stuck", diary.server)  # noqa: B023
    assert fetch(diary.server.port, Ask(), "/quick").text == "answered"
    assert fetch(diary.server.port, Ask(), "/quick-handler").text == "answered"
