"""SPEC 4: an iterable that one response is sending is refused to another; and so is an open file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from io import BytesIO

import pytest

from heaven_core import App, Context, Event, Outcome, Request, Response, Start
from heaven_core.testing import Client, Result


def asking_another(app: App, answers: list[Result]) -> None:
    answers.append(Client(app, raise_errors=False).get("/second"))


def app_that_shares(source: Iterator[str] | AsyncIterator[str], thread: bool = False) -> App:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(source, thread="own" if thread else "any")

    app = App()
    app.GET("/first", handler)
    app.GET("/second", handler)
    return app


@pytest.mark.parametrize("thread", [False, True])
def test_a_generator_is_sent_by_one_response_at_a_time(thread: bool) -> None:
    answers: list[Result] = []

    def items() -> Iterator[str]:
        yield "one"
        asking_another(app, answers)
        yield "two"

    app = app_that_shares(items(), thread)
    assert Client(app).get("/first").text == "onetwo"
    [second] = answers
    assert (second.status, second.text) == (500, "500 Internal Server Error\n")
    assert str(second.errors[0][0]) == ("this generator is being sent by another response: each needs one of its own")


def test_an_async_one_too() -> None:
    answers: list[Result] = []

    async def items() -> AsyncIterator[str]:
        yield "one"
        asking_another(app, answers)
        yield "two"

    app = app_that_shares(items())
    assert Client(app).get("/first").text == "onetwo"
    assert answers[0].status == 500


def test_an_open_file_too() -> None:
    answers: list[Result] = []
    file = BytesIO(b"hello")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.file(file)

    def observe(req: Request[object], what: Event | Outcome) -> None:
        if isinstance(what, Start) and req.path == "/first":
            asking_another(app, answers)

    app = App()
    app.GET("/first", handler)
    app.GET("/second", handler)
    app.on_event(observe)
    assert Client(app).get("/first").body == b"hello"
    assert answers[0].status == 500
    assert "this BytesIO is being sent by another response" in str(answers[0].errors[0][0])


def test_what_can_be_iterated_again_and_again_is_shared_by_many() -> None:
    answers: list[Result] = []

    class Rows:
        def __iter__(self) -> Iterator[str]:
            yield "one"
            if not answers:
                answers.append(Result())
                asking_another(app, answers)
            yield "two"

    rows = Rows()

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(rows)

    app = App()
    app.GET("/first", handler)
    app.GET("/second", handler)
    assert Client(app).get("/first").text == answers[1].text == "onetwo"


def test_one_that_was_sent_may_be_given_to_the_next_which_gets_what_is_left() -> None:
    """That is nothing, but it is no mistake that anybody could be told of."""
    app = app_that_shares(iter(item for item in ["one"]))
    assert Client(app).get("/first").text == "one"
    assert Client(app).get("/second").text == ""
