"""Cookies: RFC 6265bis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from http.cookies import SimpleCookie
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.errors import MissingValue
from heaven_core.http.cookies import SameSite, cookie_identity, parse_cookies, set_cookie

COOKIE_OCTETS = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '",;\\')
NAMES = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12)
VALUES = st.text(COOKIE_OCTETS, max_size=20)


# Set-Cookie


def test_a_cookie_is_sent_with_path_and_samesite() -> None:
    """RFC 6265bis §4.1.1; Lax is what browsers assume, and says it to the others."""
    assert set_cookie("a", "b") == "a=b; Path=/; SameSite=Lax"


def test_every_attribute_is_written() -> None:
    """RFC 6265bis §4.1.1."""
    assert set_cookie(
        "id",
        "x1",
        path="/app",
        domain="example.com",
        max_age=60,
        expires=datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC),
        secure=True,
        httponly=True,
        samesite="None",
        partitioned=True,
    ) == (
        "id=x1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=60; Domain=example.com; Path=/app; "
        "Secure; HttpOnly; SameSite=None; Partitioned"
    )


def test_none_leaves_an_attribute_off() -> None:
    """RFC 6265bis §4.1.1: all of them are optional."""
    assert set_cookie("a", "b", path=None, samesite=None) == "a=b"


@pytest.mark.parametrize("value", ["", '""', '"quoted"', "a=b", "!#$%&'()*+-./:<=>?@[]^_`{|}~"])
def test_a_value_of_cookie_octets_is_taken_as_it_is(value: str) -> None:
    """RFC 6265bis §4.1.1: cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE )."""
    assert set_cookie("a", value, path=None, samesite=None) == f"a={value}"


@pytest.mark.parametrize("value", ["a b", 'a"b', '"a', 'a"', '"', "a,b", "a;b", "a\\b", "a\r\nb", "é", "\0", "\x7f"])
def test_a_value_outside_cookie_octets_is_refused(value: str) -> None:
    """RFC 6265bis §4.1.1."""
    with pytest.raises(ValueError, match="the value of the cookie a"):
        set_cookie("a", value)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "é", "a\n", "a,b", '"a"', "[a]"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    """RFC 6265bis §4.1.1: cookie-name = token."""
    with pytest.raises(ValueError, match="is no cookie name"):
        set_cookie(name, "x")


def test_name_and_value_may_have_4096_bytes_and_not_one_more() -> None:
    """RFC 6265bis §5.7: browsers ignore a longer one."""
    assert set_cookie("name", "x" * 4092)
    with pytest.raises(ValueError, match="4097 bytes"):
        set_cookie("name", "x" * 4093)


@pytest.mark.parametrize("max_age", [0, -1, 31536000])
def test_max_age_is_any_whole_number_of_seconds(max_age: int) -> None:
    """RFC 6265bis §5.6.2: 0 or less deletes the cookie."""
    assert set_cookie("a", "b", path=None, samesite=None, max_age=max_age) == f"a=b; Max-Age={max_age}"


def test_expires_is_converted_to_gmt() -> None:
    """RFC 6265bis §4.1.1: sane-cookie-date is an IMF-fixdate."""
    expires = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert "; Expires=Wed, 31 Dec 2025 22:30:00 GMT;" in set_cookie("a", "b", expires=expires)


def test_a_naive_expiry_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        set_cookie("a", "b", expires=datetime(2026, 1, 1))


def test_an_expiry_that_browsers_cannot_read_is_refused() -> None:
    """RFC 6265bis §5.1.1, step 5: a year before 1601 fails, and the cookie would stay."""
    assert "Mon, 01 Jan 1601" in set_cookie("a", "b", expires=datetime(1601, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="before 1601"):
        set_cookie("a", "b", expires=datetime.min.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "domain", ["example.com", ".example.com", "Sub.Example.COM", "localhost", "192.0.2.1", "a_b.c"]
)
def test_a_host_name_is_taken_as_domain(domain: str) -> None:
    """RFC 6265bis §4.1.2.3: a leading dot is ignored by browsers."""
    assert f"; Domain={domain}; Path=/;" in set_cookie("a", "b", domain=domain)


@pytest.mark.parametrize(
    "domain",
    ["", ".", "..a", "a..b", "a.", "a;b", "a\rb", "a b", "example.com:80", "bücher.example", "a" * 1025],
)
def test_a_domain_that_is_no_host_name_is_refused(domain: str) -> None:
    """RFC 6265bis §4.1.1: domain-value = <subdomain>."""
    with pytest.raises(ValueError, match="the domain of the cookie a"):
        set_cookie("a", "b", domain=domain)


@pytest.mark.parametrize("path", ["/", "/a/b", "/a b", "/a=b,c", "/" + "x" * 1023])
def test_a_path_is_taken_as_it_is(path: str) -> None:
    """RFC 6265bis §4.1.1: path-value = *av-octet."""
    assert f"; Path={path}; SameSite" in set_cookie("a", "b", path=path)


@pytest.mark.parametrize("path", ["", "app", "/a;Domain=x", "/a\n", "/é", "/a ", "/\0", "/\x7f", "/" + "x" * 1024])
def test_a_path_that_browsers_would_ignore_or_that_forges_an_attribute_is_refused(path: str) -> None:
    """RFC 6265bis §4.1.1, §5.6 and §5.6.4: another path would take its place without a word."""
    with pytest.raises(ValueError, match="the path of the cookie a"):
        set_cookie("a", "b", path=path)


def test_an_unknown_samesite_is_refused() -> None:
    """RFC 6265bis §4.1.1: samesite-value = "Strict" / "Lax" / "None"."""
    with pytest.raises(ValueError, match='must be "Lax", "Strict" or "None"'):
        set_cookie("a", "b", samesite=cast(SameSite, "lax"))


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (lambda: set_cookie("a", "b", samesite="None"), "SameSite=None needs secure=True"),
        (lambda: set_cookie("a", "b", partitioned=True), "Partitioned needs secure=True"),
        (lambda: set_cookie("__Secure-a", "b"), "prefix needs secure=True"),
        (lambda: set_cookie("__Host-a", "b"), "prefix needs secure=True"),
        (lambda: set_cookie("__host-a", "b"), "prefix needs secure=True"),
        (lambda: set_cookie("__Host-a", "b", secure=True, domain="a.example"), "prefix allows no domain"),
        (lambda: set_cookie("__Host-a", "b", secure=True, path="/a"), 'prefix needs path="/"'),
        (lambda: set_cookie("__Host-a", "b", secure=True, path=None), 'prefix needs path="/"'),
    ],
)
def test_a_missing_attribute_is_refused_and_not_added(make: Callable[[], str], missing: str) -> None:
    """RFC 6265bis §4.1.2.7, §4.1.3 and §5.7."""
    with pytest.raises(ValueError, match=missing):
        make()


@pytest.mark.parametrize("name", ["__Host-a", "__Secure-a"])
def test_a_prefixed_name_passes_with_its_attributes(name: str) -> None:
    """RFC 6265bis §4.1.3."""
    assert set_cookie(name, "b", secure=True).endswith("; Path=/; Secure; SameSite=Lax")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: set_cookie(cast(str, b"a"), "b"), "a cookie's name must be str"),
        (lambda: set_cookie("a", cast(str, 1)), "the value of the cookie 'a' must be str"),
        (lambda: set_cookie("a", "b", path=cast(str, 1)), "the path of the cookie a must be str"),
        (lambda: set_cookie("a", "b", domain=cast(str, 1)), "the domain of the cookie a must be str"),
        (
            lambda: set_cookie("a", "b", max_age=cast(int, 1.5)),
            "max_age of the cookie a, in seconds, must be int",
        ),
        (lambda: set_cookie("a", "b", max_age=True), "max_age of the cookie a, in seconds, must be int"),
        (
            lambda: set_cookie("a", "b", expires=cast(datetime, 5)),
            "expires of the cookie a must be a datetime",
        ),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(make: Callable[[], str], what: str) -> None:
    with pytest.raises(TypeError, match=what):
        make()


@given(NAMES, VALUES)
def test_a_cookie_that_is_set_comes_back(name: str, value: str) -> None:
    """RFC 6265bis §5.8.3: a browser sends name=value as it got it."""
    pair = set_cookie(name, value, secure=True).partition(";")[0]
    assert parse_cookies([pair]) == {name: value}


@given(st.text(max_size=10), st.text(max_size=10), st.text(max_size=10), st.text(max_size=10))
def test_no_argument_can_forge_an_attribute(name: str, value: str, path: str, domain: str) -> None:
    """RFC 6265bis §5.6: a semicolon ends an attribute wherever it stands."""
    try:
        line = set_cookie(name, value, path=path, domain=domain, secure=True)
    except ValueError:
        return
    assert line.isascii()
    assert line.isprintable()
    assert [piece.partition("=")[0] for piece in line.split("; ")[1:]] == [
        "Domain",
        "Path",
        "Secure",
        "SameSite",
    ]
    assert line.count(";") == 4


def test_the_standard_library_reads_it() -> None:
    """RFC 6265bis §5.6, by another reader."""
    morsel = SimpleCookie(set_cookie("a", "b", path="/x", domain="a.example", max_age=5, httponly=True))["a"]
    assert (morsel.value, morsel["path"], morsel["domain"], morsel["max-age"]) == (
        "b",
        "/x",
        "a.example",
        "5",
    )


# Identity


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (set_cookie("a", "b=c"), ("a", "", "/")),
        (set_cookie("a", "b", path="/x=y", domain=".Example.COM"), ("a", "example.com", "/x=y")),
        (set_cookie("A", "", path=None, max_age=0), ("A", "", "")),
        (set_cookie("a", "b", expires=datetime(2026, 1, 1, tzinfo=UTC), secure=True), ("a", "", "/")),
        ("a = b ;path= /x;DOMAIN=A.example;Secure", ("a", "a.example", "/x")),
    ],
)
def test_name_domain_and_path_tell_cookies_apart(line: str, identity: tuple[str, str, str]) -> None:
    """RFC 6265bis §5.7: one cookie for each name, domain and path, the domain without case and dot."""
    assert cookie_identity(line) == identity


# Cookie


@pytest.mark.parametrize(
    ("lines", "cookies"),
    [
        ([], {}),
        ([""], {}),
        (["a=b"], {"a": "b"}),
        (["a=b; c=d"], {"a": "b", "c": "d"}),
        (["a=b;c=d ;\te = f "], {"a": "b", "c": "d", "e": "f"}),
        (["a=b", "c=d"], {"a": "b", "c": "d"}),
        (["a="], {"a": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (["A=1; a=2"], {"A": "1", "a": "2"}),
    ],
)
def test_cookies_are_read_from_all_lines(lines: list[str], cookies: dict[str, str]) -> None:
    """RFC 6265bis §4.2.1; HTTP/2 splits the field into lines (RFC 9113 §8.2.3)."""
    assert parse_cookies(lines) == cookies


def test_of_equal_names_the_first_counts() -> None:
    """RFC 6265bis §5.8.3: the cookie with the longest path comes first."""
    assert parse_cookies(["a=1; a=2", "a=3"]) == {"a": "1"}


@pytest.mark.parametrize(("sent", "value"), [('"b"', "b"), ('""', ""), ('"', '"'), ('"b', '"b'), ('"a"b"', 'a"b')])
def test_quotes_around_a_value_are_removed(sent: str, value: str) -> None:
    """RFC 6265bis §4.1.1: DQUOTE *cookie-octet DQUOTE."""
    assert parse_cookies([f"a={sent}"]) == {"a": value}


@pytest.mark.parametrize("sent", ["%41", "\\101", "a+b", "&quot"])
def test_a_value_is_not_decoded(sent: str) -> None:
    """RFC 6265bis §4.2.2: the meaning of a value is the server's."""
    assert parse_cookies([f"a={sent}"]) == {"a": sent}


@pytest.mark.parametrize("line", ["a", "=b", " =b", ";;;", "a; ; =x"])
def test_a_piece_without_a_name_is_passed_over(line: str) -> None:
    """RFC 6265bis §4.2.1: cookie-pair = cookie-name "=" cookie-value."""
    assert parse_cookies([line]) == {}


def test_the_cookies_of_a_request_are_a_mapping_that_shows_no_value() -> None:
    cookies = parse_cookies(["a=1; b=2"])
    assert (cookies["a"], dict(cookies), len(cookies)) == ("1", {"a": "1", "b": "2"}, 2)
    assert (cookies.get("x"), cookies.get("x", ""), "a" in cookies, "x" in cookies) == (None, "", True, False)
    assert repr(cookies) == "Cookies(['a', 'b'])"


def test_a_cookie_that_is_needed_and_missing_is_the_clients_mistake() -> None:
    with pytest.raises(MissingValue, match="the request has no cookie session"):
        parse_cookies(["a=1"])["session"]
