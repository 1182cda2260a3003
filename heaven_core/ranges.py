"""Range requests (RFC 9110 §14): which bytes of a representation a client gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

__all__ = ["MAX_RANGES", "Span", "parse_ranges"]

# First byte and the one after the last.
Span: TypeAlias = tuple[int, int]

MAX_RANGES: Final = 100

_UNIT: Final = re.compile(r"bytes=", re.IGNORECASE)  # RFC 9110 §14.1: range units are case-insensitive
_INT_OR_SUFFIX: Final = re.compile(r"([0-9]*)-([0-9]*)")
# No file has so many bytes, and int() refuses texts of thousands of digits.
_MOST_DIGITS: Final = 20


def parse_ranges(lines: Sequence[str], size: int, most: int = MAX_RANGES) -> list[Span] | None:
    """The spans of a representation of `size` bytes that Range asks for, merged; none of them: answer 416.

    `None` means that Range is to be ignored, as for another unit, for a malformed set, for more than `most` ranges and
    for ranges that add up to more than the representation. Overlapping and adjacent ones are merged into the place of
    the first; the others keep the order in which they were asked for (RFC 9110 §15.3.7.2).
    """
    if len(lines) != 1 or size == 0:
        return None
    unit = _UNIT.match(lines[0])
    if unit is None:
        return None
    spans: list[Span] = []
    count = 0
    total = 0
    for element in lines[0][unit.end() :].split(","):
        text = element.strip(" \t")
        if not text:
            continue  # RFC 9110 §5.6.1.2: empty elements are to be ignored
        count += 1
        found = _INT_OR_SUFFIX.fullmatch(text)
        if found is None or count > most:
            return None
        first, last = found[1].lstrip("0") or found[1][:1], found[2].lstrip("0") or found[2][:1]
        if not first and not last:
            return None
        if first and last and (len(last), last) < (len(first), first):
            return None
        span = _clamped(first, last, size)
        if span is not None:
            spans.append(span)
            total += span[1] - span[0]
    if not count or total > size:
        return None
    return _merged(spans)


def _clamped(first: str, last: str, size: int) -> Span | None:
    """The bytes that there are of a range, `None` if there are none."""
    if not first:
        length = _number(last)
        return (max(0, size - length), size) if length else None
    start = _number(first)
    if start >= size:
        return None
    return start, min(_number(last) + 1, size) if last else size


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _merged(spans: list[Span]) -> list[Span]:
    groups: list[tuple[int, Span]] = []
    for place, (start, end) in sorted(enumerate(spans), key=lambda item: item[1]):
        if groups and start <= groups[-1][1][1]:
            first_place, (group_start, group_end) = groups[-1]
            groups[-1] = (min(first_place, place), (group_start, max(group_end, end)))
        else:
            groups.append((place, (start, end)))
    return [span for _, span in sorted(groups)]
