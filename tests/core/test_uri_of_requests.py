"""Host and URL of a request: RFC 9110 §7.1 and §7.2, RFC 9112 §3.2 and §3.3, RFC 3986."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.errors import BadRequest
from heaven_core.http.uri import encode_path, find_host, make_url


@pytest.mark.parametrize(
    ("given_host", "host"),
    [
        ("example.com", "example.com"),
        ("Example.COM:8000", "example.com:8000"),
        ("example.com:", "example.com"),
        ("example.com.", "example.com."),
        ("my_service", "my_service"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[::1]", "[::1]"),
        ("[2001:DB8::1]:8443", "[2001:db8::1]:8443"),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a:65535", "a:65535"),
    ],
)
def test_the_host_is_what_the_client_asked_for(given_host: str, host: str) -> None:
    assert find_host([given_host], "http", ("10.0.0.1", 8000)) == host


@pytest.mark.parametrize(
    "given_host",
    [
        "a b", "a/b", "a?b", "a#b", "user@a", "a\\b", "a\n", "a,b", "a;b", "a'b", '"a"', "<a>", "é", "a%00", "a%2Fb",
        "::1", "[::1", "::1]", "[]", "[::1]x", "[::1%25eth0]", "[" + ":" * 46 + "]", "a:b", "a:80:80", "a:-1",
        "a:65536", "a:000080", "a:٣", ":80", "http://a",
    ],
)  # fmt: skip
def test_a_host_that_is_none_is_the_clients_mistake(given_host: str) -> None:
    """RFC 9112 §3.2: 400."""
    with pytest.raises(BadRequest, match="is no host"):
        find_host([given_host], "http", None)


def test_two_hosts_are_the_clients_mistake() -> None:
    """RFC 9112 §3.2; equal ones, too: what stands before us may have read the other one."""
    with pytest.raises(BadRequest, match="more than one Host"):
        find_host(["a", "a"], "http", None)


@pytest.mark.parametrize("values", [[], [""]])
@pytest.mark.parametrize(
    ("scheme", "server", "host"),
    [
        ("http", ("10.0.0.1", 8000), "10.0.0.1:8000"),
        ("http", ("10.0.0.1", 80), "10.0.0.1"),
        ("https", ("10.0.0.1", 80), "10.0.0.1:80"),
        ("https", ("a.example", 443), "a.example"),
        ("http", ("::1", 8000), "[::1]:8000"),
        ("http", ("[::1]", 8000), "[::1]:8000"),
        ("http", ("a.example", None), "a.example"),
        ("http", ("/run/app.sock", None), "localhost"),
        ("http", None, "localhost"),
    ],
)
def test_without_a_host_it_is_the_servers(
    values: list[str], scheme: str, server: tuple[str, int | None] | None, host: str
) -> None:
    """As in a request of HTTP/1.0."""
    assert find_host(values, scheme, server) == host


@pytest.mark.parametrize(
    ("raw_path", "query", "url"),
    [
        (b"/", b"", "http://a/"),
        (b"/a%2Fb/%C3%A9", b"", "http://a/a%2Fb/%C3%A9"),
        (b"/a", b"q=a+b&r=%20/?", "http://a/a?q=a+b&r=%20/?"),
        (b"//evil.example/", b"", "http://a//evil.example/"),
        (b"/\xc3\xa9", b"\xff", "http://a/%C3%A9?%FF"),
        (b'/<">', b"'\"<", "http://a/%3C%22%3E?'%22%3C"),
        (b"/a?b#c", b"#", "http://a/a%3Fb%23c?%23"),
        (b"/\r\n", b"\r\n", "http://a/%0D%0A?%0D%0A"),
        (b"*", b"", "http://a"),
    ],
)
def test_a_url_has_only_what_may_stand_in_one(raw_path: bytes, query: bytes, url: str) -> None:
    assert make_url("http", "a", raw_path, query) == url


@given(st.binary(), st.binary())
def test_any_bytes_make_a_legal_url(path: bytes, query: bytes) -> None:
    url = make_url("https", "[::1]:1", b"/" + path, query)
    assert re.fullmatch(r"https://\[::1\]:1/[!$&-;=@-Z_a-z~%]*(\?[!$&-;=?-Z_a-z~%]*)?", url)


@given(st.text())
def test_a_path_is_encoded_so_that_decoding_gives_it_back(path: str) -> None:
    assert unquote(encode_path(path).decode("ascii")) == path


def test_a_lone_surrogate_in_a_path_does_no_harm() -> None:
    assert encode_path("/\ud800%") == b"/%3F%25"
