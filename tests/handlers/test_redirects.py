"""SPEC 1, `res.redirect`. Which locations are legal is shown by tests/core/test_uri_of_redirects.py."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from heaven_core import BadRequest, Response
from heaven_core.testing import Disk
from tests.handlers.kit import ask, fields_of, loose


def test_is_a_307_with_location_and_no_body() -> None:
    """RFC 9110 §15.4.8: the method stays what it was."""
    answer = ask(lambda res: res.redirect("/there"))
    assert (answer.status, answer.body) == (307, b"")
    assert fields_of(answer) == {"location": "/there", "content-length": "0"}


def test_permanent_is_a_308() -> None:
    """RFC 9110 §15.4.9."""
    assert ask(lambda res: res.redirect("/there", permanent=True)).status == 308


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, HTTPStatus.SEE_OTHER])
def test_takes_each_redirecting_status(status: int) -> None:
    """RFC 9110 §15.4."""
    assert ask(lambda res: res.redirect("/there", status)).status == status


@pytest.mark.parametrize("status", [200, 300, 304, 305, 306, 309, 404, True])
def test_any_other_status_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="is no redirect: use 301, 302, 303, 307 or 308"):
        Response().redirect("/there", status)


def test_permanent_beside_the_same_status_is_no_contradiction() -> None:
    assert ask(lambda res: res.redirect("/there", 308, permanent=True)).status == 308


@pytest.mark.parametrize("status", [301, 302, 303])
def test_permanent_beside_another_status_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="permanent=True means 308"):
        Response().redirect("/there", status, permanent=True)


@pytest.mark.parametrize(
    ("location", "legal"),
    [
        ("/größe", "/gr%C3%B6%C3%9Fe"),
        ('/a b"<>\\^{|}`', "/a%20b%22%3C%3E%5C%5E%7B%7C%7D%60"),
        ("/%41%zz", "/%41%25zz"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("?page=2", "?page=2"),
    ],
)
def test_the_location_is_made_a_legal_reference(location: str, legal: str) -> None:
    """RFC 3986 §2.1, §4.1."""
    assert ask(lambda res: res.redirect(location)).headers["location"] == legal


@pytest.mark.parametrize("location", ["/a\r\nSet-Cookie: x=1", "/a\0", "/\x1b", "/a\tb", "/a\n", "\x7f"], ids=repr)
def test_a_control_character_is_refused(location: str) -> None:
    response = Response()
    with pytest.raises(ValueError, match="control character"):
        response.redirect(location)
    assert (response.status, list(response.headers)) == (200, [])


@pytest.mark.parametrize("location", [None, b"/there", 5, ["/there"]], ids=repr)
def test_a_location_that_is_no_text_is_refused(location: object) -> None:
    with pytest.raises(TypeError):
        loose(Response().redirect)(location)


@pytest.mark.parametrize("location", ["//evil.example", "/\\evil.example", "https://evil.example/", "\\\\evil"])
def test_local_refuses_another_origin(location: str) -> None:
    response = Response()
    with pytest.raises(BadRequest, match="local"):
        response.redirect(location, local=True)
    assert response.status == 200


@pytest.mark.parametrize("location", ["/there", "there?next=//evil.example", "#top"])
def test_local_lets_a_path_pass(location: str) -> None:
    assert ask(lambda res: res.redirect(location, local=True)).headers["location"] == location


def test_drops_a_body_that_was_set() -> None:
    def act(res: Response) -> None:
        res.html("<p>old")
        res.redirect("/there")

    answer = ask(act)
    assert answer.body == b""
    assert "content-type" not in answer.headers


def test_drops_a_file_that_was_set() -> None:
    disk = Disk({"/f": b"data"})

    def act(res: Response) -> None:
        res.file("/f")
        res.redirect("/there")

    answer = ask(act, disk=disk)
    assert (answer.status, answer.body, disk.open_files) == (307, b"", [])


def test_releases_a_stream_that_was_set() -> None:
    class Items:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError("nobody asks for items")

        def close(self) -> None:
            self.closed += 1

    items = Items()

    def act(res: Response) -> None:
        res.stream(items)
        res.redirect("/there")

    assert ask(act).status == 307
    assert items.closed == 1


def test_the_handler_goes_on() -> None:
    """A note for people is set after it (RFC 9110 §15.4)."""

    def act(res: Response) -> None:
        res.redirect("/there")
        res.headers = "X-After", "1"
        res.body = "see /there"

    answer = ask(act)
    assert (answer.status, answer.text, answer.headers["x-after"]) == (307, "see /there", "1")


def test_a_second_one_replaces_the_first() -> None:
    def act(res: Response) -> None:
        res.redirect("/a", 301)
        res.redirect("/b")

    answer = ask(act)
    assert (answer.status, answer.headers.get_all("location")) == (307, ["/b"])
