"""HTTP dates: RFC 9110 §5.6.7."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.dates import format_http_date, parse_http_date

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC).timestamp()
THE_EXAMPLE = 784111777  # the instant that the three examples of the RFC name
FIRST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def seconds(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return int((datetime(year, month, day, hour, minute, second, tzinfo=UTC)).timestamp())


# Writing


def test_a_date_is_written_as_imf_fixdate() -> None:
    """RFC 9110 §5.6.7: a sender MUST generate the IMF-fixdate format."""
    assert format_http_date(THE_EXAMPLE) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (1.999, "Thu, 01 Jan 1970 00:00:01 GMT"),
        (-0.5, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (FIRST, "Mon, 01 Jan 0001 00:00:00 GMT"),
        (LAST + 0.5, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_a_fraction_of_a_second_is_cut_off_downwards(timestamp: float, text: str) -> None:
    """RFC 9110 §8.8.2.1: Last-Modified must not be later than the change, so no rounding up."""
    assert format_http_date(timestamp) == text


@pytest.mark.parametrize("timestamp", [FIRST - 1, LAST + 1, 1e300, float("inf"), float("nan")])
def test_a_time_that_four_digits_of_a_year_cannot_express_is_refused(timestamp: float) -> None:
    """RFC 9110 §5.6.7: year = 4DIGIT."""
    with pytest.raises(ValueError, match="no HTTP-date can express"):
        format_http_date(timestamp)


@given(st.integers(FIRST, LAST))
def test_a_date_that_is_written_reads_back_and_the_standard_library_agrees(timestamp: int) -> None:
    """RFC 9110 §5.6.7: a recipient MUST accept what a sender must generate."""
    text = format_http_date(timestamp)
    assert parse_http_date(text, NOW) == timestamp
    assert text == email.utils.format_datetime(datetime.fromtimestamp(timestamp, UTC), usegmt=True)


# Reading


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_all_three_formats_are_read(text: str) -> None:
    """RFC 9110 §5.6.7: a recipient that parses a timestamp MUST accept all three."""
    assert parse_http_date(text, NOW) == THE_EXAMPLE


def test_a_day_of_two_digits_is_read_in_asctime() -> None:
    """RFC 9110 §5.6.7: date3 = month SP ( 2DIGIT / ( SP 1DIGIT ))."""
    assert parse_http_date("Wed Nov 16 08:49:37 1994", NOW) == THE_EXAMPLE + 10 * 86400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "784111777",
        "1994-11-06T08:49:37Z",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, ٠6 Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08:49:37 94",
    ],
)
def test_text_in_any_other_form_is_no_date(text: str) -> None:
    """RFC 9110 §5.6.7: the grammar is case-sensitive and allows no other blanks."""
    assert parse_http_date(text, NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 30 Feb 1994 00:00:00 GMT",
        "Mon, 00 Nov 1994 00:00:00 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1994 23:59:61 GMT",
        "Sunday, 31-Nov-94 08:49:37 GMT",
    ],
)
def test_a_day_or_time_that_does_not_exist_is_no_date(text: str) -> None:
    """RFC 5322 §3.3, of which IMF-fixdate is a subset: the date MUST be semantically valid."""
    assert parse_http_date(text, NOW) is None


def test_a_leap_second_is_the_first_second_of_the_next_day() -> None:
    """RFC 9110 §5.6.7: second = 2DIGIT, to 23:59:60."""
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == seconds(2017, 1, 1)


@pytest.mark.parametrize("text", ["Mon, 06 Nov 1994 08:49:37 GMT", "Mon Nov  6 08:49:37 1994"])
def test_a_wrong_day_of_the_week_is_no_date(text: str) -> None:
    """RFC 5322 §3.3: the day of the week MUST be the day implied by the date."""
    assert parse_http_date(text, NOW) is None


# The two-digit year of RFC 850


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("Sunday, 06-Nov-94 08:49:37 GMT", 1994),
        ("Friday, 06-Nov-26 08:49:37 GMT", 2026),
        ("Friday, 06-Nov-75 08:49:37 GMT", 2075),
        ("Friday, 06-Nov-76 08:49:37 GMT", 1976),
        ("Friday, 06-Nov-77 08:49:37 GMT", 1977),
        ("Friday, 06-Nov-00 08:49:37 GMT", 2000),
    ],
)
def test_a_year_more_than_50_years_ahead_is_in_the_past(text: str, year: int) -> None:
    """RFC 9110 §5.6.7: that means the most recent year in the past with the same last two digits."""
    assert parse_http_date(text, NOW) == seconds(year, 11, 6, 8, 49, 37)


def test_exactly_50_years_ahead_is_not_more_than_50() -> None:
    """RFC 9110 §5.6.7: "more than 50 years in the future"."""
    assert parse_http_date("Wednesday, 01-Jul-76 12:00:00 GMT", NOW) == seconds(2076, 7, 1, 12)
    assert parse_http_date("Wednesday, 01-Jul-76 12:00:01 GMT", NOW) == seconds(1976, 7, 1, 12, 0, 1)


def test_the_century_turns_with_the_clock() -> None:
    """RFC 9110 §5.6.7: in 2099 the year 05 lies six years ahead, not 94 behind."""
    assert parse_http_date("Monday, 06-Jul-05 00:00:00 GMT", seconds(2099, 1, 1)) == seconds(2105, 7, 6)


def test_the_day_of_the_week_does_not_choose_the_century() -> None:
    """RFC 9110 §5.6.7: the 50-year rule alone does; 1 January 2077 is a Friday, 1977 a Saturday."""
    expected = seconds(1977, 1, 1)
    assert parse_http_date("Friday, 01-Jan-77 00:00:00 GMT", NOW) == expected
    assert parse_http_date("Saturday, 01-Jan-77 00:00:00 GMT", NOW) == expected


def test_a_leap_day_must_exist_in_the_year_that_the_rule_gives() -> None:
    """RFC 9110 §5.6.7: read in 2050, the year 00 is 2100, which has no 29 February."""
    assert parse_http_date("Monday, 29-Feb-00 00:00:00 GMT", seconds(2026, 1, 1)) == seconds(2000, 2, 29)
    assert parse_http_date("Monday, 29-Feb-00 00:00:00 GMT", seconds(2051, 1, 1)) is None


@given(st.integers(seconds(1976, 7, 2), seconds(2076, 7, 1)))
def test_an_rfc_850_date_within_the_window_reads_back(timestamp: int) -> None:
    """RFC 9110 §5.6.7."""
    when = datetime.fromtimestamp(timestamp, UTC)
    text = f"{when:%A, %d-%b-%y %H:%M:%S} GMT"
    assert parse_http_date(text, NOW) == timestamp


@given(st.text(max_size=40))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """RFC 9110 §13.1.3: a date that is not one is ignored, so reading it never raises."""
    parse_http_date(text, NOW)


@pytest.mark.parametrize(
    "text",
    ["Fri, 31 Dec 9999 23:59:60 GMT", "Fri Dec 31 23:59:60 9999"],
)
def test_a_leap_second_that_leads_beyond_the_last_year_is_no_date(text: str) -> None:
    """Whatever is read can be written."""
    assert parse_http_date(text, NOW) is None
    assert parse_http_date(text.replace(":60", ":59"), NOW) == 253_402_300_799
