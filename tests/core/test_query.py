"""The query of a request: WHATWG URL §5.1, `application/x-www-form-urlencoded` parsing."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.errors import BadRequest, MissingValue
from heaven_core.http.query import Query


@pytest.mark.parametrize(
    ("query_string", "fields"),
    [
        (b"", []),
        (b"a=1", [("a", "1")]),
        (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"a", [("a", "")]),
        (b"a=", [("a", "")]),
        (b"=1", [("", "1")]),
        (b"=", [("", "")]),
        (b"&&a=1&", [("a", "1")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a;b=1", [("a;b", "1")]),
        (b"a+b=c+d", [("a b", "c d")]),
        (b"a%2Bb=c%20d", [("a+b", "c d")]),
        (b"a=%2526", [("a", "%26")]),
        (b"a%26b=%3D%26", [("a&b", "=&")]),
        (b"a=%C3%A9", [("a", "é")]),
        ("a=é".encode(), [("a", "é")]),
        (b"a=%E9", [("a", "\ufffd")]),
        (b"a=\xe9", [("a", "\ufffd")]),
        (b"a=100%&b=%zz&c=%4", [("a", "100%"), ("b", "%zz"), ("c", "%4")]),
        (b"a=%00%0d%0A", [("a", "\0\r\n")]),
    ],
)
def test_a_query_string_is_read(query_string: bytes, fields: list[tuple[str, str]]) -> None:
    assert list(Query(query_string)) == fields


def test_the_first_value_counts() -> None:
    query = Query(b"q=1&q=2&empty=")
    assert query["q"] == "1"
    assert query.get("q") == "1"
    assert query["empty"] == ""
    assert query.get("empty", "x") == ""


def test_all_values_in_order() -> None:
    query = Query(b"q=1&x=0&q=2")
    assert query.get_all("q") == ["1", "2"]
    assert query.get_all("none") == []
    query.get_all("q").append("3")
    assert query.get_all("q") == ["1", "2"]


def test_names_are_case_sensitive() -> None:
    query = Query(b"q=1")
    assert "q" in query
    assert "Q" not in query
    assert 1 not in query


def test_a_missing_value_is_the_clients_mistake_and_a_key_error() -> None:
    """SPEC section 2: a 400 unless it is caught."""
    with pytest.raises(MissingValue, match="the query has no field q") as missing:
        Query(b"a=1")["q"]
    assert isinstance(missing.value, BadRequest)
    assert isinstance(missing.value, KeyError)
    assert Query(b"").get("q") is None
    assert Query(b"").get("q", "x") == "x"


def test_the_length_of_a_query_counts_fields() -> None:
    assert len(Query(b"a=1&a=2&b")) == 3
    assert not Query(b"")


def test_a_query_shows_its_fields() -> None:
    assert repr(Query(b"a=1")) == "Query([('a', '1')])"


@pytest.mark.timeout(30)
def test_a_query_of_many_fields_takes_linear_time() -> None:
    """Many names, or one name many times, and each looked up: squares of that would take minutes, and time out."""
    count = 100_000
    many = Query(b"&".join(b"n%d=%%41" % number for number in range(count)))
    assert all(many[f"n{number}"] == "A" for number in range(count))
    assert len(Query(b"a&" * count).get_all("a")) == count


@given(st.lists(st.tuples(st.text(), st.text())))
def test_fields_that_a_form_writes_are_read_back(fields: list[tuple[str, str]]) -> None:
    fields = [(name.encode("utf-8", "replace").decode(), value) for name, value in fields]
    fields = [(name, value.encode("utf-8", "replace").decode()) for name, value in fields]
    assert list(Query(urlencode(fields).encode("ascii"))) == fields


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_the_standard_library_reads_them(data: bytes) -> None:
    """It takes `latin-1` text for bytes, so only those of ASCII are compared."""
    ascii_only = bytes(byte for byte in data if byte < 128)
    expected = parse_qsl(ascii_only.decode("ascii"), keep_blank_values=True, errors="replace")
    assert list(Query(ascii_only)) == expected
    assert len(Query(data)) == len([piece for piece in data.split(b"&") if piece])


def test_a_default_takes_the_place_of_what_is_missing() -> None:
    query = Query(b"q=a&empty=")
    assert (query.get("q", ""), query.get("x", ""), query.get("empty", "b")) == ("a", "", "")
    assert (query.str("q"), query.str("x", ""), query.str("x", None)) == ("a", "", None)


def test_what_is_needed_and_missing_is_the_clients_mistake() -> None:
    for read in (Query(b"a=1").str, Query(b"a=1").int):
        with pytest.raises(MissingValue, match="the query has no field q"):
            read("q")


def test_a_number_is_read_from_its_digits() -> None:
    query = Query(b"page=12&offset=-3")
    assert (query.int("page"), query.int("offset"), query.int("page", 1)) == (12, -3, 12)
    assert (query.int("x", 1), query.int("x", None)) == (1, None)


@pytest.mark.parametrize("sent", [b"page=", b"page=x", b"page=1.5", b"page=%201", b"page=1_0", b"page=%D9%A3"])
def test_what_is_no_number_is_the_clients_mistake_with_a_default_too(sent: bytes) -> None:
    query = Query(sent)
    with pytest.raises(BadRequest, match="the field page of the query is no integer: "):
        query.int("page")
    with pytest.raises(BadRequest, match="the field page of the query is no integer: "):
        query.int("page", 1)
