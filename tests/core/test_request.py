"""What a handler reads of a request: SPEC section 2."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Generator
from types import NoneType
from typing import Any, TypeVar

import pytest

from heaven_core import App, Context, Response
from heaven_core.errors import BadRequest, ClientDisconnected, ContentTooLarge, MissingValue
from heaven_core.http.headers import Field
from heaven_core.message.params import Params
from heaven_core.message.request import Origin, Request
from heaven_core.message.request_body import check_announced
from heaven_core.schema.schema import Schema
from heaven_core.testing import Client

R = TypeVar("R")
JSON = [(b"content-type", b"application/json")]


class Body:
    """A body in pieces; `leaves` has the client go away in place of the end."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self.pieces = list(pieces)
        self.leaves = leaves
        self.reads = 0

    async def read(self) -> bytes:
        self.reads += 1
        if self.pieces:
            return self.pieces.pop(0)
        if self.leaves:
            raise ClientDisconnected("gone")
        return b""


def run(awaitable: Awaitable[R]) -> R:
    steps: Generator[object, None, R] = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        result: R = stop.value
        return result
    raise AssertionError("it waited")


def get(*fields: Field) -> Request:
    return Request("GET", "/a", fields=fields)


def post(body: bytes, content_type: str | None = None) -> Request:
    """A request whose body has been read."""
    fields = [] if content_type is None else [(b"content-type", content_type.encode("latin-1"))]
    request: Request = Request("POST", "/", fields=fields, reader=Body(body))
    run(request.read_body(1000))
    return request


async def collect(request: Request) -> list[bytes]:
    return [chunk async for chunk in request.stream()]


# The head


def test_a_request_has_what_the_driver_gave() -> None:
    request: Request = Request(
        "PUT",
        "/é",
        query_string=b"a=1",
        fields=[(b"host", b"a")],
        origin={
            "scheme": "https",
            "http_version": "2",
            "raw_path": b"/app/%C3%A9",
            "root_path": "/app",
            "server": ("10.0.0.1", 443),
            "client": ("10.0.0.2", 5000),
        },
    )
    assert (request.method, request.path, request.scheme, request.http_version) == ("PUT", "/é", "https", "2")
    assert (request.root_path, request.server, request.client) == (
        "/app",
        ("10.0.0.1", 443),
        ("10.0.0.2", 5000),
    )
    assert (request.raw_path, request.query_string) == (b"/app/%C3%A9", b"a=1")
    assert request.url == "https://a/app/%C3%A9?a=1"
    assert request.host == "a"
    assert dict(request.params) == {}


def test_a_request_needs_method_and_path_only() -> None:
    request: Request = Request("GET", "/a b")
    assert (request.client, request.server, request.root_path) == (None, None, "")
    assert (request.scheme, request.http_version) == ("http", "1.1")
    assert request.raw_path == b"/a%20b"
    assert request.url == "http://localhost/a%20b"
    assert len(request.headers) == len(request.query) == len(request.cookies) == 0


def test_the_root_of_a_mounted_app_is_a_slash() -> None:
    """PEP 3333: PATH_INFO may be empty when SCRIPT_NAME is not."""
    request: Request = Request("GET", "", origin={"root_path": "/my app", "raw_path": None})
    assert request.path == "/"
    assert request.raw_path == b"/my%20app/"


def test_headers_are_a_multimap() -> None:
    request = get((b"x-a", b"1"), (b"x-a", b"2"))
    assert request.headers["X-A"] == "1"
    assert request.headers.get_all("x-a") == ["1", "2"]
    assert request.headers is request.headers
    with pytest.raises(MissingValue):
        request.headers["X-B"]


def test_the_query_is_a_multimap() -> None:
    request: Request = Request("GET", "/", query_string=b"q=a+b&q=&x")
    assert request.query["q"] == "a b"
    assert request.query.get_all("q") == ["a b", ""]
    assert request.query is request.query
    with pytest.raises(MissingValue):
        request.query["y"]


def test_cookies_of_all_lines() -> None:
    request = get((b"cookie", b'a=1; b="2"; a=3'), (b"cookie", b"c=%20"))
    assert request.cookies == {"a": "1", "b": "2", "c": "%20"}
    assert request.cookies is request.cookies


def test_the_host_is_the_clients_word() -> None:
    assert get((b"host", b"Example.com:81")).host == "example.com:81"
    assert get((b"host", b"[::1]:81")).url == "http://[::1]:81/a"
    with pytest.raises(BadRequest):
        _ = get((b"host", b"a"), (b"host", b"b")).host
    with pytest.raises(BadRequest):
        _ = get((b"host", b"a/b")).url


