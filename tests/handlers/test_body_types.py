"""SPEC 1, `res.body`, `res.html` and the rule "Encoding"."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from uuid import UUID

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client
from tests.handlers.kit import Act, ask, fields_of, loose


def body(value: object) -> Act:
    def act(res: Response) -> None:
        res.body = value

    return act


@pytest.mark.parametrize(
    ("value", "data", "kind"),
    [
        ("grüß", "grüß".encode(), "text/plain; charset=utf-8"),
        ("", b"", "text/plain; charset=utf-8"),
        (b"\x00\xff", b"\x00\xff", "application/octet-stream"),
        (bytearray(b"abc"), b"abc", "application/octet-stream"),
        (memoryview(b"abcdef")[::2], b"ace", "application/octet-stream"),
        ({"a": "ü"}, '{"a":"ü"}'.encode(), "application/json"),
        ([1, None, True], b"[1,null,true]", "application/json"),
        (OrderedDict[str, int](b=1, a=2), b'{"b":1,"a":2}', "application/json"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_type_has_its_encoding_and_content_type(value: object, data: bytes, kind: str) -> None:
    """RFC 9110 §8.3: text is UTF-8, bytes are octets, `dict` and `list` are JSON (RFC 8259)."""
    answer = ask(body(value))
    assert answer.body == data
    assert fields_of(answer) == {
        "content-type": kind,
        "x-content-type-options": "nosniff",
        "content-length": str(len(data)),
    }


class Text(str):
    __slots__ = ()


class Octets(bytes):
    __slots__ = ()


@pytest.mark.parametrize(("value", "kind"), [(Text("abc"), "text/plain"), (Octets(b"abc"), "application/octet-stream")])
def test_a_subclass_goes_out_as_its_base(value: object, kind: str) -> None:
    answer = ask(body(value))
    assert answer.body == b"abc"
    assert answer.headers["content-type"].startswith(kind)


def test_none_is_an_empty_body() -> None:
    """It has a length, and no type."""
    answer = ask(body(None))
    assert answer.body == b""
    assert fields_of(answer) == {"content-length": "0"}


def test_none_takes_away_a_body_that_was_set() -> None:
    def act(res: Response) -> None:
        res.body = "text"
        res.body = None

    assert fields_of(ask(act)) == {"content-length": "0"}


def test_a_response_that_nobody_touches_is_empty() -> None:
    answer = ask(lambda res: None)
    assert (answer.status, answer.body) == (200, b"")


def test_the_last_body_counts() -> None:
    def act(res: Response) -> None:
        res.html("<p>")
        res.body = {"a": 1}
        res.body = "last"

    answer = ask(act)
    assert answer.text == "last"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_reads_as_it_was_set() -> None:
    value = {"a": 1}
    response = Response()
    response.body = value
    assert response.body is value


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (5, "set a str"),
        (1.5, "set a str"),
        (True, "set a str"),
        ((1, 2), "set a list"),
        ({1, 2}, "set a list"),
        (frozenset({1}), "set a list"),
        (PurePath("/etc"), r"use res\.file\(\)"),
        (iter([b"a"]), r"use res\.stream\(\)"),
        (object(), r"name its type as what the route returns .*or set a dict"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_body_of_another_type_is_refused_with_the_type_and_what_to_do(value: object, advice: str) -> None:
    response = Response()
    response.body = "before"
    with pytest.raises(TypeError, match=rf"not {type(value).__name__}: .*{advice}"):
        response.body = value
    assert response.body == "before"


def test_an_async_generator_is_for_res_stream() -> None:
    class Items:
        def __aiter__(self) -> None:
            """It is enough to have it."""

    with pytest.raises(TypeError, match=r"use res\.stream\(\)"):
        Response().body = Items()


def test_a_content_type_of_the_handler_wins() -> None:
    """And with a type that the library did not choose goes no nosniff."""

    def act(res: Response) -> None:
        res.headers = "Content-Type", "application/problem+json"
        res.body = {"title": "no"}

    answer = ask(act)
    assert answer.json == {"title": "no"}
    assert fields_of(answer) == {"content-type": "application/problem+json", "content-length": "14"}


def test_a_nosniff_of_the_handler_stays_single() -> None:
    def act(res: Response) -> None:
        res.headers = "X-Content-Type-Options", "nosniff"
        res.body = "text"

    assert ask(act).headers.get_all("X-Content-Type-Options") == ["nosniff"]


def test_html() -> None:
    """`res.html(markup)`: the body with `text/html; charset=utf-8`."""
    answer = ask(lambda res: res.html("<p>grüß"))
    assert answer.text == "<p>grüß"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("markup", [b"<p>", None, 5])
def test_html_takes_text_alone(markup: object) -> None:
    with pytest.raises(TypeError, match=r"the markup of res\.html\(\) must be str"):
        loose(Response().html)(markup)


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


def test_json_takes_what_msgspec_takes_inside() -> None:
    """Dates, UUIDs, decimals, enums, dataclasses, tuples and sets."""
    answer = ask(
        body(
            {
                "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                "day": date(2026, 1, 2),
                "id": UUID(int=1),
                "price": Decimal("1.50"),
                "colour": Colour.RED,
                "at": Point(1, 2),
                "pair": (1, 2),
                "one": {1},
            }
        )
    )
    assert answer.json == {
        "when": "2026-01-02T03:04:05Z",
        "day": "2026-01-02",
        "id": "00000000-0000-0000-0000-000000000001",
        "price": "1.50",
        "colour": "red",
        "at": {"x": 1, "y": 2},
        "pair": [1, 2],
        "one": [1],
    }


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"user": {"avatar": object()}}, r"\$\.user\.avatar"),
        ({"items": [1, 2, 3, float("nan")]}, r"\$\.items\[3\]"),
        ([float("inf")], r"\$\[0\]"),
        ([float("-inf")], r"\$\[0\]"),
        ({"name": "\ud800"}, r"\$\.name"),
    ],
    ids=["object", "nan", "inf", "-inf", "surrogate"],
)
def test_a_body_that_is_no_json_is_a_500_before_anything_is_sent(value: object, path: str) -> None:
    """RFC 8259 has no NaN; the error names the path, the client learns nothing."""
    answer = ask(body(value))
    assert (answer.status, answer.text) == (500, "500 Internal Server Error\n")
    ((error, where),) = answer.errors
    assert isinstance(error, TypeError)
    assert where == "GET '/'"
    with pytest.raises(TypeError, match=path):
        raise error


def test_a_lone_surrogate_is_no_text() -> None:
    answer = ask(body("\ud800"))
    assert answer.status == 500
    assert [type(error) for error, _ in answer.errors] == [TypeError]


def _app_with_after(hook: Callable[[Request, Response, Context], None], value: object) -> App:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = value

    app = App()
    app.GET("/", handler)
    app.after("*", hook)
    return app


def test_the_object_is_encoded_after_the_after_hooks() -> None:
    """They may still change it in place."""

    def add(req: Request, res: Response, ctx: Context) -> None:
        assert res.body is body
        body["added"] = True

    body: dict[str, object] = {"a": 1}
    answer = Client(_app_with_after(add, body)).get("/")
    assert answer.json == {"a": 1, "added": True}


def test_after_hooks_see_the_object_itself() -> None:
    seen: list[object] = []

    def look(req: Request, res: Response, ctx: Context) -> None:
        seen.append(res.body)

    value = ["the", "list"]
    answer = Client(_app_with_after(look, value)).get("/")
    assert seen[0] is value
    assert json.loads(answer.body) == value
