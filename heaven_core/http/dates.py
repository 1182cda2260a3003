"""HTTP dates (RFC 9110 §5.6.7): written in the one format that may be sent, read in all three that arrive.

By hand over `datetime.date`: `email.utils` loads sockets, `calendar` and `time` depend on the locale.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from math import floor
from typing import Final

__all__ = ["format_http_date", "parse_http_date"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS: Final = {name: number for number, name in enumerate(_MONTHS, 1)}
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SECONDS_A_DAY: Final = 86_400

# The grammar is case-sensitive and allows no other blank than those written here.
_TIME: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_WEEKDAY: Final = f"(?P<weekday>{'|'.join(_DAYS)})"
_IMF_FIXDATE: Final = re.compile(f"{_WEEKDAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT")
_ASCTIME: Final = re.compile(
    f"{_WEEKDAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)
_RFC850: Final = re.compile(
    f"(?:{'|'.join(_LONG_DAYS)}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"
)


def format_http_date(timestamp: float) -> str:
    """Seconds since the epoch as an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`; a fraction is cut off.

    Raises `ValueError` for a time outside the years 1 to 9999, which no HTTP-date can express, NaN and
    infinities.
    """
    try:
        return _format(floor(timestamp))
    except (ValueError, OverflowError):
        raise ValueError(
            f"no HTTP-date can express the timestamp {timestamp!r}: its year must be 1 to 9999 (RFC 9110 §5.6.7)"
        ) from None


# One response carries the same second in Date and Last-Modified, and thousands carry the same Date.
@lru_cache(maxsize=256)
def _format(seconds: int) -> str:
    days, rest = divmod(seconds, _SECONDS_A_DAY)
    day = date.fromordinal(_EPOCH + days)
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return (
        f"{_DAYS[day.weekday()]}, {day.day:02} {_MONTHS[day.month - 1]} {day.year:04} "
        f"{hour:02}:{minute:02}:{second:02} GMT"
    )


def parse_http_date(text: str, now: float) -> int | None:
    """The seconds since the epoch that `text` names, `None` if it is no HTTP-date (RFC 9110 §5.6.7).

    IMF-fixdate, RFC 850 and asctime dates, strictly. `now`, in seconds since the epoch, is only used for the
    two-digit year of RFC 850: a date that would lie more than 50 years ahead is taken to be in the past.

    A wrong day of the week makes an IMF-fixdate or asctime date invalid (RFC 5322 §3.3). In an RFC 850 date
    it is not compared: nobody can tell which century its writer had in mind, so the 50-year rule decides
    alone.
    """
    match = _IMF_FIXDATE.fullmatch(text) or _ASCTIME.fullmatch(text)
    two_digits = match is None
    if match is None:
        match = _RFC850.fullmatch(text)
        if match is None:
            return None
    month, day = _MONTH_NUMBERS[match["month"]], int(match["day"])
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if hour > 23 or minute > 59 or (second > 59 and (hour, minute, second) != (23, 59, 60)):
        return None  # 23:59:60 is a leap second, and reads as the first second of the next day
    seconds = hour * 3600 + minute * 60 + second
    year = int(match["year"])
    if two_digits:
        year = _most_recent_year(year, (month, day, seconds), now)
    try:
        when = date(year, month, day)
    except ValueError:  # 30 February, year 0
        return None
    if not two_digits and _DAYS[when.weekday()] != match["weekday"]:
        return None
    if when == date.max and seconds == _SECONDS_A_DAY:
        return None  # the second after the last that an HTTP-date can name
    return (when.toordinal() - _EPOCH) * _SECONDS_A_DAY + seconds


def _most_recent_year(last_digits: int, rest: tuple[int, int, int], now: float) -> int:
    """The last year with these digits in which `rest`, (month, day, second), is at most 50 years ahead."""
    days, second = divmod(floor(now), _SECONDS_A_DAY)
    today = date.fromordinal(_EPOCH + days)
    limit = today.year + 50
    year = limit - (limit - last_digits) % 100
    if year == limit and rest > (today.month, today.day, second):
        return year - 100
    return year
