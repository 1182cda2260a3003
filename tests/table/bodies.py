"""SPEC 1: `res.body`, `res.html`, encoding, and what has no content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Final
from uuid import UUID

from heaven_core import Context, Request, Response
from tests.table.kit import (
    HTML,
    JSON,
    NOSNIFF,
    OCTETS,
    TEXT,
    Ask,
    Table,
    bodiless,
    buffered,
    exact,
    failure,
    notes_of,
    root_of,
)

__all__ = ["BODIES"]

BODIES: Final = Table()
HEAD: Final = Ask("HEAD")


@dataclass
class Point:
    x: int
    y: float


class Colour(Enum):
    RED = "red"


@BODIES.add(buffered("grüß dich".encode()))
@BODIES.add(buffered("grüß dich".encode(), head_only=True), HEAD)
def text(req: Request, res: Response, ctx: Context) -> None:
    """A str is UTF-8 text."""
    res.body = "grüß dich"


@BODIES.add(buffered(b"\x00\xff\r\n\r\n", OCTETS))
async def octets(req: Request, res: Response, ctx: Context) -> None:
    """Bytes are application/octet-stream."""
    res.body = b"\x00\xff\r\n\r\n"


@BODIES.add(buffered(b"array", OCTETS))
def bytes_in_a_bytearray(req: Request, res: Response, ctx: Context) -> None:
    """A bytearray is taken."""
    res.body = bytearray(b"array")


@BODIES.add(buffered(b"view", OCTETS))
def bytes_in_a_memoryview(req: Request, res: Response, ctx: Context) -> None:
    """A memoryview is taken."""
    res.body = memoryview(b"a view")[2:]


@BODIES.add(buffered('{"name":"Zoë","n":[1,2.5,null,true]}'.encode(), JSON))
@BODIES.add(buffered('{"name":"Zoë","n":[1,2.5,null,true]}'.encode(), JSON, head_only=True), HEAD)
async def json_object(req: Request, res: Response, ctx: Context) -> None:
    """A dict is JSON in UTF-8."""
    res.body = {"name": "Zoë", "n": [1, 2.5, None, True]}


@BODIES.add(buffered(b'["a",{"b":[]}]', JSON))
def json_list(req: Request, res: Response, ctx: Context) -> None:
    """A list is JSON."""
    res.body = ["a", {"b": list[str]()}]


@BODIES.add(
    buffered(
        b'{"at":"2026-01-02T03:04:05Z","on":"2026-01-02","id":"00000000-0000-0000-0000-000000000007",'
        b'"price":"1.50","colour":"red","point":{"x":1,"y":2.5},"pair":[1,2],"one":["x"]}',
        JSON,
    )
)
def json_of_more_types(req: Request, res: Response, ctx: Context) -> None:
    """Dates, UUIDs, Decimals, Enums, dataclasses, tuples and sets inside of JSON."""
    res.body = {
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "on": date(2026, 1, 2),
        "id": UUID(int=7),
        "price": Decimal("1.50"),
        "colour": Colour.RED,
        "point": Point(1, 2.5),
        "pair": (1, 2),
        "one": {"x"},
    }


@BODIES.add(bodiless(200, ("content-length", "0")))
@BODIES.add(bodiless(200, ("content-length", "0")), HEAD)
def nothing(req: Request, res: Response, ctx: Context) -> None:
    """Without a body there is no Content-Type, but a Content-Length."""


@BODIES.add(bodiless(200, ("content-length", "0")))
def none_takes_a_body_away(req: Request, res: Response, ctx: Context) -> None:
    """None is empty."""
    res.body = "gone"
    res.body = None


@BODIES.add(buffered(b""))
def empty_text(req: Request, res: Response, ctx: Context) -> None:
    """An empty str is text of no bytes."""
    res.body = ""


@BODIES.add(buffered("<p>ø</p>".encode(), HTML))
@BODIES.add(buffered("<p>ø</p>".encode(), HTML, head_only=True), HEAD)
def html(req: Request, res: Response, ctx: Context) -> None:
    """Markup is text/html in UTF-8."""
    res.html("<p>ø</p>")


@BODIES.add(buffered(b"x" * 100_000))
def large_text(req: Request, res: Response, ctx: Context) -> None:
    """More than a server sends at once."""
    res.body = "x" * 100_000


@BODIES.add(exact(b"a,b\n", ("content-type", "text/csv"), ("content-length", "4")))
def own_content_type(req: Request, res: Response, ctx: Context) -> None:
    """A Content-Type that the handler set wins, and brings no nosniff."""
    res.headers = "Content-Type", "text/csv"
    res.body = "a,b\n"


def _longer(req: Request, res: Response, ctx: Context) -> None:
    body = res.body
    assert isinstance(body, dict)
    res.body = {**body, "after": True}
    res.status = 201


@BODIES.add(buffered(b'{"handler":true,"after":true}', JSON, status=201), after=[_longer])
def body_changed_by_an_after_hook(req: Request, res: Response, ctx: Context) -> None:
    """The object is kept, and encoded after the after-hooks."""
    res.body = {"handler": True}


@BODIES.add(buffered(b'{"a":1,"b":2}', JSON))
def body_changed_in_place(req: Request, res: Response, ctx: Context) -> None:
    """What counts is what the object is at the end."""
    body: dict[str, object] = {"a": 1}
    res.body = body
    body["b"] = 2


@BODIES.add(failure(), errors=(TypeError,))
def json_with_an_object(req: Request, res: Response, ctx: Context) -> None:
    """What can't be written is a 500 and not half a body."""
    res.body = {"user": {"name": "x", "avatar": object()}}


