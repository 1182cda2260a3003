"""SPEC 1, `res.headers`: a case-insensitive multimap whose lines are checked where they are set."""

from __future__ import annotations

import pytest

from heaven_core import Headers, Response, ResponseHeaders
from tests.handlers.kit import ask, given, loose

SINGLE = [
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-Range",
    "Content-Disposition",
    "Location",
    "ETag",
    "Last-Modified",
    "Expires",
    "Age",
    "Retry-After",
    "Cache-Control",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Max-Age",
    "Strict-Transport-Security",
    "X-Frame-Options",
    "X-Content-Type-Options",
]


def headers(*lines: tuple[str, str | int]) -> ResponseHeaders:
    response = Response()
    for line in lines:
        response.headers = line
    return response.headers


def test_assigning_adds_a_line() -> None:
    """`res.headers = "X-Powered-By", "Heaven"`."""

    def act(res: Response) -> None:
        res.headers = "X-Powered-By", "Heaven"
        res.headers = "Link", "</a>"
        res.headers = "Link", "</b>"

    answer = ask(act)
    assert answer.headers["X-Powered-By"] == "Heaven"
    assert answer.headers.get_all("Link") == ["</a>", "</b>"]


@pytest.mark.parametrize("name", SINGLE)
def test_a_field_that_may_stand_once_is_replaced(name: str) -> None:
    """RFC 9110 §5.2: two lines of a field that is no list would contradict each other."""
    assert headers((name, "1"), ("X-Other", "x"), (name.upper(), "2")).get_all(name) == ["2"]


@pytest.mark.parametrize("name", ["Link", "Set-Cookie", "WWW-Authenticate", "X-Anything", "Allow", "Server-Timing"])
def test_every_other_field_is_added(name: str) -> None:
    assert headers((name, "1"), (name.lower(), "2")).get_all(name) == ["1", "2"]


def test_vary_repeats_no_member() -> None:
    """RFC 9110 §12.5.5: members are field names, and so case-insensitive."""
    lines = headers(("Vary", "Accept, Origin"), ("Vary", "origin"), ("Vary", "Cookie,, ACCEPT, cookie"))
    assert lines.get_all("Vary") == ["Accept, Origin", "Cookie"]


def test_vary_needs_nothing_beside_a_star() -> None:
    assert headers(("Vary", "*"), ("Vary", "Origin")).get_all("Vary") == ["*"]


def test_integers_are_written_out() -> None:
    assert headers(("Retry-After", 120), ("X-Big", 10**30))["X-Big"] == "1" + "0" * 30


def test_names_are_case_insensitive() -> None:
    """RFC 9110 §5.1."""
    lines = headers(("X-Mixed", "1"))
    assert lines.get("x-mixed") == lines["X-MIXED"] == "1"
    assert "x-MIXED" in lines


def test_get_gives_the_first_or_the_default() -> None:
    lines = headers(("X-A", "1"), ("X-A", "2"))
    assert lines.get("X-A") == "1"
    assert lines.get("X-B") is None
    assert lines.get("X-B", "none") == "none"


def test_get_all_gives_every_line_in_order() -> None:
    lines = headers(("X-A", "1"), ("X-B", "2"), ("X-A", "3"))
    assert lines.get_all("x-a") == ["1", "3"]
    assert lines.get_all("x-c") == []


def test_add_adds_like_assigning() -> None:
    lines = headers(("X-A", "1"))
    lines.add("X-A", "2")
    lines.add("ETag", '"1"')
    lines.add("ETag", '"2"')
    assert list(lines) == [("x-a", "1"), ("x-a", "2"), ("etag", '"2"')]


def test_set_replaces_all_lines_in_the_place_of_the_first() -> None:
    lines = headers(("X-A", "1"), ("X-B", "2"), ("X-A", "3"))
    lines.set("x-a", "4")
    assert list(lines) == [("x-a", "4"), ("x-b", "2")]


def test_set_adds_what_is_not_there() -> None:
    lines = headers(("X-A", "1"))
    lines.set("X-B", 2)
    assert list(lines) == [("x-a", "1"), ("x-b", "2")]


def test_remove_takes_every_line() -> None:
    lines = headers(("X-A", "1"), ("X-B", "2"), ("X-A", "3"))
    lines.remove("x-A")
    lines.remove("X-Not-There")
    assert list(lines) == [("x-b", "2")]


def test_iterates_in_order() -> None:
    lines = headers(("X-B", "1"), ("X-A", "2"), ("X-B", "3"))
    assert list(lines) == [("x-b", "1"), ("x-a", "2"), ("x-b", "3")]
    assert len(lines) == 3


@pytest.mark.parametrize("name", [b"x-a", None, 5])
def test_a_name_that_is_no_text_is_not_in_the_headers(name: object) -> None:
    assert name not in headers(("X-A", "1"))


def test_a_missing_one_is_the_applications_mistake() -> None:
    """Not a 400, as a missing header of the request is: the client has no part in it."""

    def act(res: Response) -> None:
        res.body = res.headers["X-Missing"]

    with pytest.raises(KeyError, match="the response has no header X-Missing"):
        headers()["X-Missing"]
    assert ask(act).status == 500


def test_shows_what_it_holds() -> None:
    assert repr(headers(("X-A", "1"))) == "ResponseHeaders([(b'x-a', b'1')])"
    assert repr(Headers()) == "Headers([])"


def test_keeps_a_long_value() -> None:
    """Only short ones are remembered."""
    long = "x" * 1000
    assert headers(("X-" + "a" * 200, long)).get_all("X-" + "a" * 200) == [long]


