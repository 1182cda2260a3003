"""Entity tags and modification dates (RFC 9110 §8.8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from heaven_core.http.validators import Validators, make_etag, make_last_modified, validators_of, weak_tag_of

NOW = 1_000_000_000.5


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("v1", '"v1"'),
        ('"v1"', '"v1"'),
        ('W/"v1"', 'W/"v1"'),
        ("", '""'),
        ("W/v1", '"W/v1"'),
        ("a,b", '"a,b"'),
        ("!#$", '"!#$"'),
    ],
)
def test_a_tag_is_quoted_unless_it_is(value: str, tag: str) -> None:
    assert make_etag(value) == tag


@pytest.mark.parametrize("value", ["a b", 'a"b', '"a', "a\n", "\x7f", "é", 'w/"a"', "\x00"])
def test_a_value_that_no_tag_can_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"8\.8\.3"):
        make_etag(value)


@pytest.mark.parametrize("value", [1, b"v1", True, ["v1"]])
def test_a_tag_is_text(value: object) -> None:
    with pytest.raises(TypeError, match="must be a str"):
        make_etag(value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (999_000_000, 999_000_000),
        (999_000_000.9, 999_000_000),
        (datetime(2001, 8, 28, 12, tzinfo=UTC), 999_000_000),
        (datetime(2001, 8, 28, 14, tzinfo=timezone(timedelta(hours=2))), 999_000_000),
        (-1.5, -2),
    ],
)
def test_dates_are_whole_seconds(value: object, seconds: int) -> None:
    assert make_last_modified(value) == seconds


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e15, datetime(2001, 8, 28)])
def test_dates_that_cannot_be_said_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"HTTP-date|time zone"):
        make_last_modified(value)


@pytest.mark.parametrize("value", ["Tue, 28 Aug 2001 12:00:00 GMT", None, True])
def test_other_dates_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="datetime or a timestamp"):
        make_last_modified(value)


def test_the_tag_of_a_body_is_weak_and_its_own() -> None:
    one = weak_tag_of(b"one")
    assert one.startswith(b'W/"')
    assert one == weak_tag_of(b"one") != weak_tag_of(b"two")


@pytest.mark.parametrize(
    ("date", "now", "strong"),
    [
        ("Sun, 09 Sep 2001 01:46:38 GMT", 1_000_000_000.0, True),
        ("Sun, 09 Sep 2001 01:46:38 GMT", 999_999_999.9, False),
        ("Sun, 09 Sep 2001 01:46:40 GMT", 1_000_000_000.0, False),
    ],
)
def test_a_date_is_strong_when_its_second_has_been_over_for_one(date: str, now: float, strong: bool) -> None:
    """§8.8.2.2."""
    assert validators_of([(b"last-modified", date.encode())], now, 0.0).date_is_strong is strong


def test_a_date_in_the_future_becomes_the_time_of_the_answer() -> None:
    """§8.8.2.1; never later than Date, which may lag behind, and never strong."""
    fields = [(b"etag", b'"a"'), (b"last-modified", b"Sun, 09 Sep 2001 01:46:42 GMT")]
    assert validators_of(fields, NOW, 2.0) == Validators('"a"', 999_999_998)
    assert fields[1] == (b"last-modified", b"Sun, 09 Sep 2001 01:46:38 GMT")


def test_a_last_modified_that_is_no_date_is_no_validator() -> None:
    assert validators_of([(b"last-modified", b"yesterday")], NOW, 0.0) == Validators(None)