@BODIES.add(failure(), errors=(TypeError,))
def json_with_nan(req: Request, res: Response, ctx: Context) -> None:
    """NaN is no JSON."""
    res.body = [1, float("nan")]


@BODIES.add(failure(), errors=(TypeError,))
def text_with_a_lone_surrogate(req: Request, res: Response, ctx: Context) -> None:
    """What has no UTF-8 is a 500."""
    res.body = "a\ud800"


@BODIES.add(exact(b"four", ("content-length", "4"), ("content-type", TEXT), NOSNIFF))
def true_content_length(req: Request, res: Response, ctx: Context) -> None:
    """A Content-Length set by hand is taken where it is true."""
    res.headers = "Content-Length", 4
    res.body = "four"


@BODIES.add(failure(), errors=(ValueError,))
def false_content_length(req: Request, res: Response, ctx: Context) -> None:
    """One that is not true is a 500, and nothing of it reaches the wire."""
    res.headers = "Content-Length", 5
    res.body = "four"


@BODIES.add(exact(b"", ("upgrade", "h2c"), ("content-length", "0"), status=426))
def upgrade_with_426(req: Request, res: Response, ctx: Context) -> None:
    """RFC 9110 §15.5.22: a 426 says what to upgrade to."""
    res.status = 426
    res.headers = "Upgrade", "h2c"


@BODIES.add(failure(), errors=(ValueError,))
def upgrade_without_426(req: Request, res: Response, ctx: Context) -> None:
    """Elsewhere it is framing, which is not the handler's."""
    res.headers = "Upgrade", "h2c"


# No content: RFC 9110 §6.4.1

ABOUT_CONTENT: Final = (
    ("Content-Type", "text/csv"),
    ("Content-Encoding", "gzip"),
    ("Content-Language", "de"),
    ("Content-Range", "bytes 0-1/2"),
    ("Content-Disposition", "inline"),
)
KEPT: Final = (("vary", "Accept"), ("set-cookie", "a=1"), ("access-control-allow-origin", "https://a.example"))


def _with_fields(res: Response, status: int) -> None:
    res.status = status
    for name, value in (*ABOUT_CONTENT, *KEPT):
        res.headers.add(name, value)


