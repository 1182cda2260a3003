"""What takes a text of the client's, or one of any length, takes work that grows as the text does, and no faster.

Eight times as much may take some sixteen times as long, since machines are noisy; what is quadratic takes 64 times.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Final

import pytest
from pydantic import BaseModel

from heaven_core import App, BadRequest, Context, Request, Response
from heaven_core.errors import ClientError, UnprocessableContent
from heaven_core.http.conditional import evaluate
from heaven_core.http.content_disposition import content_disposition
from heaven_core.http.cookies import parse_cookies
from heaven_core.http.dates import parse_http_date
from heaven_core.http.event_stream import ServerSentEvent, encode_event
from heaven_core.http.headers import Headers, check_text
from heaven_core.http.json_codec import check_json_type, encode_json
from heaven_core.http.media_types import content_type
from heaven_core.http.negotiation import accepts, parse_media_type, wanted_codings
from heaven_core.http.query import Query
from heaven_core.http.ranges import spans_of
from heaven_core.http.text_codec import decode_text, encode_text
from heaven_core.http.uri import decode_path, find_host, make_location, split_target
from heaven_core.http.validators import Validators
from heaven_core.message.html import debug_page
from heaven_core.message.response import draft_of
from heaven_core.schema.schema import Schema
from heaven_core.testing import Client

pytestmark = pytest.mark.slow

TIMES: Final = 8
LONG: Final = "X" * 150
MOST: Final = 24.0  # times as long
LARGEST: Final = 1 << 16
LEAST: Final = 0.002  # seconds: what is faster than this says nothing


class Model(BaseModel):
    values: dict[str, list[int]]


def refused(call: Callable[[], object]) -> None:
    """Call it; that it may refuse is no matter here."""
    try:
        call()
    except (ValueError, TypeError, ClientError):
        pass


def decode(text: str) -> None:
    with pytest.raises((UnprocessableContent, BadRequest)):
        Schema(Model).decode(text.encode(), "application/json")


def located(text: str) -> None:
    refused(lambda: make_location(text))
    refused(lambda: make_location(text, local=True))


def with_cookies(count: int) -> None:
    response = Response()
    for number in range(count):
        response.cookie(f"c{number}", "v")


def with_vary(count: int) -> None:
    response = Response()
    for number in range(count):
        response.vary(f"X-{number}")


def with_vary_at_once(count: int) -> None:
    Response().vary(*[f"X-{number}" for number in range(count)])


def with_headers(count: int) -> None:
    response = Response()
    for number in range(count):
        response.headers = f"{LONG}-{number}", "v"  # too long to be kept: the first are as slow as the others
    draft_of(response).encode()


def conditional(value: str) -> None:
    for name in (b"if-match", b"if-none-match", b"if-modified-since"):
        evaluate("GET", Headers([(name, value.encode("latin-1"))]), Validators('"a"', 0), 0.0)


def ranged(value: str) -> None:
    request = Request[object]("GET", "/", fields=[(b"range", value.encode("latin-1"))])
    spans_of(request, 200, [], 10**9, Validators(None, None), 0.0, 10**9)


def routed(count: int) -> None:
    app = App()
    app.GET("/:a/:b/*", nothing)
    app.GET("/a/*", nothing)
    app.before("/a/:b/*", nothing)
    Client(app).get("/" + "a/" * count)


def nothing(req: Request, res: Response, ctx: Context) -> None:
    """Answers with nothing."""


TEXTS: Final[dict[str, tuple[Callable[[str], object], str, str, str]]] = {
    # name: what takes it, how it begins, what is repeated, how it ends
    "location, many labels": (located, "http://", "é.", "/"),
    "location, path": (located, "/", "é%", ""),
    "location, marks": (located, "http://", "a\u0301\u0327", "/"),
    "disposition, marks": (content_disposition, "", "\u0301\u0327", ".txt"),
    "disposition, slashes": (content_disposition, "", "/\x01é", ""),
    "type by name": (content_type, "", "a.", "txt"),
    "cookies": (lambda text: parse_cookies([text]), "", 'a="b"; ', ""),
    "cookies, each another": (lambda text: parse_cookies([text]), "", "ab;c=;", ""),
    "query": (lambda text: Query(text.encode()), "", "a=%41&", ""),
    "query, broken": (lambda text: Query(text.encode()), "", "%a+&=", ""),
    "accept": (lambda text: accepts([text], ["text/html"]), "", "text/html;q=0.5,", ""),
    "accept, quotes": (lambda text: accepts([text], ["text/html"]), "", '"\\', ""),
    "accept-encoding": (lambda text: wanted_codings([text]), "", "gzip;q=0,", ""),
    "media type": (parse_media_type, "text/html", ";a=b", ""),
    "media type, quotes": (parse_media_type, 'text/html;a="', '\\"', ""),
    "json type": (lambda text: refused(lambda: check_json_type(text)), "application/json", ';a="b"', ""),
    "json type, blanks": (lambda text: refused(lambda: check_json_type(text)), "application/json", " ;", "x"),
    "date": (lambda text: parse_http_date(text, 0), "Sun, 06 Nov 1994 08:49:37 ", "G", ""),
    "conditions": (conditional, "", '"a", ', ""),
    "conditions, open quote": (conditional, "", '"a', ""),
    "ranges": (ranged, "bytes=", "0-1, ", "5-"),
    "ranges, blanks": (ranged, "bytes=", " ,", "x"),
    "ranges, digits": (ranged, "bytes=0-", "9", ""),
    "header value": (lambda text: refused(lambda: check_text("X", text)), "", "a \t", "\n"),
    "host": (lambda text: refused(lambda: find_host([text], "http", None)), "", "a.", ":80x"),
    "target": (lambda text: refused(lambda: split_target("GET", text.encode())), "http://", "a:", "/"),
    "path": (lambda text: decode_path(text.encode()), "/", "%ff%", ""),
    "json out": (lambda text: encode_json([text]), "", 'a"\\', ""),
    "json in, long name": (decode, '{"values": {"', "k", '": ["x"]}}'),
    "json in, long name in quotes": (decode, '{"values": {"', '\\"', '": ["x"]}}'),
    "json in, text of quotes": (decode, '{"values": "', '\\"', '"}'),
    "json in, names": (decode, '{"values": {', '"k": ["x"], ', '"": []}}'),
    "json in, broken": (decode, '{"values": "', '\\"', ""),
    "event": (lambda text: encode_event(ServerSentEvent(text)), "", "a\r\n", ""),
    "event, comment": (lambda text: encode_event(ServerSentEvent(comment=text)), "", "\n", ""),
    "text in": (lambda text: decode_text(text.encode(), "utf-8"), "", "é", ""),
    "text out": (encode_text, "", "é", ""),
    "debug page": (debug_page, "", "<&", ""),
}
COUNTS: Final[dict[str, Callable[[int], object]]] = {
    "location, CJK host": lambda count: located("http://" + "".join(map(chr, range(0x4E00, 0x4E00 + count))) + "/"),
    "cookies": with_cookies,
    "vary, one by one": with_vary,
    "vary, at once": with_vary_at_once,
    "headers": with_headers,
    "path of many segments": routed,
    "long name over many values": lambda count: decode(json.dumps({"values": {"k" * count: ["x"] * (count // 4)}})),
    "problems": lambda count: decode(json.dumps({"values": {str(number): "x" for number in range(count)}})),
}


def seconds(call: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        began = process_time()
        call()
        best = min(best, process_time() - began)
    return best


def growth(prepare: Callable[[int], Callable[[], object]]) -> float:
    """How many times as long it takes for `TIMES` times as much, of a size at which that can be told."""
    size = 256
    took = seconds(prepare(size))
    while took * TIMES < LEAST and size < LARGEST:
        size *= 4
        took = seconds(prepare(size))
    return seconds(prepare(size * TIMES)) / max(took, LEAST / TIMES)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text(name: str) -> None:
    take, begins, repeated, ends = TEXTS[name]
    assert growth(lambda size: partial(take, begins + repeated * size + ends)) < MOST


@pytest.mark.parametrize("name", COUNTS)
def test_a_number_of_things(name: str) -> None:
    assert growth(lambda size: partial(COUNTS[name], size)) < MOST


def test_what_is_quadratic_is_seen() -> None:
    def quadratic(size: int) -> None:
        found: list[int] = []
        for number in range(size):
            if number not in found:
                found.append(number)

    assert growth(lambda size: partial(quadratic, size)) > MOST
