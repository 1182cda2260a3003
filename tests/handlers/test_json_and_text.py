"""SPEC 1: `res.json(value)` takes any value that JSON takes, `res.text(str)` a text; neither needs a schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client
from tests.handlers.kit import ask, given, loose


@dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (Point(1, 2), b'{"x":1,"y":2}'),
        ((1, 2), b"[1,2]"),
        ("a text", b'"a text"'),
        (None, b"null"),
        (3, b"3"),
        (True, b"true"),
        ([], b"[]"),
        ({"a": (1,)}, b'{"a":[1]}'),
    ],
)
def test_any_value_goes_out_as_json(value: object, sent: bytes) -> None:
    answer = ask(lambda res: res.json(value))
    assert (answer.status, answer.body) == (200, sent)
    assert answer.headers.get_all("Content-Type") == ["application/json"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_handlers_content_type_wins() -> None:
    def act(res: Response) -> None:
        res.content_type = "application/problem+json"
        res.json("broken")

    answer = ask(act)
    assert (answer.headers["Content-Type"], answer.body) == ("application/problem+json", b'"broken"')


def test_the_body_is_what_was_given_and_may_still_be_changed() -> None:
    body = {"a": 1}

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.json(body)

    def after(req: Request, res: Response, ctx: Context) -> None:
        assert res.body is body
        body["b"] = 2

    app = App()
    app.GET("/", handler)
    app.after("/", after)
    assert Client(app).get("/").json == {"a": 1, "b": 2}


def test_another_body_is_no_json_any_more() -> None:
    def act(res: Response) -> None:
        res.json("json")
        res.body = "text"

    assert ask(act).body == b"text"
    assert ask(act).headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("value", [b"bytes", float("nan"), object(), (1, {"a": object()})])
def test_what_json_can_not_say_is_an_error_before_anything_is_sent(value: object) -> None:
    answer = ask(lambda res: res.json(value))
    assert answer.status == 500
    assert isinstance(answer.errors[0][0], TypeError)
    assert str(answer.errors[0][0]).startswith("$")


def _app_with(returns: object, value: object) -> App:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.json(value)

    app = App()
    app.GET("/", handler)
    app.schema.GET("/", returns=returns)
    return app


def test_a_schema_filters_it() -> None:
    answer = Client(_app_with(Point, {"x": 1, "y": 2, "secret": 3})).get("/")
    assert answer.json == {"x": 1, "y": 2}


@pytest.mark.parametrize(("returns", "value"), [(str, "a"), (Literal["a"], "a"), (int | None, None), (int | str, "a")])
def test_a_lone_text_or_nothing_is_json_with_a_schema_too(returns: object, value: object) -> None:
    answer = Client(_app_with(returns, value)).get("/")
    assert (answer.json, answer.headers["Content-Type"]) == (value, "application/json")


@pytest.mark.parametrize(("returns", "value"), [(bytes, "a"), (str, 3), (int, "a"), (Point, None)])
def test_what_does_not_fit_the_schema_never_leaves(returns: object, value: object) -> None:
    answer = Client(_app_with(returns, value), raise_errors=False).get("/")
    assert answer.status == 500
    assert isinstance(answer.errors[0][0], TypeError)


def test_an_answer_that_is_no_2xx_is_not_filtered() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.status = 409
        res.json("taken")

    app = App()
    app.GET("/", handler)
    app.schema.GET("/", returns=Point)
    assert Client(app).get("/").body == b'"taken"'


def test_a_text_is_plain_text() -> None:
    answer = ask(lambda res: res.text("Grüße"))
    assert (answer.body.decode(), answer.headers["Content-Type"]) == ("Grüße", "text/plain; charset=utf-8")


@pytest.mark.parametrize("value", [b"bytes", 3, None])
def test_a_text_is_a_str(value: object) -> None:
    with pytest.raises(TypeError, match=r"the text of res\.text\(\) must be str"):
        given(lambda res: loose(res.text)(value))


@pytest.mark.parametrize("value", [(1, 2), {1, 2}, 3, 2.5, Point(1, 2)])
def test_a_body_that_only_json_can_say_names_the_way(value: object) -> None:
    with pytest.raises(TypeError, match=r"use res\.json\(\)"):
        given(lambda res: setattr(res, "body", value))
