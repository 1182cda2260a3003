"""Which part of a representation a request gets: preconditions first (RFC 9110 §13), then its ranges (§14)."""

from __future__ import annotations

from typing import Final, Protocol

from heaven_core.conditional import evaluate, may_use_range
from heaven_core.headers import Field, Headers
from heaven_core.ranges import Span, parse_ranges
from heaven_core.validators import Validators

__all__ = ["PRECONDITION_FAILED", "Conditions", "precondition", "spans_of"]

PRECONDITION_FAILED: Final = "412 Precondition Failed\n"


class Conditions(Protocol):
    """What is wanted of a request here."""

    @property
    def method(self) -> str:
        """The method, in upper case."""
        ...

    @property
    def headers(self) -> Headers:
        """The header lines."""
        ...


def precondition(request: Conditions, status: int, current: Validators, now: float) -> int | None:
    """304 or 412 where the response of this status is to be that instead, else `None`.

    Only where the answer would be 2xx (RFC 9110 §13.2.1), and only on GET and HEAD: what changes state has to ask
    before the work.
    """
    if not 200 <= status <= 299 or request.method not in ("GET", "HEAD"):
        return None
    if current.etag is None and current.last_modified is None:
        return None
    return evaluate(request.method, request.headers, current, now)


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