def test_the_last_event_id_is_utf_8() -> None:
    """WHATWG HTML §9.2.4: it is sent in UTF-8, unlike what stands in any other field."""
    assert get((b"x", b"y"), (b"last-event-id", "é7".encode())).last_event_id == "é7"
    assert get((b"last-event-id", b"\xff")).last_event_id == "\ufffd"
    assert get((b"last-event-id", b"")).last_event_id == ""
    assert get().last_event_id is None


def test_an_offer_is_chosen_by_what_the_client_accepts() -> None:
    request = get((b"accept", b"text/*;q=0.5"), (b"accept", b"application/json"))
    assert request.accepts("text/html", "application/json") == "application/json"
    assert request.accepts("image/png") is None
    with pytest.raises(ValueError, match="at least one"):
        request.accepts()


def test_params_are_set_by_the_pipeline() -> None:
    request = get()
    request.params = Params({"id": 7, "*": "rest"})
    assert request.params["*"] == "rest"


def test_a_request_shows_method_and_path() -> None:
    assert repr(Request("GET", "/a\n")) == r"<Request GET '/a\n'>"


# The body


def test_a_request_without_a_body_has_an_empty_one() -> None:
    request = get()
    assert request.body == b""
    run(request.read_body(0))
    assert request.body == b""
    assert run(collect(request)) == []


def test_the_body_is_read_once() -> None:
    reader = Body(b"ab", b"c")
    request: Request = Request("POST", "/", reader=reader)
    run(request.read_body(3))
    reads = reader.reads
    run(request.read_body(3))
    assert request.body == b"abc"
    assert reader.reads == reads


def test_a_body_that_was_not_read_says_what_to_do() -> None:
    request: Request = Request("POST", "/", reader=Body(b"a"))
    with pytest.raises(RuntimeError, match=r"stream=True takes it from req.stream\(\).*body=True"):
        _ = request.body
    with pytest.raises(RuntimeError):
        _ = request.json


def test_a_body_announced_too_large_stays_unread() -> None:
    reader = Body(b"aaaa")
    request: Request = Request("POST", "/", fields=[(b"content-length", b"4")], reader=reader)
    with pytest.raises(ContentTooLarge):
        run(request.read_body(3))
    assert reader.reads == 0


@pytest.mark.parametrize("leaves", [True, False])
def test_a_body_that_could_not_be_read_stays_without_one(leaves: bool) -> None:
    """Reading on after a failure would make the rest look like the whole."""
    request: Request = Request("POST", "/", reader=Body(b"aaaa", leaves=leaves))
    with pytest.raises(ClientDisconnected if leaves else ContentTooLarge):
        run(request.read_body(4 if leaves else 3))
    with pytest.raises(RuntimeError, match="is read once"):
        run(request.read_body(9))
    with pytest.raises(RuntimeError, match="has not been read"):
        _ = request.body


def test_a_body_is_streamed_within_the_limit() -> None:
    request: Request = Request("POST", "/", reader=Body(b"ab", b"c"))
    request.limit = 3
    assert run(collect(request)) == [b"ab", b"c"]
    with pytest.raises(RuntimeError, match="is read once, and has been"):
        request.stream()
    request = Request("POST", "/", reader=Body(b"ab", b"c"))
    request.limit = 2
    with pytest.raises(ContentTooLarge):
        run(collect(request))
    request = Request("POST", "/", fields=[(b"content-length", b"3")], reader=Body(b"abc"))
    request.limit = 2
    with pytest.raises(ContentTooLarge):
        request.stream()


def test_the_limit_is_16_mib_unless_the_app_says_otherwise() -> None:
    assert get().limit == 16 * 1024 * 1024


