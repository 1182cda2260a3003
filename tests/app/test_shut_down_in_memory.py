"""`Client(app).get(..., shut_down_after=n)`: what an app's own tests can see of a shutdown."""

from __future__ import annotations

from collections.abc import Iterator

from heaven_core import App, Context, Request, Response, ServerSentEvent
from heaven_core.testing import Client


def numbers() -> Iterator[object]:
    number = 0
    while True:
        yield str(number)
        number += 1


def events(req: Request, res: Response, ctx: Context) -> None:
    res.stream(numbers(), sse=True, at_shutdown=ServerSentEvent(event="bye"))


def three(req: Request, res: Response, ctx: Context) -> None:
    res.stream(["a", "b", "c"])


def client() -> Client:
    app = App()
    app.GET("/events", events)
    app.GET("/three", three)
    return Client(app)


def test_a_stream_of_events_ends_with_its_last_one() -> None:
    answer = client().request("GET", "/events", shut_down_after=3)
    assert answer.body == b"data: 0\n\ndata: 1\n\nevent: bye\ndata:\n\n"
    assert answer.ended
    assert answer.outcome is not None
    assert answer.outcome.kind == "complete"


def test_also_before_its_first_one() -> None:
    answer = client().request("GET", "/events", shut_down_after=0)
    assert answer.body == b"event: bye\ndata:\n\n"
    assert answer.ended


def test_any_other_stream_has_time_for_its_own_end() -> None:
    answer = client().request("GET", "/three", shut_down_after=1)
    assert answer.body == b"abc"
    assert answer.ended
