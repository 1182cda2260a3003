"""What Range asks for (RFC 9110 §14.1, §14.2), of a representation of ten bytes unless it says otherwise."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.ranges import MAX_RANGES, Span, parse_ranges

ALL = None
NONE: list[Span] = []


@pytest.mark.parametrize(
    ("field", "spans"),
    [
        # §14.1.2: int-range
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-9", [(0, 10)]),
        ("bytes=3-5", [(3, 6)]),
        ("bytes=9-9", [(9, 10)]),
        ("bytes=4-", [(4, 10)]),
        ("bytes=0-", [(0, 10)]),
        ("bytes=9-", [(9, 10)]),
        ("bytes=5-99", [(5, 10)]),
        ("bytes=0-18446744073709551616", [(0, 10)]),
        ("bytes=0-" + "9" * 5000, [(0, 10)]),
        ("bytes=" + "0" * 5000 + "3-4", [(3, 5)]),
        ("bytes=0003-0005", [(3, 6)]),
        # §14.1.2: suffix-range
        ("bytes=-1", [(9, 10)]),
        ("bytes=-10", [(0, 10)]),
        ("bytes=-11", [(0, 10)]),
        ("bytes=-" + "9" * 5000, [(0, 10)]),
        ("bytes=-03", [(7, 10)]),
        # §14.1.2: unsatisfiable ones
        ("bytes=10-", NONE),
        ("bytes=10-10", NONE),
        ("bytes=10-99", NONE),
        ("bytes=" + "9" * 5000 + "-", NONE),
        ("bytes=-0", NONE),
        ("bytes=-000", NONE),
        ("bytes=10-,-0,99-100", NONE),
        # §14.2: others among them count
        ("bytes=10-,0-0", [(0, 1)]),
        ("bytes=-0,3-3,99-", [(3, 4)]),
        # §14.1: units are case-insensitive
        ("BYTES=0-0", [(0, 1)]),
        ("Bytes=0-0", [(0, 1)]),
        # §14.2: other units are ignored
        ("items=0-0", ALL),
        ("byte=0-0", ALL),
        ("bytes =0-0", ALL),
        (" bytes=0-0", ALL),
        ("=0-0", ALL),
        ("0-0", ALL),
        ("bytes", ALL),
        ("", ALL),
        # §5.6.1.2: blanks, tabs and empty elements
        ("bytes= 0-0", [(0, 1)]),
        ("bytes=0-0 ", [(0, 1)]),
        ("bytes=\t0-0\t,\t2-2", [(0, 1), (2, 3)]),
        ("bytes=,0-0", [(0, 1)]),
        ("bytes=0-0,", [(0, 1)]),
        ("bytes=, ,0-0,\t,", [(0, 1)]),
        ("bytes= 0-0, -2,", [(0, 1), (8, 10)]),
        ("bytes=", ALL),
        ("bytes=,", ALL),
        ("bytes= , ,", ALL),
        # §14.2: a malformed set is ignored as a whole
        ("bytes=a-b", ALL),
        ("bytes=0", ALL),
        ("bytes=-", ALL),
        ("bytes=--1", ALL),
        ("bytes=0--1", ALL),
        ("bytes=0-1-2", ALL),
        ("bytes=+1-2", ALL),
        ("bytes=0x1-2", ALL),
        ("bytes=1.0-2", ALL),
        ("bytes=1 -2", ALL),
        ("bytes=1- 2", ALL),
        ("bytes=0-0;1-1", ALL),
        ("bytes=0-0,x", ALL),
        ("bytes=0-0,-", ALL),
        ("bytes=\u0663-\u0664", ALL),
        ("bytes=\xb2-\xb3", ALL),
        ("bytes=0-0\n", ALL),
        ("bytes=0-0\x00", ALL),
        # §14.1.1: an end before its start makes the set invalid, wherever it lies
        ("bytes=5-4", ALL),
        ("bytes=99-98", ALL),
        ("bytes=0-0,5-4", ALL),
        ("bytes=10-9", ALL),
        ("bytes=0000010-9", ALL),
        # §15.3.7.2: those that overlap or touch are one, in the place of the first
        ("bytes=0-2,2-4", [(0, 5)]),
        ("bytes=0-1,2-3", [(0, 4)]),
        ("bytes=2-3,0-1", [(0, 4)]),
        ("bytes=0-5,2-3", [(0, 6)]),
        ("bytes=2-3,0-5", [(0, 6)]),
        ("bytes=3-3,3-3", [(3, 4)]),
        ("bytes=0-0,2-2,1-1", [(0, 3)]),
        # ... and what stays apart keeps the order asked for, never across a gap
        ("bytes=0-0,2-2", [(0, 1), (2, 3)]),
        ("bytes=8-9,0-0", [(8, 10), (0, 1)]),
        ("bytes=-1,0-0,4-5", [(9, 10), (0, 1), (4, 6)]),
        ("bytes=6-6,0-0,7-7", [(6, 8), (0, 1)]),
        ("bytes=9-9,3-3,0-0,4-4", [(9, 10), (3, 5), (0, 1)]),
        # §17.15: more than there is, before merging
        ("bytes=0-9,0-0", ALL),
        ("bytes=0-,0-", ALL),
        ("bytes=0-5,0-4", ALL),
        ("bytes=0-4,0-4", [(0, 5)]),
        ("bytes=0-4,5-9", [(0, 10)]),
        ("bytes=5-99,0-4", [(0, 10)]),
        ("bytes=-6,0-4", ALL),
    ],
)
def test_spans(field: str, spans: list[Span] | None) -> None:
    assert parse_ranges([field], 10) == spans


def test_no_field_asks_for_the_whole() -> None:
    assert parse_ranges([], 10) is None


def test_two_fields_are_ignored() -> None:
    """RFC 9110 §5.3: Range is no list, so that it stands once."""
    assert parse_ranges(["bytes=0-0", "bytes=2-2"], 10) is None


@pytest.mark.parametrize("field", ["bytes=0-0", "bytes=-1", "bytes=0-", "bytes=5-"])
def test_an_empty_representation_has_no_ranges(field: str) -> None:
    """SPEC 3: an empty file answers 200."""
    assert parse_ranges([field], 0) is None


def test_as_many_ranges_as_the_limit_says() -> None:
    """RFC 9110 §17.15: a set that costs more than it is worth is ignored."""
    field = "bytes=" + ",".join(f"{place}-{place}" for place in range(0, 2 * MAX_RANGES, 2))
    assert len(parse_ranges([field], 1000) or ()) == MAX_RANGES
    assert parse_ranges([field + ",500-500"], 1000) is None
    assert parse_ranges(["bytes=0-0,2-2"], 10, most=1) is None


def test_empty_elements_are_not_counted() -> None:
    assert parse_ranges(["bytes=" + "," * 1000 + "0-0"], 10) == [(0, 1)]


def test_a_hundred_thousand_ranges_that_touch_are_one() -> None:
    """Merging is one sort and one pass."""
    field = "bytes=" + ",".join(f"{place}-{place}" for place in range(100_000))
    assert parse_ranges([field], 100_000, most=100_000) == [(0, 100_000)]


@given(
    size=st.integers(1, 60),
    asked=st.lists(
        st.tuples(st.integers(0, 70), st.integers(0, 70)).filter(lambda pair: pair[0] <= pair[1]),
        min_size=1,
        max_size=8,
    ),
)
def test_merging_keeps_every_byte_and_adds_none(size: int, asked: list[tuple[int, int]]) -> None:
    wanted = {place for first, last in asked for place in range(first, min(last + 1, size))}
    total = sum(max(0, min(last + 1, size) - first) for first, last in asked)
    spans = parse_ranges(["bytes=" + ",".join(f"{first}-{last}" for first, last in asked)], size)
    if total > size:
        assert spans is None
        return
    assert spans is not None
    assert {place for start, end in spans for place in range(start, end)} == wanted
    assert sum(end - start for start, end in spans) == len(wanted)
    # Apart from each other, and each in the place of the first that it was made of.
    ordered = sorted(spans)
    assert all(before[1] < after[0] for before, after in pairwise(ordered))
    places = [min(index for index, (first, _) in enumerate(asked) if start <= first < end) for start, end in spans]
    assert places == sorted(places)