@BODIES.add(bodiless(204, *KEPT))
def no_content(req: Request, res: Response, ctx: Context) -> None:
    """204: no Content-Length, and no field about content."""
    _with_fields(res, 204)
    res.body = {"not": "sent"}


@BODIES.add(bodiless(205, *KEPT, ("content-length", "0")))
def reset_content(req: Request, res: Response, ctx: Context) -> None:
    """205 says that nothing follows (RFC 9110 §15.3.6)."""
    _with_fields(res, 205)
    res.body = "not sent"


@BODIES.add(bodiless(304, *KEPT, ("content-location", "/x"), ("etag", '"v1"'), ("cache-control", "max-age=9")))
@BODIES.add(bodiless(304, *KEPT, ("content-location", "/x"), ("etag", '"v1"'), ("cache-control", "max-age=9")), HEAD)
def not_modified(req: Request, res: Response, ctx: Context) -> None:
    """304 keeps what updates a cache, and Last-Modified goes where there is an ETag (RFC 9110 §15.4.5)."""
    _with_fields(res, 304)
    res.headers = "Content-Location", "/x"
    res.headers = "ETag", '"v1"'
    res.headers = "Last-Modified", "Tue, 28 Aug 2001 12:00:00 GMT"
    res.headers = "Cache-Control", "max-age=9"
    res.body = "not sent"


@BODIES.add(bodiless(304, ("last-modified", "Tue, 28 Aug 2001 12:00:00 GMT")))
def not_modified_without_etag(req: Request, res: Response, ctx: Context) -> None:
    """304 keeps Last-Modified where there is no ETag."""
    res.status = 304
    res.headers = "Last-Modified", "Tue, 28 Aug 2001 12:00:00 GMT"


@BODIES.add(bodiless(204), notes=("closed",))
def no_content_with_a_stream(req: Request, res: Response, ctx: Context) -> None:
    """A stream that was set is closed, although nobody asks for an item."""
    res.status = 204
    res.stream(Closing(ctx))


@BODIES.add(bodiless(205, ("content-length", "0")), notes=("closed",))
async def reset_content_with_a_stream(req: Request, res: Response, ctx: Context) -> None:
    """The same with an async one."""
    res.status = 205
    res.stream(AsyncClosing(ctx))


@BODIES.add(bodiless(304), notes=("closed",))
def not_modified_with_a_stream(req: Request, res: Response, ctx: Context) -> None:
    """The same with 304."""
    res.status = 304
    res.stream(Closing(ctx), length=100)


@BODIES.add(bodiless(304))
def not_modified_with_a_file(req: Request, res: Response, ctx: Context) -> None:
    """A file is not even opened."""
    res.status = 304
    res.file(f"{root_of(ctx)}/there-is-none.txt")


@BODIES.add(buffered(b"in its place"), notes=("closed",))
def stream_replaced_by_a_body(req: Request, res: Response, ctx: Context) -> None:
    """A stream that something else replaced is closed."""
    res.stream(Closing(ctx))
    res.body = "in its place"


@BODIES.add(buffered(b"in its place"), notes=("closed", "closed"))
async def streams_replaced_by_streams(req: Request, res: Response, ctx: Context) -> None:
    """Each of them is closed, once."""
    res.stream(Closing(ctx))
    res.stream(AsyncClosing(ctx))
    res.body = "in its place"


class Closing:
    """A sync iterator that notes its closing, and that nobody asks for an item."""

    def __init__(self, ctx: Context) -> None:
        self.notes = notes_of(ctx)

    def __iter__(self) -> Closing:
        return self

    def __next__(self) -> bytes:
        self.notes.write("asked")
        raise StopIteration

    def close(self) -> None:
        self.notes.write("closed")


class AsyncClosing:
    """The same, async."""

    def __init__(self, ctx: Context) -> None:
        self.notes = notes_of(ctx)

    def __aiter__(self) -> AsyncClosing:
        return self

    async def __anext__(self) -> bytes:
        self.notes.write("asked")
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.notes.write("closed")
