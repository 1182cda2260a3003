"""The page that lists a directory: names of anybody's, which must be nothing but names in it."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from heaven_core import Entry
from heaven_core.message.html import is_hidden, listing_page


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self._href: str | None = None
        self.feed(page)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self._href = dict(attrs)["href"]
            self.found.append((self._href or "", ""))

    @override
    def handle_data(self, data: str) -> None:
        if self._href is not None:
            self.found[-1] = (self._href, self.found[-1][1] + data)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None


def test_directories_come_first_and_both_go_by_name() -> None:
    entries = [Entry("b.txt", 5, 0), Entry("z", None, 0), Entry("a.txt", 0, 0), Entry("y", None, 0)]
    assert Links(listing_page("/d/", entries, hidden=False, most=100)).found == [
        ("./y/", "y/"),
        ("./z/", "z/"),
        ("./a.txt", "a.txt"),
        ("./b.txt", "b.txt"),
    ]


def test_size_and_time_are_shown() -> None:
    page = listing_page(
        "/d/", [Entry("a", 1234, 999_000_000_000_000_000), Entry("b", 1, 10**30)], hidden=False, most=100
    )
    assert "<td>1234</td><td>2001-08-28 12:00</td>" in page
    assert "<td>1</td><td></td>" in page  # a year that cannot be written


def test_a_name_with_a_dot_is_shown_on_request_only() -> None:
    entries = [Entry(".env", 1, 0), Entry(".well-known", None, 0)]
    assert [name for _, name in Links(listing_page("/", entries, hidden=False, most=100)).found] == [".well-known/"]
    assert [name for _, name in Links(listing_page("/", entries, hidden=True, most=100)).found] == [
        ".well-known/",
        ".env",
    ]


@pytest.mark.parametrize(
    ("name", "hidden"), [("a", False), (".a", True), ("..", True), (".", True), (".well-known", False), ("", False)]
)
def test_hidden_names(name: str, hidden: bool) -> None:
    """RFC 8615 §3: `.well-known` is there to be found."""
    assert is_hidden(name) is hidden


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), st.booleans())
def test_any_name_is_a_link_to_itself_and_nothing_else(name: str, is_file: bool) -> None:
    links = Links(listing_page(f"/{name}/", [Entry(name, 1 if is_file else None, 0)], hidden=True, most=100))
    assert "script" not in links.tags
    assert len(links.found) == 1
    target = urlsplit(urljoin("http://h/d/", links.found[0][0]))
    assert (target.netloc, target.query, target.fragment) == ("h", "", "")
    assert unquote(target.path) == (
        "/d/" + name + ("" if is_file else "/") if name not in (".", "..") else unquote(target.path)
    )


def test_of_many_names_the_first_are_shown_and_how_many_more_there_are() -> None:
    entries = [Entry(f"{number:03}", 1, 0) for number in range(10)]
    page = listing_page("/", entries, hidden=False, most=7)
    assert [name for _, name in Links(page).found] == [f"{number:03}" for number in range(7)]
    assert "<p>and 3 more, which are not shown</p>" in page
    assert "not shown" not in listing_page("/", entries, hidden=False, most=10)
