"""Range requests (RFC 9110 §14): which bytes of a representation a client gets, and the response that carries them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias, final

from heaven_core._record import Record
from heaven_core.http.conditional import Conditions, may_use_range
from heaven_core.http.headers import Field
from heaven_core.http.validators import Validators

__all__ = ["MAX_RANGES", "Partial", "Span", "parse_ranges", "partial_fields", "partial_of", "spans_of"]

# First byte and the one after the last.
Span: TypeAlias = tuple[int, int]


MAX_RANGES: Final = 100


_UNIT: Final = re.compile(r"bytes=", re.IGNORECASE)  # RFC 9110 §14.1: range units are case-insensitive

_INT_OR_SUFFIX: Final = re.compile(r"([0-9]*)-([0-9]*)")
# No file has so many bytes, and int() refuses texts of thousands of digits.
_MOST_DIGITS: Final = 20


# The whole's length is not the part's, and Content-Digest is of what is sent (RFC 9530 §2).
_OF_THE_WHOLE: Final = frozenset({b"content-length", b"content-digest", b"content-range"})


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
    """The part of a range that the representation has, `None` if it has none."""
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


def spans_of(
    request: Conditions, status: int, fields: list[Field], size: int, current: Validators, now: float, most: int
) -> list[Span] | None:
    """The spans that the request gets of `size` bytes; none of them make a 416, and `None` is the whole.

    Range is for GET only (RFC 9110 §14.2), and here for what would be a 200.
    """
    if request.method != "GET" or status != 200:
        return None
    lines = request.headers.get_all("Range")
    if not lines or not may_use_range(request.headers, current, now):
        return None
    spans = parse_ranges(lines, size, most)
    if spans is not None and len(spans) > 1 and any(name == b"content-encoding" for name, _ in fields):
        return None  # the parts of an encoded whole are of no use to a client that means to decode each of them
    return spans


@final
class Partial(Record):
    """`pieces` in order: bytes as they are, and spans of the representation; `length` of all of them in bytes.

    `content_range` is for the head of a single part, `content_type` for that of several (RFC 9110 §15.3.7.1, .2).
    """

    __slots__ = ("pieces", "length", "content_range", "content_type")
    __match_args__ = ("pieces", "length", "content_range", "content_type")

    def __init__(
        self,
        pieces: tuple[bytes | Span, ...],
        length: int,
        content_range: bytes | None = None,
        content_type: bytes | None = None,
    ) -> None:
        self.pieces: Final = pieces
        self.length: Final = length
        self.content_range: Final = content_range
        self.content_type: Final = content_type


def partial_of(spans: Sequence[Span], size: int, content_type: bytes | None, boundary: str) -> Partial:
    """The body that answers a request for `spans` (one at least) of a representation of `size` bytes.

    `boundary` is random, so that nobody can write a body in which it occurs.
    """
    if len(spans) == 1:
        return Partial((spans[0],), spans[0][1] - spans[0][0], _content_range(spans[0], size))
    delimiter = b"--" + boundary.encode("ascii")
    typed = b"" if content_type is None else b"Content-Type: " + content_type + b"\r\n"
    pieces: list[bytes | Span] = []
    length = 0
    before = b""
    for span in spans:
        # RFC 2046 §5.1.1: the line break before a delimiter belongs to it, and not to the part.
        head = before + delimiter + b"\r\n" + typed + b"Content-Range: " + _content_range(span, size) + b"\r\n\r\n"
        before = b"\r\n"
        pieces += (head, span)
        length += len(head) + span[1] - span[0]
    pieces.append(b"\r\n" + delimiter + b"--\r\n")
    return Partial(
        tuple(pieces),
        length + len(delimiter) + 6,
        content_type=b"multipart/byteranges; boundary=" + boundary.encode("ascii"),
    )


def partial_fields(fields: Sequence[Field], partial: Partial) -> list[Field]:
    """The lines of the whole's head as they are for the part.

    All of them stay, also where If-Range was used and RFC 9110 §15.3.7 would have fewer: players and caches look for
    the type in each response.
    """
    chosen = [
        line
        for line in fields
        if line[0] not in _OF_THE_WHOLE and (partial.content_type is None or line[0] != b"content-type")
    ]
    if partial.content_range is not None:
        chosen.append((b"content-range", partial.content_range))
    return chosen


def _content_range(span: Span, size: int) -> bytes:
    return b"bytes %d-%d/%d" % (span[0], span[1] - 1, size)
