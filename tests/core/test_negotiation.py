"""Media types and Accept: RFC 9110 §8.3.1, §12.4.2 and §12.5.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.negotiation import accepts, parse_media_type

JSON, HTML, TEXT = "application/json", "text/html", "text/plain"


MEDIA_TYPES: list[tuple[str, tuple[str, dict[str, str]]]] = [
    ("text/html", ("text/html", {})),
    ("Text/HTML", ("text/html", {})),
    (" text/html\t", ("text/html", {})),
    ("text/html;", ("text/html", {})),
    ("text/html;;charset=utf-8 ;", ("text/html", {"charset": "utf-8"})),
    ("text/html; Charset=UTF-8", ("text/html", {"charset": "UTF-8"})),
    ('text/html;charset="utf-8"', ("text/html", {"charset": "utf-8"})),
    (r'a/b;x="c;d, \"e\\"', ("a/b", {"x": r'c;d, "e' + "\\"})),
    ('a/b;x=""', ("a/b", {"x": ""})),
    ("a/b;x=1;X=2", ("a/b", {"x": "1"})),
    ("application/vnd.api+json", ("application/vnd.api+json", {})),
    ("*/*", ("*/*", {})),
]


@pytest.mark.parametrize(("text", "parsed"), MEDIA_TYPES)
def test_a_media_type_is_read(text: str, parsed: tuple[str, dict[str, str]]) -> None:
    assert parse_media_type(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "", ";", "text", "text/", "/html", "text/html/x", "text /html", "text/ht ml", "text/é", "text/html\n",
        "a/b;x", "a/b;x=", "a/b;=1", "a/b;x =1", "a/b;x= 1", 'a/b;x="', 'a/b;x="1"2', 'a/b;x="\\"', "a/b;x=1 y",
    ],
)  # fmt: skip
def test_a_malformed_text_is_no_media_type(text: str) -> None:
    assert parse_media_type(text) is None


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("application/json", JSON),
        ("text/html", HTML),
        ("TEXT/HTML", HTML),
        ("image/png", None),
        ("*/*", JSON),
        ("text/*", HTML),
        ("text/*, application/json", JSON),
        ("text/html, application/json", JSON),
        ("text/html, application/json;q=0.9", HTML),
        ("application/json;q=0.8, text/html;q=0.801", HTML),
        ("application/json;Q=0.1, text/*;q=0.2", HTML),
        ("application/json ; q=0.1 , text/plain", TEXT),
        ("*/*;q=0.5, text/plain", TEXT),
        ("*/*, application/json;q=0", HTML),
        ("*/*, application/*;q=0, text/*;q=0.5", HTML),
        ("application/json;q=0", None),
        ("application/json;q=0.000", None),
        ("*/*;q=0", None),
        ("*/*;q=1.000, text/*;q=0.1", JSON),
        ("text/html;level=1", None),
        ("application/json;q=1;ext=x, text/html", JSON),
        ("application/json;q=0.", None),
        ("application/json;q=1.", JSON),
        ("text/html;q=0.5, text/html;q=0.1, application/json;q=0.3", HTML),
    ],
)
def test_the_client_chooses_by_weight_and_the_offers_order_decides_ties(accept: str, chosen: str | None) -> None:
    assert accepts([accept], [JSON, HTML, TEXT]) == chosen


def test_the_most_specific_range_says_how_much_an_offer_is_wanted() -> None:
    """The example of RFC 9110 §12.5.1, each media type offered together with one of the next lower weight."""
    accept = ["text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"]
    offers = ["text/html", "text/plain;format=fixed", "image/jpeg", "text/plain", "text/plain;format=flowed"]
    for at in range(1, len(offers)):
        assert accepts(accept, offers[: at + 1]) == offers[at]


def test_parameters_of_an_offer_satisfy_a_range_that_asks_for_fewer() -> None:
    offer = 'text/html; Charset="UTF-8"; level=1'
    assert accepts(["text/html"], [offer]) == offer
    assert accepts(["text/html;charset=utf-8"], [offer]) == offer
    assert accepts(["text/html;level=2"], [offer]) is None


def test_all_lines_of_the_field_count() -> None:
    assert accepts(["application/json;q=0.1", "text/html"], [JSON, HTML]) == HTML


def test_without_the_field_everything_is_acceptable() -> None:
    assert accepts([], [HTML, JSON]) == HTML


@pytest.mark.parametrize(
    "accept",
    ["", " , ,", "html", "text/", "*/html", "text/html;q=2", "text/html;q=x", "text/html;q=.", ";q=1"],
)
def test_a_field_with_nothing_well_formed_says_nothing(accept: str) -> None:
    assert accepts([accept], [JSON, HTML]) == JSON


@pytest.mark.parametrize(
    "malformed",
    ["html", "*/json", "application/json;q=1.1", "application/json;q=0.1234", "application/json;q=-1", '"'],
)
def test_malformed_ranges_are_skipped(malformed: str) -> None:
    assert accepts([f"text/plain, , {malformed}"], [JSON, TEXT]) == TEXT


def test_a_comma_in_quotes_separates_nothing() -> None:
    assert accepts(['text/html;x="a,b;q=0", application/json;q=0.5'], [JSON, 'text/html;x="a,b;q=0"']) == (
        'text/html;x="a,b;q=0"'
    )


def test_a_field_that_java_sends_is_understood() -> None:
    """HttpURLConnection's default is none by the grammar, and in use everywhere."""
    java = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
    assert accepts([java], [JSON, HTML]) == HTML
    assert accepts([java], [JSON]) == JSON
    assert accepts(["*"], [JSON]) == JSON


def test_no_offer_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        accepts(["*/*"], [])


@pytest.mark.parametrize("offer", ["json", "text/*", "*/*", "", "text/html, text/plain"])
def test_an_offer_that_is_no_media_type_is_refused(offer: str) -> None:
    """Also where the client does not say what it wants: the mistake is found by the first request."""
    with pytest.raises(ValueError, match="no media type to offer"):
        accepts([], [JSON, offer])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["a/b;", ";  ", '"', "\\", '"\\', ", ", 'a/b;x="', " ;\t", "*"])
def test_a_hostile_field_takes_linear_time(piece: str) -> None:
    """Squares of that would take minutes, and time out."""
    accepts([piece * 100_000 + "!"], [JSON])
    parse_media_type("a/b" + piece * 100_000 + "!")


@given(st.lists(st.text(st.sampled_from('ab/*;,="\\q.01 \t'), max_size=30), max_size=3))
def test_any_field_gives_an_offer_or_none(lines: list[str]) -> None:
    assert accepts(lines, ["a/b", "b/a"]) in ("a/b", "b/a", None)
