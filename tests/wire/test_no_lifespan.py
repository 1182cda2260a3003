"""An app whose lifespan nobody begins: switched off, or kept by the app that ours is mounted in."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Serve, served_by
from tests.wire.diary import Diary
from tests.wire.raw import Raw, WireAnswer, read_answers, write_request
from tests.wire.servers import ASGI_KINDS, GRANIAN, HYPERCORN, HYPERCORN_TRIO, UVICORN, UVICORN_HTTPTOOLS, Server, until

EVENTS = b"data: one\n\n"
GOODBYE = b"data: bye\n\n"


def answers_of(server: Server, streams: int) -> list[WireAnswer]:
    """What the clients of open event streams get of a server that is asked to end."""
    connections = [Raw(server.port) for _ in range(streams)]
    answers: list[WireAnswer] = []
    for raw in connections:
        raw.send(write_request("GET", "/events"))
        raw.read_until(EVENTS)
    server.terminate()
    for raw in connections:
        answers += read_answers(raw.read_until_closed(), ["GET"])
        raw.close()
    server.wait()
    return answers


@pytest.mark.parametrize("setting", ["HEAVEN_TEST_NO_LIFESPAN", "HEAVEN_TEST_STARLETTE"])
@served_by(UVICORN, UVICORN_HTTPTOOLS, GRANIAN)
def test_a_signal_ends_the_open_streams_all_the_same(setting: str, serve: Serve) -> None:
    """These servers wait for their streams, which nobody else tells."""
    diary = Diary(serve, **{setting: "1"})
    answers = answers_of(diary.server, 3)
    assert [answer.body for answer in answers] == [EVENTS + GOODBYE] * 3
    assert all(answer.whole for answer in answers)
    assert sorted(diary.lines) == ["complete"] * 3 + ["stream closed"] * 3


@served_by(HYPERCORN, HYPERCORN_TRIO)
def test_where_workers_hear_no_signal_they_are_cut_as_always(serve: Serve) -> None:
    [answer] = answers_of(Diary(serve, HEAVEN_TEST_NO_LIFESPAN="1").server, 1)
    assert (answer.body, answer.whole) == (EVENTS, False)


@served_by(*ASGI_KINDS)
def test_the_log_says_once_what_is_missing(serve: Serve) -> None:
    diary = Diary(serve, HEAVEN_TEST_STARLETTE="1")
    for _ in range(3):
        with Raw(diary.server.port) as raw:
            raw.send(write_request("GET", "/events"))
            raw.read_until(EVENTS)
    until(lambda: diary.lines.count("stream closed") == 3, "the streams to end", diary.server)
    assert diary.server.output.count("App(lifespan=) has not been entered") == 1
    assert "entered" not in diary.lines


@served_by(*ASGI_KINDS)
def test_the_app_that_ours_is_mounted_in_can_begin_it(serve: Serve) -> None:
    """As docs/asgi.md says it for Starlette."""
    diary = Diary(serve, HEAVEN_TEST_STARLETTE="passes on")
    with Raw(diary.server.port) as raw:
        raw.send(write_request("GET", "/events"))
        raw.read_until(EVENTS)
    until(lambda: "disconnected" in diary.lines, "the stream to end", diary.server)
    diary.server.terminate()
    diary.server.wait()
    assert diary.lines == ["entered", "stream closed", "disconnected", "left"]
    assert "has not been entered" not in diary.server.output
