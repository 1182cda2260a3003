"""`Request.from_wire`: what a server of HTTP/1 has read, as a request (RFC 9112 §3)."""

from __future__ import annotations

import pytest

from heaven_core import App, BadRequest, Request
from heaven_core.testing import Clock

HOST = [(b"Host", b"example.com")]


def test_an_origin_form_target_is_path_and_query() -> None:
    """RFC 9112 §3.2.1."""
    request = Request.from_wire("GET", b"/a%2Fb/c?q=1&r=%20", HOST)
    assert (request.method, request.path, request.raw_path) == ("GET", "/a/b/c", b"/a%2Fb/c")
    assert (request.query_string, request.query["r"]) == (b"q=1&r=%20", " ")
    assert (request.host, request.url) == ("example.com", "http://example.com/a%2Fb/c?q=1&r=%20")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://other.org:8080/x?y", "/x", b"y"),
        (b"HTTPS://other.org:8080/x?y", "/x", b"y"),
        (b"http://other.org:8080", "/", b""),
        (b"http://other.org:8080?y", "/", b"y"),
    ],
)
def test_the_host_of_an_absolute_form_target_replaces_the_host_field(target: bytes, path: str, query: bytes) -> None:
    """RFC 9112 §3.2.2; an empty path is that of the root (RFC 9110 §4.2.3)."""
    request = Request.from_wire("GET", target, [*HOST, (b"X-A", b"1")])
    assert (request.path, request.query_string, request.host) == (path, query, "other.org:8080")
    assert request.fields == [(b"host", b"other.org:8080"), (b"x-a", b"1")]


def test_an_asterisk_stands_for_the_server() -> None:
    """RFC 9112 §3.2.4."""
    request = Request.from_wire("OPTIONS", b"*", HOST)
    assert (request.path, request.url) == ("*", "http://example.com")
    request = Request.from_wire("OPTIONS", b"http://other.org", HOST)
    assert (request.path, request.url) == ("*", "http://other.org")
    assert Request.from_wire("OPTIONS", b"http://other.org/", HOST).path == "/"


def test_connect_has_no_path_and_is_not_allowed() -> None:
    """RFC 9112 §3.2.3: its target is an authority."""
    request = Request.from_wire("CONNECT", b"example.com:443", HOST)
    assert (request.path, request.host) == ("*", "example.com:443")
    app = App()
    app.GET("/", lambda req, res, ctx: None)
    runtime = Clock().runtime()
    response = app.response(runtime)
    with pytest.raises(StopIteration):
        app.respond(request, response, runtime).__await__().send(None)
    assert response.status == 405


@pytest.mark.parametrize(
    "target", [b"/", b"*", b"example.com", b"example.com:", b"u@example.com:1", b"a b:1", b"a:1\r\nX: y", b"http://a:1"]
)
def test_connect_has_a_host_with_a_port_and_nothing_else(target: bytes) -> None:
    """RFC 9112 §3.2.3."""
    with pytest.raises(BadRequest, match="the target of the request"):
        Request.from_wire("CONNECT", target, HOST)


def test_only_options_is_asked_of_the_server_as_a_whole() -> None:
    """RFC 9112 §3.2.4."""
    with pytest.raises(BadRequest, match="neither a path nor a URL"):
        Request.from_wire("GET", b"*", HOST)


def test_names_are_lower_case_and_values_are_left_alone() -> None:
    request = Request.from_wire("GET", b"/", [*HOST, (b"X-CamelCase", b" Value "), (b"x-camelcase", b"2")])
    assert request.fields == [(b"host", b"example.com"), (b"x-camelcase", b" Value "), (b"x-camelcase", b"2")]


@pytest.mark.parametrize("target", [b"/caf%C3%A9", "/café".encode()])
def test_a_path_is_utf8(target: bytes) -> None:
    assert Request.from_wire("GET", target, HOST).path == "/café"


@pytest.mark.parametrize("target", [b"/%FF%fe", b"/\xff\xfe"])
def test_a_path_that_is_no_utf8_has_replacement_characters(target: bytes) -> None:
    assert Request.from_wire("GET", target, HOST).path == "/\ufffd\ufffd"


@pytest.mark.parametrize(
    "target",
    [b"", b"x", b"x/y", b"?q", b"http:/x", b"http:x", b"/a b", b"/a\tb", b"/a\r\nX: y", b"/\x00", b"/a\x7f", b"/a#b",
     b"http://h/#b", b"example.com:443", b"**", b"http://", b"http:///x", b"http://?q",
     b"http://:80/x", b"http://u@/x"],
)  # fmt: skip
def test_a_target_of_no_form_is_a_400(target: bytes) -> None:
    with pytest.raises(BadRequest, match="the target of the request"):
        Request.from_wire("GET", target, HOST)


@pytest.mark.parametrize("method", ["", "GE T", "GE(T", "GÉT", "GET\r\nX:"])
def test_a_method_that_is_no_token_is_a_400(method: str) -> None:
    """RFC 9110 §9.1."""
    with pytest.raises(BadRequest, match="the method of the request is no token"):
        Request.from_wire(method, b"/", HOST)


@pytest.mark.parametrize("name", [b"", b"na me", b"x-a ", b" x-a", b"x:a", b"x\r\ny", "é".encode()])
def test_a_name_that_is_no_token_is_a_400(name: bytes) -> None:
    """RFC 9110 §5.1; a blank before the colon must be refused (RFC 9112 §5.1)."""
    with pytest.raises(BadRequest, match="the name of a header field is no token"):
        Request.from_wire("GET", b"/", [*HOST, (name, b"1")])


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\rb", b"a\0"])
def test_a_value_that_could_forge_a_line_is_a_400(value: bytes) -> None:
    """RFC 9110 §5.5."""
    with pytest.raises(BadRequest, match="the value of x-a has a CR, LF or NUL"):
        Request.from_wire("GET", b"/", [*HOST, (b"X-A", value)])


@pytest.mark.parametrize("target", [b"/", b"http://other.org/"])
def test_a_second_host_is_a_400(target: bytes) -> None:
    """RFC 9112 §3.2, whatever form the target has."""
    with pytest.raises(BadRequest, match="more than one Host"):
        Request.from_wire("GET", target, [*HOST, (b"host", b"example.com")])


def test_only_http_1_0_does_without_a_host() -> None:
    """RFC 9112 §3.2."""
    with pytest.raises(BadRequest, match="no Host"):
        Request.from_wire("GET", b"/", [])
    assert Request.from_wire("GET", b"/", [], http_version="1.0").host == "localhost"


def test_the_rest_is_what_the_server_says() -> None:
    request = Request.from_wire(
        "GET", b"/", [], scheme="https", http_version="1.0", server=("10.0.0.1", 443), client=("10.0.0.2", 5)
    )
    assert (request.scheme, request.http_version, request.host) == ("https", "1.0", "10.0.0.1")
    assert (request.server, request.client, request.reader) == (("10.0.0.1", 443), ("10.0.0.2", 5), None)
