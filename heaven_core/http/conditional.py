"""Conditional requests (RFC 9110 §13): whether the client's idea of a representation still holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from heaven_core.http.dates import parse_http_date
from heaven_core.http.headers import Headers
from heaven_core.http.validators import Validators

__all__ = [
    "PRECONDITION_FAILED",
    "Conditions",
    "evaluate",
    "may_use_range",
    "parse_tags",
    "precondition",
    "strong_match",
    "weak_match",
]


PRECONDITION_FAILED: Final = "412 Precondition Failed\n"


# RFC 9110 §8.8.3. A tag may hold a comma, so a list is read and not split; field values come decoded as ISO 8859-1.
_TAG: Final = re.compile(r'(?:W/)?"[!#-~\x80-\xff]*"')

_BETWEEN: Final = re.compile(r"[ \t]*(?:,[ \t]*)+")

_ANY: Final = "*"


class Conditions(Protocol):
    """The part of a request that conditions are read from."""

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

    Only where the response would be 2xx (RFC 9110 §13.2.1), and only on GET and HEAD: what changes state has to ask
    before the work.
    """
    if not 200 <= status <= 299 or request.method not in ("GET", "HEAD"):
        return None
    if current.etag is None and current.last_modified is None:
        return None
    return evaluate(request.method, request.headers, current, now)


def parse_tags(lines: Sequence[str]) -> tuple[str, ...]:
    """The tags of a list over all lines of its field; (`*`,) for any. A malformed list has none (RFC 9110 §13.1.1)."""
    text = ",".join(lines).strip(" \t")
    if text == _ANY:
        return (_ANY,)
    tags: list[str] = []
    separator = _BETWEEN.match(text)  # RFC 9110 §5.6.1.2: empty elements are to be ignored
    position = 0 if separator is None else separator.end()
    while position < len(text):
        tag = _TAG.match(text, position)
        if tag is None:
            return ()
        tags.append(tag[0])
        position = tag.end()
        separator = _BETWEEN.match(text, position)
        if separator is not None:
            position = separator.end()
        elif position < len(text):
            return ()
    return tuple(tags)


def strong_match(tags: Sequence[str], etag: str | None) -> bool:
    """RFC 9110 §8.8.3.2: equal, and neither is weak."""
    return etag is not None and etag in tags and not etag.startswith("W/")


def weak_match(tags: Sequence[str], etag: str | None) -> bool:
    """RFC 9110 §8.8.3.2: equal but for weakness."""
    return etag is not None and etag.removeprefix("W/") in [tag.removeprefix("W/") for tag in tags]


def evaluate(method: str, headers: Headers, current: Validators | None, now: float) -> int | None:
    """What the preconditions of a request say, in the order of RFC 9110 §13.2.2: 304, 412, or `None` to go on.

    `current` are the validators of the current representation, `None` if there is no such thing; `now` is the time in
    seconds since the epoch.
    """
    reads = method in ("GET", "HEAD")
    etag = None if current is None else current.etag
    last_modified = None if current is None else current.last_modified
    if_match = headers.get_all("If-Match")
    if if_match:
        tags = parse_tags(if_match)
        if not (strong_match(tags, etag) or (current is not None and tags == (_ANY,))):
            return 412
    elif last_modified is not None:
        since = _date(headers, "If-Unmodified-Since", now)
        if since is not None and last_modified > since:
            return 412
    if_none_match = headers.get_all("If-None-Match")
    if if_none_match:
        tags = parse_tags(if_none_match)
        if weak_match(tags, etag) or (current is not None and tags == (_ANY,)):
            return 304 if reads else 412
    elif reads and last_modified is not None:
        since = _date(headers, "If-Modified-Since", now)
        if since is not None and last_modified <= since:
            return 304
    return None


def may_use_range(headers: Headers, current: Validators, now: float) -> bool:
    """Whether Range counts (RFC 9110 §13.1.5): there is no If-Range, or it names this representation, strongly."""
    lines = headers.get_all("If-Range")
    if not lines:
        return True
    if len(lines) != 1:
        return False
    text = lines[0]
    if _TAG.fullmatch(text) is not None:
        return strong_match((text,), current.etag)
    date = parse_http_date(text, now)
    return date is not None and current.date_is_strong and date == current.last_modified


def _date(headers: Headers, name: str, now: float) -> int | None:
    """One date; any other, or two, count as absent (RFC 9110 §13.1.3, §13.1.4)."""
    lines = headers.get_all(name)
    return parse_http_date(lines[0], now) if len(lines) == 1 else None
