"""SIGTERM while streams are open, on each server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.wire.conftest import Serve
from tests.wire.diary import Diary
from tests.wire.raw import Raw, WireAnswer, read_answers, write_request
from tests.wire.servers import HYPERCORN, HYPERCORN_TRIO, UVICORN, UVICORN_HTTPTOOLS, Kind, Server, until


def terminated(server: Server, path: str, marker: bytes) -> WireAnswer:
    """The answer of a server that was asked to end when `marker` had come."""
    with Raw(server.port) as raw:
        raw.send(write_request("GET", path))
        raw.read_until(marker)
        server.terminate()
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    server.wait()
    return answer


def test_events_end_in_order_with_the_last_one(kind: Kind, serve: Serve) -> None:
    """hypercorn tells its workers nothing: there they are cut when its grace time is over, and still closed."""
    diary = Diary(serve)
    answer = terminated(diary.server, "/events", b"data: one\n\n")
    if kind in (HYPERCORN, HYPERCORN_TRIO):
        assert answer.body == b"data: one\n\n"
        assert not answer.whole
        outcome = "disconnected"
    else:
        assert answer.body == b"data: one\n\ndata: bye\n\n"
        assert answer.whole
        outcome = "complete"
    assert diary.lines == ["entered", "stream closed", outcome, "left"]


def test_any_other_stream_is_visibly_cut_when_its_time_is_up(kind: Kind, serve: Serve) -> None:
    diary = Diary(serve, deadline="0.5")
    answer = terminated(diary.server, "/unending", b"one")
    assert answer.body == b"one"
    assert not answer.whole
    outcome = "disconnected" if kind in (HYPERCORN, HYPERCORN_TRIO) else "failed"
    assert diary.lines == ["entered", "stream closed", outcome, "left"]


def with_more(kind: Kind, *more: str) -> Kind:
    def arguments(port: int) -> list[str]:
        return [*kind.arguments(port), *more]

    return Kind("-".join([kind.name, *more]), arguments)


WORKERS = [with_more(UVICORN, "--workers", "2"), with_more(HYPERCORN, "--workers", "0")]


@pytest.mark.parametrize("kind", [UVICORN_HTTPTOOLS, *WORKERS], indirect=True, ids=lambda kind: kind.name)
@pytest.mark.parametrize("say", [Server.terminate, Server.interrupt])
def test_events_end_on_either_signal_and_with_several_workers(say: Callable[[Server], None], serve: Serve) -> None:
    diary = Diary(serve)
    answers: list[WireAnswer] = []
    connections = [Raw(diary.server.port) for _ in range(8)]
    for raw in connections:
        raw.send(write_request("GET", "/events"))
        raw.read_until(b"data: one\n\n")
    say(diary.server)
    for raw in connections:
        answers += read_answers(raw.read_until_closed(), ["GET"])
        raw.close()
    until(lambda: not diary.server.is_running, "the server to end", diary.server)
    assert [answer.body for answer in answers] == [b"data: one\n\ndata: bye\n\n"] * 8
    assert all(answer.whole for answer in answers)
    assert diary.lines.count("complete") == 8
