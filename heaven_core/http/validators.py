"""What tells one version of a representation from another (RFC 9110 §8.8): entity tags and modification dates."""

from __future__ import annotations

import re
from datetime import datetime
from enum import Enum
from math import floor
from typing import Final, final

from heaven_core._checks import exact
from heaven_core._record import Record
from heaven_core.http.dates import format_http_date, parse_http_date
from heaven_core.http.headers import Field

__all__ = ["AUTO", "Auto", "Validators", "make_etag", "make_last_modified", "validators_of", "weak_tag_of"]


class Auto(Enum):
    """`AUTO`, which is no text, for every text can be a tag."""

    AUTO = "AUTO"


AUTO: Final = Auto.AUTO

# What may stand between the quotes (RFC 9110 §8.8.3), as far as it is ASCII: other octets are obs-text, which no field
# of ours has.
_OPAQUE: Final = re.compile(r"[!#-~]*")
_TAG: Final = re.compile(r'(?:W/)?"[!#-~]*"')


@final
class Validators(Record):
    """The validators of a representation: `etag`, and `last_modified` in seconds since the epoch; `None` for none.

    `date_is_strong`: two versions can't have the date in common (RFC 9110 §8.8.2.2).
    """

    __slots__ = ("etag", "last_modified", "date_is_strong")
    __match_args__ = ("etag", "last_modified", "date_is_strong")

    def __init__(self, etag: str | None, last_modified: int | None = None, date_is_strong: bool = False) -> None:
        self.etag: Final = etag
        self.last_modified: Final = last_modified
        self.date_is_strong: Final = date_is_strong


def make_etag(value: object) -> str:
    """`value` as an entity tag: `"v1"` and `W/"v1"` as they are, any other text in quotes.

    Raises `TypeError` if it is no `str`, `ValueError` for what a tag can't hold: a blank, a quote, a control character,
    a character beyond ASCII (RFC 9110 §8.8.3).
    """
    if not isinstance(value, str):
        raise TypeError(f"an entity tag must be a str, not {type(value).__name__}: {value!r}")
    value = exact(value)
    if _TAG.fullmatch(value) is not None:
        return value
    if _OPAQUE.fullmatch(value) is None:
        raise ValueError(f"an entity tag has visible ASCII characters but quotes (RFC 9110 §8.8.3): {value!r}")
    return f'"{value}"'


def make_last_modified(value: object) -> int:
    """An aware `datetime`, or seconds since the epoch, as whole seconds; a fraction is cut off.

    Raises `TypeError` for anything else, `ValueError` for a naive `datetime` and a time that no HTTP-date can express.
    """
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(f"a date without a time zone could be any of 24 hours; use datetime.now(UTC): {value!r}")
        value = value.timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a modification time must be a datetime or a timestamp, not {type(value).__name__}: {value!r}")
    format_http_date(value)
    return floor(value)


def weak_tag_of(body: bytes) -> bytes:
    """A tag of what the body says: weak, since nobody promises the same bytes for the same meaning next time."""
    from hashlib import blake2b  # noqa: PLC0415  (takes a millisecond to import, and few ask for it)

    return b'W/"' + blake2b(body, digest_size=12).hexdigest().encode("ascii") + b'"'


def validators_of(fields: list[Field], now: float, date_lag: float, replaced: bool = False) -> Validators:
    """The validators among the lines of a head; a date in the future is replaced there (RFC 9110 §8.8.2.1).

    `now` is in seconds since the epoch, and Date may be `date_lag` seconds behind it. A date that was `replaced`
    before is as weak as one that is now.
    """
    etag: str | None = None
    last_modified: int | None = None
    for index, (name, value) in enumerate(fields):
        if name == b"etag":
            etag = value.decode("latin-1")
        elif name == b"last-modified":
            last_modified = parse_http_date(value.decode("latin-1"), now)
            if last_modified is not None and last_modified > now:
                replaced = True
                last_modified = floor(now - date_lag)
                fields[index] = (name, format_http_date(last_modified).encode("ascii"))
    # The second must have been over for another one: until then a second change would have had the same date.
    strong = last_modified is not None and not replaced and now >= last_modified + 2
    return Validators(etag, last_modified, strong)
