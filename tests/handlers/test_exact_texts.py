"""SPEC 1: a text is an exact `str` before anything looks at it: no subclass says one thing and is another."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import pytest

from heaven_core import Response, ServerSentEvent
from heaven_core._typing import override
from heaven_core.http.event_stream import encode_event
from heaven_core.http.headers import check_name, check_value
from tests.handlers.kit import ask, given, loose


class Liar(str):
    """Says that it is harmless, and would be sent as something else."""

    __slots__ = ()

    @override
    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"forged\r\nX-Forged: 1"

    @override
    def lower(self) -> str:
        return "x-forged"

    @override
    def __contains__(self, key: object) -> bool:
        return False

    @override
    def __str__(self) -> str:
        return "forged\r\nX-Forged: 1"

    @override
    def __format__(self, spec: str) -> str:
        return "forged\r\nX-Forged: 1"


class Site(str, Enum):  # noqa: UP042  (a StrEnum would say its value by itself)
    STRICT = "Strict"
    NAME = "X-Name"
    TEXT = "text"


SETS: list[Callable[[Response], object]] = [
    lambda res: setattr(res, "headers", (Liar("X-A"), "1")),
    lambda res: setattr(res, "headers", ("X-A", Liar("harmless"))),
    lambda res: res.headers.set("X-A", Liar("harmless")),
    lambda res: setattr(res, "content_type", Liar("text/plain")),
    lambda res: res.cookie(Liar("a"), Liar("b"), path=Liar("/"), domain=Liar("example.com")),
    lambda res: res.redirect(Liar("/there")),
    lambda res: res.disposition(Liar("a.txt")),
    lambda res: setattr(res, "etag", Liar("v1")),
    lambda res: res.vary(Liar("Origin")),
    lambda res: setattr(res, "body", Liar("body")),
    lambda res: res.text(Liar("body")),
    lambda res: res.html(Liar("body")),
    lambda res: res.json({Liar("name"): Liar("value")}),
    lambda res: res.stream([Liar("item")], Liar("text/plain")),
    lambda res: res.stream([Liar("item"), ServerSentEvent(Liar("d"), Liar("e"), Liar("i"))], sse=True),
]


@pytest.mark.parametrize("number", range(len(SETS)))
def test_what_a_subclass_says_of_itself_is_not_sent(number: int) -> None:
    answer = ask(SETS[number])
    assert answer.status in (200, 307)
    assert b"forged" not in answer.body
    assert all("forged" not in name + value for name, value in answer.headers)


def test_a_lie_is_not_remembered_for_the_text_that_it_is_equal_to() -> None:
    """Names and values that were checked once are kept for all responses of the process."""
    assert check_name(Liar("X-Remembered")) == check_name("X-Remembered") == b"x-remembered"
    assert check_value("X-A", Liar("remembered")) == check_value("X-A", "remembered") == b"remembered"


def test_a_line_break_of_an_event_is_seen_in_a_subclass_too() -> None:
    for event in (ServerSentEvent, loose(ServerSentEvent)):
        with pytest.raises(ValueError, match="would forge another field"):
            event("d", event=Liar("a\nid: 7"))
    assert encode_event(Liar("a\nid: 7")) == b"data: a\ndata: id: 7\n\n"


def test_a_member_of_an_enum_is_its_value() -> None:
    def act(res: Response) -> None:
        loose(res.cookie)("a", Site.TEXT, samesite=Site.STRICT, httponly=True)
        res.headers = Site.NAME, Site.TEXT
        res.etag = Site.TEXT
        res.body = Site.TEXT

    answer = ask(act)
    assert answer.headers["Set-Cookie"] == "a=text; Path=/; HttpOnly; SameSite=Strict"
    assert (answer.headers["X-Name"], answer.headers["ETag"], answer.text) == ("text", '"text"', "text")


def test_a_site_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="samesite of the cookie 'a' must be str"):
        given(lambda res: loose(res.cookie)("a", "b", samesite=3))