def test_a_body_that_was_read_can_still_be_streamed() -> None:
    """A hook with body=True may stand before a route with stream=True."""
    request = post(b"abc")
    assert run(collect(request)) == [b"abc"]
    assert run(collect(request)) == [b"abc"]


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("é".encode(), None, "é"),
        ("é".encode(), "text/plain", "é"),
        (b"\xe9", "text/plain; charset=ISO-8859-1", "é"),
        (b"\xe9", 'text/plain; charset="iso-8859-1"', "é"),
        ("é".encode(), "nonsense", "é"),
        (b"", "text/plain; charset=utf-16", ""),
    ],
)
def test_text_is_of_the_charset_that_content_type_says(body: bytes, content_type: str | None, text: str) -> None:
    assert post(body, content_type).text == text


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=us-ascii", "text/plain; charset=x"])
def test_text_of_another_charset_is_the_clients_mistake(content_type: str) -> None:
    with pytest.raises(BadRequest):
        _ = post(b"\xe9", content_type).text


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, null, "\xc3\xa9"]}', {"a": [1, 2.5, None, "é"]}),
        (b'\xef\xbb\xbf"bom"', "bom"),
        (b" null ", None),
        (b"[]", []),
    ],
)
def test_json_is_read_as_utf_8(body: bytes, value: object) -> None:
    """RFC 8259 §8.1: UTF-8, and a byte order mark may be passed over."""
    request = post(body)
    assert request.json == value
    assert request.json is request.json


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Expecting value: line 1 column 1"),
        (b"{", "Expecting property name"),
        (b"[1,]", "line 1 column"),
        (b"1 2", "Extra data"),
        (b"[NaN]", "NaN is no JSON"),
        (b"-Infinity", "-Infinity is no JSON"),
        (b'"\xff"', "no UTF-8 at byte 1"),
        ('"é"'.encode("utf-16"), "no UTF-8 at byte 0"),
        (b"[" * 1_000_000, "it is nested too deep"),
        (b"9" * 5000, "Exceeds the limit"),
    ],
)
def test_a_body_that_is_no_json_is_the_clients_mistake(body: bytes, why: str) -> None:
    request: Request = Request("POST", "/", reader=Body(body))
    run(request.read_body(1_000_000))
    for _ in range(2):
        with pytest.raises(BadRequest) as refusal:
            _ = request.json
        assert refusal.value.detail.startswith("the body is no JSON: ")
        assert why in refusal.value.detail


def test_data_is_what_the_schema_made() -> None:
    """`Request[int]` says its type; these lines also have to pass mypy and pyright."""
    request: Request[int] = Request("POST", "/", fields=JSON, reader=Body(b"7"))
    with pytest.raises(RuntimeError, match="no schema with expects="):
        _ = request.data
    run(request.read_body(10))
    request.decode_data(Schema(returns=int))
    with pytest.raises(RuntimeError, match="no schema with expects="):
        _ = request.data
    request.decode_data(Schema(int))
    data: int = request.data
    assert data == 7


def test_data_may_be_none() -> None:
    request: Request[None] = Request("POST", "/", fields=JSON, reader=Body(b"null"))
    run(request.read_body(10))
    request.decode_data(Schema(NoneType))
    value: object = request.data
    assert json.dumps(value) == "null"


def test_a_request_of_something_narrow_is_one_of_something_wider() -> None:
    """A handler only reads it; this line also has to pass mypy and pyright."""
    narrow: Request[bool] = Request("POST", "/")
    wide: Request[int | str] = narrow
    assert wide is narrow


def test_the_app_is_the_one_that_answers() -> None:
    with pytest.raises(RuntimeError, match="this request has no app"):
        _ = Request("GET", "/").app
    seen: list[App] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        seen.append(req.app)

    app = App()
    app.GET("/", handler)
    Client(app).get("/")
    assert seen == [app]


@pytest.mark.parametrize(("sent", "read"), [("1", "1.0"), ("1.0", "1.0"), ("1.1", "1.1"), ("2", "2")])
def test_the_version_is_called_by_one_name_on_every_server(sent: str, read: str) -> None:
    assert Request("GET", "/", origin={"http_version": sent}).http_version == read


def test_an_origin_that_is_a_function_is_called_once_and_only_when_somebody_asks() -> None:
    """A driver that has to put it together saves that for the requests whose handlers don't ask."""
    asked: list[str] = []

    def origin() -> Origin:
        asked.append("origin")
        return {"scheme": "https", "client": ("192.0.2.1", 5000)}

    request: Request = Request("GET", "/", origin=origin)
    assert request.path == "/"
    assert asked == []
    assert (request.scheme, request.client, request.root_path) == ("https", ("192.0.2.1", 5000), "")
    assert asked == ["origin"]


def test_header_lines_may_be_lists() -> None:
    """ASGI says "iterables of two": a middleware that adds one may make it a list."""
    lines: Any = [
        (b"host", b"example.org"), [b"cookie", b"a=1"], [b"accept", b"text/html"], [b"last-event-id", b"7"],
        [b"content-length", b"3"],
    ]  # fmt: skip
    req = Request("POST", "/", b"", lines)
    assert (req.headers["Cookie"], req.headers.get_all("Accept"), req.cookies["a"]) == ("a=1", ["text/html"], "1")
    assert list(req.headers)[1] == ("cookie", "a=1")
    assert (req.last_event_id, req.accepts("text/html"), req.host) == ("7", "text/html", "example.org")
    with pytest.raises(ContentTooLarge):
        check_announced(req.fields, 2)
