"""SPEC 1, `res.cookie` and `res.delete_cookie`. What set_cookie refuses in all: tests/core/test_cookies.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import pytest

from heaven_core import Response
from tests.handlers.kit import Act, ask, given, loose


def cookies(act: Act) -> list[str]:
    return given(act).headers.get_all("Set-Cookie")


def test_goes_out_with_path_and_lax() -> None:
    """RFC 6265bis §4.1."""
    assert ask(lambda res: res.cookie("id", "abc")).headers.get_all("set-cookie") == ["id=abc; Path=/; SameSite=Lax"]


def test_all_attributes() -> None:
    def act(res: Response) -> None:
        res.cookie(
            "id",
            "abc",
            path="/app",
            domain="example.com",
            max_age=60,
            expires=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
            secure=True,
            httponly=True,
            samesite="None",
            partitioned=True,
        )

    (line,) = cookies(act)
    assert line.startswith("id=abc; ")
    assert set(line.split("; ")[1:]) == {
        "Path=/app",
        "Domain=example.com",
        "Max-Age=60",
        "Expires=Fri, 02 Jan 2026 01:04:05 GMT",
        "Secure",
        "HttpOnly",
        "SameSite=None",
        "Partitioned",
    }


def test_samesite_can_be_left_off() -> None:
    assert cookies(lambda res: res.cookie("id", "1", samesite=None)) == ["id=1; Path=/"]


def test_the_same_name_domain_and_path_replaces() -> None:
    """RFC 6265bis §4.1.1: two of them in one response would be at the mercy of the browser."""

    def act(res: Response) -> None:
        res.cookie("id", "1")
        res.cookie("other", "1")
        res.cookie("id", "2", httponly=True)

    assert cookies(act) == ["other=1; Path=/; SameSite=Lax", "id=2; Path=/; HttpOnly; SameSite=Lax"]


OTHERS: Final[list[Act]] = [
    lambda res: res.cookie("ID", "2"),
    lambda res: res.cookie("id", "2", path="/app"),
    lambda res: res.cookie("id", "2", domain="example.com"),
    lambda res: res.cookie("id", "2", path=None),
]


@pytest.mark.parametrize(
    "second",
    OTHERS,
    ids=["name", "path", "domain", "no path"],
)
def test_another_name_domain_or_path_is_added(second: Act) -> None:
    def act(res: Response) -> None:
        res.cookie("id", "1")
        second(res)

    assert len(cookies(act)) == 2


def test_a_domain_is_the_same_in_any_case() -> None:
    def act(res: Response) -> None:
        res.cookie("id", "1", domain="Example.com")
        res.cookie("id", "2", domain="example.COM")

    assert len(cookies(act)) == 1


def test_a_line_that_the_handler_wrote_itself_stays_beside_it() -> None:
    def act(res: Response) -> None:
        res.headers = "Set-Cookie", "own"
        res.headers = "X-A", "1"
        res.cookie("id", "1")

    assert cookies(act) == ["own", "id=1; Path=/; SameSite=Lax"]


def test_deleting_replaces_what_was_set() -> None:
    """RFC 6265bis §5.5: an age of 0 makes the client forget it."""

    def act(res: Response) -> None:
        res.cookie("id", "1", domain="example.com", path="/app")
        res.delete_cookie("id", domain="example.com", path="/app")

    (line,) = cookies(act)
    assert set(line.split("; ")) == {"id=", "Path=/app", "Domain=example.com", "Max-Age=0", "SameSite=Lax"}


def test_deleting_takes_the_attributes_that_the_name_asks_for() -> None:
    """RFC 6265bis §4.1.3: without Secure a browser would not touch it."""
    (line,) = cookies(lambda res: res.delete_cookie("__Host-id", secure=True, httponly=True, partitioned=True))
    assert {"Secure", "HttpOnly", "Partitioned", "Max-Age=0"} <= set(line.split("; "))


UNMET_NEEDS: Final[list[tuple[Act, str]]] = [
    (lambda res: res.cookie("id", "1", samesite="None"), "secure=True"),
    (lambda res: res.cookie("id", "1", partitioned=True), "secure=True"),
    (lambda res: res.cookie("__Secure-id", "1"), "secure=True"),
    (lambda res: res.cookie("__Host-id", "1"), "secure=True"),
    (lambda res: res.cookie("__Host-id", "1", secure=True, path="/app"), "path"),
    (lambda res: res.cookie("__Host-id", "1", secure=True, domain="example.com"), "domain"),
    (lambda res: res.delete_cookie("__Host-id"), "secure=True"),
]


@pytest.mark.parametrize(
    ("act", "missing"),
    UNMET_NEEDS,
)
def test_a_missing_attribute_is_refused_and_not_added(act: Act, missing: str) -> None:
    """RFC 6265bis §4.1.2.7, §4.1.3."""
    with pytest.raises(ValueError, match=missing):
        given(act)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\r\n", "ü", "a,b"], ids=repr)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cookie"):
        Response().cookie(name, "1")


@pytest.mark.parametrize("value", ["a b", "a;b", "a,b", 'a"b', "a\\b", "a\r\nX: y", "ü", "\0"], ids=repr)
def test_a_value_outside_of_cookie_octets_is_refused(value: str) -> None:
    """RFC 6265bis §4.1.1."""
    response = Response()
    with pytest.raises(ValueError, match="cookie"):
        response.cookie("id", value)
    assert list(response.headers) == []


@pytest.mark.parametrize("bad", ["/a;b", "/a\r\n", "/\0", "a\x7f"], ids=repr)
def test_a_path_or_domain_with_a_semicolon_or_control_character_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Response().cookie("id", "1", path=bad)
    with pytest.raises(ValueError, match="domain"):
        Response().cookie("id", "1", domain=bad)


def test_more_than_4096_bytes_are_refused() -> None:
    """RFC 6265bis §5.6: browsers ignore them."""
    Response().cookie("id", "x" * 4094)
    with pytest.raises(ValueError, match="4096"):
        Response().cookie("id", "x" * 4095)


def test_a_naive_expiry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"naive|time zone|aware"):
        Response().cookie("id", "1", expires=datetime(2026, 1, 1))
    Response().cookie("id", "1", expires=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "options",
    [
        {"value": 5},
        {"value": None},
        {"max_age": "60"},
        {"max_age": 1.5},
        {"expires": "tomorrow"},
        {"path": b"/"},
        {"domain": 5},
    ],
    ids=repr,
)
def test_an_argument_of_another_type_is_refused(options: dict[str, object]) -> None:
    response = Response()
    with pytest.raises(TypeError):
        loose(response.cookie)(**{"name": "id", "value": "1", **options})
    assert list(response.headers) == []