@pytest.mark.parametrize("line", [("A",), ("A", "b", "c"), ["A", "b"], "Ab", None, {"A": "b"}], ids=repr)
def test_a_line_that_is_no_pair_is_refused(line: object) -> None:
    with pytest.raises(TypeError, match="takes a name and a value"):
        setattr(Response(), "headers", line)  # noqa: B010


@pytest.mark.parametrize("name", ["", "X A", "X:", "Ü", "X\r\nY", "X\0", "(x)", "X-A ", "x/y"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    """RFC 9110 §5.1 and §5.6.2."""
    with pytest.raises(ValueError, match="is no header name"):
        headers((name, "1"))


@pytest.mark.parametrize("name", [b"X-A", None, 5])
def test_a_name_that_is_no_text_is_refused(name: object) -> None:
    with pytest.raises(TypeError, match=f"a header name must be str, not {type(name).__name__}"):
        loose(Response().headers.add)(name, "1")


@pytest.mark.parametrize(
    "value", ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "a\x7f", "\x1b[0m", "a\x0bb", "\r\n", "a\n"], ids=repr
)
def test_a_control_character_in_a_value_is_refused(value: str) -> None:
    """RFC 9110 §5.5: no line may forge another."""
    with pytest.raises(ValueError, match="control character"):
        headers(("X-A", value))


@pytest.mark.parametrize("value", [" a", "a ", "\ta", "a\t", " "], ids=repr)
def test_a_blank_at_an_end_is_refused(value: str) -> None:
    """RFC 9110 §5.5: recipients strip it."""
    with pytest.raises(ValueError, match="begins or ends with a blank"):
        headers(("X-A", value))


@pytest.mark.parametrize("value", ["grüß", "\x85", "日本", "\ud800", "a\u2028b"], ids=ascii)
def test_a_value_that_is_not_ascii_is_refused_with_the_way_out(value: str) -> None:
    with pytest.raises(ValueError, match=r"percent-encode it, or use the form of RFC 8187"):
        headers(("X-A", value))


@pytest.mark.parametrize("value", ["", "a b", "a\tb", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", '"quoted"'])
def test_every_other_value_goes_out_as_it_is(value: str) -> None:
    def act(res: Response) -> None:
        res.headers = "X-A", value

    assert ask(act).headers["X-A"] == value


@pytest.mark.parametrize("value", [True, False, b"bytes", None, 1.5, ["a"]], ids=repr)
def test_a_value_of_another_type_is_refused(value: object) -> None:
    """A `bool` too: HTTP has no word for it."""
    with pytest.raises(TypeError, match=f"must be str or int, not {type(value).__name__}"):
        loose(Response().headers.add)("X-A", value)


@pytest.mark.parametrize("name", ["Date", "date", "DATE"])
def test_date_is_the_servers(name: str) -> None:
    """RFC 9110 §6.6.1."""
    with pytest.raises(ValueError, match="the server writes it"):
        headers((name, "Thu, 01 Jan 2026 00:00:00 GMT"))


@pytest.mark.parametrize(
    "name", ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "transfer-encoding"]
)
def test_hop_by_hop_fields_are_refused(name: str) -> None:
    """RFC 9110 §7.6.1: they are about a connection that the handler does not see."""
    with pytest.raises(ValueError, match=r"framing belongs to the adapter; set res\.close"):
        headers((name, "x"))


@pytest.mark.parametrize("value", ["abc", "-5", "1.0", "0x10", "", -1, "1,1", "٣"])
def test_a_content_length_is_a_number_of_bytes(value: str | int) -> None:
    """RFC 9110 §8.6."""
    with pytest.raises(ValueError, match=r"number of bytes, 0 or more|beyond ASCII"):
        headers(("Content-Length", value))


def test_a_refused_line_leaves_the_others_alone() -> None:
    lines = headers(("ETag", '"1"'), ("Vary", "Origin"))
    with pytest.raises(ValueError, match="control character"):
        lines.set("ETag", '"2"\r\n')
    with pytest.raises(ValueError, match="control character"):
        lines.add("Vary", "Accept\n")
    assert list(lines) == [("etag", '"1"'), ("vary", "Origin")]


def test_a_line_is_set_by_its_name_in_place_of_all_of_that_name() -> None:
    def act(res: Response) -> None:
        res.headers = "X-A", "1"
        res.headers = "X-A", "2"
        res.headers["x-a"] = 3
        res.headers["Vary"] = "Origin"
        res.headers["Vary"] = "Cookie"

    headers = ask(act).headers
    assert headers.get_all("X-A") == ["3"]
    assert headers.get_all("Vary") == ["Origin", "Cookie"]


def test_a_line_that_can_not_be_sent_is_refused_by_its_name_too() -> None:
    with pytest.raises(ValueError, match="the value of X-A"):
        given(lambda res: res.headers.__setitem__("X-A", "a\nb"))


def test_a_line_is_deleted_and_one_that_is_not_there_is_an_error() -> None:
    def act(res: Response) -> None:
        res.headers = "X-A", "1"
        res.headers = "X-A", "2"
        del res.headers["x-a"]
        assert "X-A" not in res.headers
        with pytest.raises(KeyError, match="the response has no header x-a"):
            del res.headers["x-a"]
        res.headers.remove("x-a")

    given(act)


def test_a_default_takes_the_place_of_a_line_that_is_not_there() -> None:
    headers = given(lambda res: res.headers.set("X-A", "1")).headers
    assert (headers.get("X-A", ""), headers.get("X-B", ""), headers.get("X-B"), headers.get("X-B", 0)) == (
        "1", "", None, 0,
    )  # fmt: skip
