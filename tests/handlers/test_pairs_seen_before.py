"""`res.headers = name, value` of a pair that was set before, which is looked up whole: nothing else comes of it."""

from __future__ import annotations

import pytest

from heaven_core import Response, ResponseStarted
from heaven_core._typing import override
from heaven_core.http.headers import KNOWN_LINES, KNOWN_OF_A_NAME
from heaven_core.message.response import draft_of
from tests.handlers.kit import loose


@pytest.fixture(autouse=True)
def _nothing_was_seen() -> None:
    """Other tests may have filled it."""
    KNOWN_LINES.clear()
    KNOWN_OF_A_NAME.clear()


def set_twice(name: str, value: str) -> Response:
    """Each in a response of its own; the second one."""
    Response().headers = name, value
    response = Response()
    response.headers = name, value
    return response


def test_it_makes_the_same_line() -> None:
    assert list(set_twice("X-Seen", "before").headers) == [("x-seen", "before")]


def test_one_that_may_stand_once_is_replaced_and_another_is_added() -> None:
    for name, value in (("Location", "/a"), ("Location", "/b"), ("Link", "</a>"), ("Link", "</b>")):
        set_twice(name, value)
    response = Response()
    for name, value in (("Location", "/a"), ("Location", "/b"), ("Link", "</a>"), ("Link", "</b>")):
        response.headers = name, value
    assert list(response.headers) == [("location", "/b"), ("link", "</a>"), ("link", "</b>")]


def test_each_response_has_lines_of_its_own() -> None:
    one, other = set_twice("X-Seen", "before"), set_twice("X-Seen", "before")
    one.headers = "X-More", "of one"
    assert len(other.headers) == 1


def test_it_is_refused_where_the_response_has_started() -> None:
    response = set_twice("X-Seen", "before")
    draft_of(response).seal("it has gone out")
    with pytest.raises(ResponseStarted):
        response.headers = "X-Seen", "before"


def test_members_of_vary_stay_single() -> None:
    response = set_twice("Vary", "Accept")
    response.headers = "Vary", "Accept"
    assert list(response.headers) == [("vary", "Accept")]


def test_a_cookie_is_a_line_of_its_own() -> None:
    response = set_twice("Set-Cookie", "a=1")
    response.headers = "Set-Cookie", "b=2"
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(("name", "value"), [("ETag", '"v1"'), ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")])
def test_validators_take_a_machine_every_time(name: str, value: str) -> None:
    assert not draft_of(set_twice(name, value)).is_plain


def test_a_charset_counts_every_time() -> None:
    response = set_twice("Content-Type", "text/plain; charset=iso-8859-1")
    response.body = "é"
    assert draft_of(response).encode() == b"\xe9"


def test_a_length_is_checked_every_time() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="must be a number of bytes"):
            Response().headers = "Content-Length", "many"


def test_a_bool_is_refused_also_where_its_number_was_set() -> None:
    """For a dict they are the same."""
    Response().headers = "X-Number", 1
    set_twice("X-Number", "1")
    with pytest.raises(TypeError, match="must be str or int"):
        loose(setattr)(Response(), "headers", ("X-Number", True))


def test_a_text_that_says_that_it_is_another_puts_nothing_of_its_own_on_the_wire() -> None:
    class Forged(str):
        __slots__ = ()

        @override
        def __hash__(self) -> int:
            return hash("before")

        @override
        def __eq__(self, other: object) -> bool:
            return True

    set_twice("X-Seen", "before")
    response = Response()
    response.headers = "X-Seen", Forged("a\r\nSet-Cookie: b=1")
    assert draft_of(response).fields == [(b"x-seen", b"before")]


@pytest.mark.parametrize("pair", [["X-Seen", "before"], ("X-Seen", ["before"]), ("X-Seen",), {"X-Seen": "before"}])
def test_what_is_no_pair_of_texts_is_refused_as_ever(pair: object) -> None:
    set_twice("X-Seen", "before")
    with pytest.raises(TypeError):
        loose(setattr)(Response(), "headers", pair)


def test_what_is_kept_is_bounded() -> None:
    """A value made for each request, an id say, must not fill the memory."""
    for number in range(3000):
        Response().headers = "X-Request-Id", str(number)
        Response().headers = f"X-Request-{number}", "1"
    Response().headers = "X-Long", "v" * 1000
    assert len(KNOWN_LINES) == 1024
    assert ("X-Long", "v" * 1000) not in KNOWN_LINES


def test_one_name_does_not_take_the_room_of_all() -> None:
    for number in range(3000):
        Response().headers = "X-Request-Id", str(number)
    Response().headers = "X-Seen", "late"
    assert ("X-Seen", "late") in KNOWN_LINES
