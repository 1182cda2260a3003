"""What the app has raised comes out of the request, and what the answer says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from heaven_core import App, Context, NotFound, Request, Response
from heaven_core.testing import Client, Result


def failing(req: Request, res: Response, ctx: Context) -> None:
    raise ZeroDivisionError("in the handler")


def app_of_failures() -> App:
    """An app that fails in each place in turn."""

    def at_the_end(req: Request, res: Response, ctx: Context) -> None:
        res.body = "done"
        res.defer(lambda app: fail("first"))
        res.defer(lambda app: fail("second"))

    def late(req: Request, res: Response, ctx: Context) -> None:
        def rows() -> Iterator[bytes]:
            yield b"a row"
            fail("in the stream")

        res.stream(rows())

    def missing(req: Request, res: Response, ctx: Context) -> None:
        raise NotFound("not here")

    def hello(req: Request, res: Response, ctx: Context) -> None:
        res.body = "hello"

    app = App()
    app.GET("/failing", failing)
    app.GET("/at-the-end", at_the_end)
    app.GET("/late", late)
    app.GET("/missing", missing)
    app.GET("/hello", hello)
    return app


def fail(where: str) -> None:
    raise LookupError(where)


def test_the_error_of_a_handler_comes_out_of_the_request() -> None:
    client = Client(app_of_failures())
    with pytest.raises(ZeroDivisionError, match="in the handler"):
        client.get("/failing")


def test_also_on_a_loop() -> None:
    client = Client(app_of_failures())
    with pytest.raises(ZeroDivisionError, match="in the handler"):
        asyncio.run(client.aget("/failing"))


def test_a_note_on_it_says_what_the_client_got() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        Client(app_of_failures()).get("/failing")
    assert raised.value.__notes__ == ["GET '/failing': the client got 500 b'500 Internal Server Error\\n'"]


def test_the_answer_is_at_hand_all_the_same() -> None:
    client = Client(app_of_failures())
    with pytest.raises(ZeroDivisionError):
        client.get("/failing")
    assert client.last.status == 500


def test_before_a_request_there_is_none() -> None:
    with pytest.raises(LookupError, match="no request yet"):
        _ = Client(app_of_failures()).last


def test_several_come_as_a_group() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        Client(app_of_failures()).get("/at-the-end")
    assert [str(error) for error in raised.value.exceptions] == ["first", "second"]


def test_one_that_is_reported_twice_comes_once() -> None:
    error = ZeroDivisionError("the same")
    result = Result()
    result.errors += [(error, "here"), (error, "there")]
    with pytest.raises(ZeroDivisionError, match="the same"):
        result.raise_errors()


def test_an_error_after_the_head_comes_too() -> None:
    client = Client(app_of_failures())
    with pytest.raises(LookupError, match="in the stream"):
        client.get("/late")
    assert (client.last.status, client.last.body, client.last.ended) == (200, b"a row", False)


def test_raise_errors_turns_it_off() -> None:
    answer = Client(app_of_failures(), raise_errors=False).get("/failing")
    assert answer.status == 500
    assert [type(error) for error, _ in answer.errors] == [ZeroDivisionError]


def test_what_the_client_is_told_is_no_error() -> None:
    assert Client(app_of_failures()).get("/missing").status == 404


def test_an_exception_that_has_a_page_is_none_either() -> None:
    def page(req: Request, res: Response, ctx: Context) -> None:
        res.status = 409

    app = app_of_failures()
    app.errors(ZeroDivisionError, page)
    assert Client(app).get("/failing").status == 409


def test_the_repr_shows_status_and_body() -> None:
    assert repr(Client(app_of_failures()).get("/hello")) == "<Result 200 b'hello'>"


def test_of_a_long_body_only_the_start() -> None:
    result = Result()
    result.status = 200
    result.ended = True
    result.take(b"x" * 1000)
    assert repr(result) == f"<Result 200 {b'x' * 200!r}... of 1000 bytes>"


def test_the_repr_shows_errors_and_that_the_body_is_cut_short() -> None:
    answer = Client(app_of_failures(), raise_errors=False).get("/late")
    assert repr(answer) == "<Result 200 b'a row', cut short; stream of GET '/late': LookupError('in the stream')>"


def test_the_repr_of_what_nobody_got() -> None:
    assert repr(Client(app_of_failures()).get("/hello", leave_after=0)) == "<Result nothing>"


def test_the_body_may_be_looked_at_while_it_comes() -> None:
    result = Result()
    assert result.body == b""
    result.take(b"a")
    assert result.body == b"a"
    result.take(b"b")
    assert result.body == b"ab"
