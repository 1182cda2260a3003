"""Preconditions (RFC 9110 §13). The current representation has the tag "v1" and is of 28 August 2001, noon."""

from __future__ import annotations

import pytest

from heaven_core.http.conditional import evaluate, may_use_range, parse_tags, strong_match, weak_match
from heaven_core.http.headers import Headers
from heaven_core.http.validators import Validators

NOW = 1_000_000_000.0
DATE = 999_000_000
SAME = "Tue, 28 Aug 2001 12:00:00 GMT"
EARLIER = "Tue, 28 Aug 2001 11:59:59 GMT"
LATER = "Tue, 28 Aug 2001 12:00:01 GMT"
STRONG = Validators('"v1"', DATE, True)
WEAK = Validators('W/"v1"', DATE, False)
TAG_ONLY = Validators('"v1"')
DATE_ONLY = Validators(None, DATE, True)
BARE = Validators(None)

Lines = list[tuple[str, str]]


def headers(lines: Lines) -> Headers:
    return Headers([(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in lines])


@pytest.mark.parametrize(
    ("lines", "tags"),
    [
        (['"a"'], ('"a"',)),
        (['"a", "b"'], ('"a"', '"b"')),
        (['"a","b"'], ('"a"', '"b"')),
        (['"a"\t,\t"b"'], ('"a"', '"b"')),
        (['"a"', '"b"'], ('"a"', '"b"')),
        (['W/"a"'], ('W/"a"',)),
        (['""'], ('""',)),
        (['"a,b"'], ('"a,b"',)),
        (['"a, W/"'], ()),
        (['"\x80\xff"'], ('"\x80\xff"',)),
        ([', ,"a",, "b",'], ('"a"', '"b"')),
        ([' "a" '], ('"a"',)),
        (["*"], ("*",)),
        ([" * "], ("*",)),
        (["*", "*"], ()),
        (['*, "a"'], ()),
        (['w/"a"'], ()),
        (['W/ "a"'], ()),
        (["a"], ()),
        (['"a'], ()),
        (['"a" "b"'], ()),
        (['"a""b"'], ()),
        (['"a b"'], ()),
        (['"a", b'], ()),
        (['"a"; "b"'], ()),
        (['"\x7f"'], ()),
        ([""], ()),
        ([","], ()),
        ([], ()),
    ],
)
def test_lists_of_tags_are_read_not_split(lines: list[str], tags: tuple[str, ...]) -> None:
    """§8.8.3, §5.6.1.2: a tag may hold a comma; empty elements are skipped; a malformed list has none."""
    assert parse_tags(lines) == tags


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', 'W/"1"', False, True),
        ('"1"', '"1"', True, True),
        ('"1"', '"2"', False, False),
    ],
)
def test_comparison(one: str, other: str, strong: bool, weak: bool) -> None:
    """§8.8.3.2, table 3."""
    assert strong_match((one,), other) is strong
    assert weak_match((one,), other) is weak


