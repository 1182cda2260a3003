"""A browser's `EventSource` and a server that is killed and started again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.programs import open_page
from tests.table.kit import Ask
from tests.wire.raw import fetch
from tests.wire.servers import UVICORN_HTTPTOOLS, Server

Start = Callable[[int | None], Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the app at a port, or at a free one."""
    started: list[Server] = []

    def run(port: int | None) -> Server:
        server = Server(UVICORN_HTTPTOOLS, "tests.wire.apps.news", tmp_path, {}, port)
        started.append(server)
        assert server.wait_until_it_serves(), server.output
        return server

    yield run
    for server in started:
        if server.is_running:
            server.kill()


def publish(server: Server, text: str) -> None:
    assert fetch(server.port, Ask("POST", body=text.encode()), "/publish").status == 200


def test_a_page_reconnects_to_a_restarted_server_and_gets_exactly_what_it_missed(start: Start, tmp_path: Path) -> None:
    """WHATWG HTML §9.2.3: with Last-Event-ID, which `req.last_event_id` reads and `Replay` goes on after."""
    with open_page() as page:
        server = start(None)
        publish(server, "before the page")
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.wait_for_function("opened === 1")
        publish(server, "one")
        publish(server, "two")
        page.wait_for_function("got.length >= 2")
        server.kill()
        with (tmp_path / "news.txt").open("a") as file:
            file.write("while it was down\nand again\n")
        server = start(server.port)
        publish(server, "after the restart")
        page.wait_for_function("opened >= 2 && got.length >= 5")
        publish(server, "the last")
        page.wait_for_function("got.length >= 6")
        assert page.evaluate("got") == [
            "2 one",
            "3 two",
            "4 while it was down",
            "5 and again",
            "6 after the restart",
            "7 the last",
        ]