@pytest.mark.parametrize(
    ("method", "lines", "current", "status"),
    [
        # §13.1.1: If-Match, strong, on any method
        ("GET", [("If-Match", '"v1"')], STRONG, None),
        ("GET", [("If-Match", '"v2"')], STRONG, 412),
        ("HEAD", [("If-Match", '"v2"')], STRONG, 412),
        ("PUT", [("If-Match", '"v1"')], STRONG, None),
        ("PUT", [("If-Match", '"v2"')], STRONG, 412),
        ("PUT", [("If-Match", '"v2", "v1"')], STRONG, None),
        ("PUT", [("If-Match", '"v2"'), ("If-Match", '"v1"')], STRONG, None),
        ("PUT", [("If-Match", 'W/"v1"')], STRONG, 412),
        ("PUT", [("If-Match", 'W/"v1"')], WEAK, 412),
        ("PUT", [("If-Match", '"v1"')], WEAK, 412),
        ("PUT", [("If-Match", "*")], STRONG, None),
        ("PUT", [("If-Match", "*")], BARE, None),
        ("PUT", [("If-Match", "*")], None, 412),
        ("PUT", [("If-Match", '"v1"')], None, 412),
        ("PUT", [("If-Match", '"v1"')], DATE_ONLY, 412),
        ("PUT", [("If-Match", "v1")], STRONG, 412),
        ("PUT", [("If-Match", "")], STRONG, 412),
        # §13.1.4: If-Unmodified-Since, on any method
        ("GET", [("If-Unmodified-Since", SAME)], STRONG, None),
        ("GET", [("If-Unmodified-Since", LATER)], STRONG, None),
        ("GET", [("If-Unmodified-Since", EARLIER)], STRONG, 412),
        ("DELETE", [("If-Unmodified-Since", EARLIER)], STRONG, 412),
        ("DELETE", [("If-Unmodified-Since", SAME)], STRONG, None),
        ("DELETE", [("If-Unmodified-Since", EARLIER)], TAG_ONLY, None),
        ("DELETE", [("If-Unmodified-Since", EARLIER)], None, None),
        ("DELETE", [("If-Unmodified-Since", "yesterday")], STRONG, None),
        ("DELETE", [("If-Unmodified-Since", EARLIER), ("If-Unmodified-Since", EARLIER)], STRONG, None),
        ("DELETE", [("If-Unmodified-Since", "Tuesday, 28-Aug-01 11:59:59 GMT")], STRONG, 412),
        ("DELETE", [("If-Unmodified-Since", "Tue Aug 28 11:59:59 2001")], STRONG, 412),
        # §13.2.2, step 2: not where there is If-Match
        ("PUT", [("If-Match", '"v1"'), ("If-Unmodified-Since", EARLIER)], STRONG, None),
        ("PUT", [("If-Match", '"v2"'), ("If-Unmodified-Since", SAME)], STRONG, 412),
        # §13.1.2: If-None-Match, weak
        ("GET", [("If-None-Match", '"v1"')], STRONG, 304),
        ("HEAD", [("If-None-Match", '"v1"')], STRONG, 304),
        ("GET", [("If-None-Match", 'W/"v1"')], STRONG, 304),
        ("GET", [("If-None-Match", '"v1"')], WEAK, 304),
        ("GET", [("If-None-Match", 'W/"v1"')], WEAK, 304),
        ("GET", [("If-None-Match", '"v2"')], STRONG, None),
        ("GET", [("If-None-Match", '"v2", "v1"')], STRONG, 304),
        ("GET", [("If-None-Match", '"v2"'), ("If-None-Match", '"v1"')], STRONG, 304),
        ("GET", [("If-None-Match", "*")], STRONG, 304),
        ("GET", [("If-None-Match", "*")], None, None),
        ("GET", [("If-None-Match", 'w/"v1"')], STRONG, None),
        ("GET", [("If-None-Match", "v1")], STRONG, None),
        ("GET", [("If-None-Match", '"V1"')], STRONG, None),
        ("PUT", [("If-None-Match", '"v1"')], STRONG, 412),
        ("PUT", [("If-None-Match", "*")], STRONG, 412),
        ("PUT", [("If-None-Match", "*")], BARE, 412),
        ("PUT", [("If-None-Match", "*")], None, None),
        ("POST", [("If-None-Match", '"v2"')], STRONG, None),
        # §13.1.3: If-Modified-Since, on GET and HEAD only
        ("GET", [("If-Modified-Since", SAME)], STRONG, 304),
        ("HEAD", [("If-Modified-Since", SAME)], STRONG, 304),
        ("GET", [("If-Modified-Since", LATER)], STRONG, 304),
        ("GET", [("If-Modified-Since", EARLIER)], STRONG, None),
        ("GET", [("If-Modified-Since", SAME)], TAG_ONLY, None),
        ("GET", [("If-Modified-Since", SAME)], DATE_ONLY, 304),
        ("PUT", [("If-Modified-Since", SAME)], STRONG, None),
        ("GET", [("If-Modified-Since", "Tuesday, 28-Aug-01 12:00:00 GMT")], STRONG, 304),
        ("GET", [("If-Modified-Since", "Tue Aug 28 12:00:00 2001")], STRONG, 304),
        ("GET", [("If-Modified-Since", "Wed, 28 Aug 2001 12:00:00 GMT")], STRONG, None),
        ("GET", [("If-Modified-Since", "Tue, 28 Aug 2001 12:00:00 UTC")], STRONG, None),
        ("GET", [("If-Modified-Since", "")], STRONG, None),
        ("GET", [("If-Modified-Since", SAME), ("If-Modified-Since", SAME)], STRONG, None),
        # §13.2.2, step 4: not where there is If-None-Match, also where that is malformed
        ("GET", [("If-None-Match", '"v2"'), ("If-Modified-Since", SAME)], STRONG, None),
        ("GET", [("If-None-Match", "v2"), ("If-Modified-Since", SAME)], STRONG, None),
        ("GET", [("If-None-Match", '"v1"'), ("If-Modified-Since", EARLIER)], STRONG, 304),
        # §13.2.2: 412 before 304
        ("GET", [("If-Match", '"v2"'), ("If-None-Match", '"v1"')], STRONG, 412),
        ("GET", [("If-Match", '"v1"'), ("If-None-Match", '"v1"')], STRONG, 304),
        ("GET", [("If-Unmodified-Since", EARLIER), ("If-Modified-Since", SAME)], STRONG, 412),
        ("GET", [("If-Unmodified-Since", SAME), ("If-Modified-Since", SAME)], STRONG, 304),
        ("GET", [], STRONG, None),
    ],
)
def test_preconditions(method: str, lines: Lines, current: Validators | None, status: int | None) -> None:
    assert evaluate(method, headers(lines), current, NOW) == status


@pytest.mark.parametrize(
    ("lines", "current", "used"),
    [
        ([], STRONG, True),
        ([("If-Range", '"v1"')], STRONG, True),
        ([("If-Range", '"v2"')], STRONG, False),
        ([("If-Range", 'W/"v1"')], STRONG, False),
        ([("If-Range", 'W/"v1"')], WEAK, False),
        ([("If-Range", '"v1"')], WEAK, False),
        ([("If-Range", '"v1"')], DATE_ONLY, False),
        ([("If-Range", '"v1", "v1"')], STRONG, False),
        ([("If-Range", "*")], STRONG, False),
        ([("If-Range", "v1")], STRONG, False),
        ([("If-Range", "")], STRONG, False),
        ([("If-Range", SAME)], STRONG, True),
        ([("If-Range", "Tuesday, 28-Aug-01 12:00:00 GMT")], STRONG, True),
        ([("If-Range", "Tue Aug 28 12:00:00 2001")], STRONG, True),
        ([("If-Range", LATER)], STRONG, False),
        ([("If-Range", EARLIER)], STRONG, False),
        ([("If-Range", SAME)], WEAK, False),
        ([("If-Range", SAME)], TAG_ONLY, False),
        ([("If-Range", '"v1"'), ("If-Range", '"v1"')], STRONG, False),
    ],
)
def test_if_range(lines: Lines, current: Validators, used: bool) -> None:
    """§13.1.5: one strong tag, or one date that is exactly the one and strong (§8.8.2.2); else the whole."""
    assert may_use_range(headers(lines), current, NOW) is used
