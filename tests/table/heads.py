"""SPEC 1: status, headers, redirects, cookies, `res.close`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from heaven_core import BadRequest, Context, Request, Response
from tests.table.bodies import AsyncClosing, Closing
from tests.table.kit import NOSNIFF, TEXT, Ask, Table, bodiless, buffered, exact, refusal

__all__ = ["HEADS"]

HEADS: Final = Table()
ANY: Final = ("content-length", "0")


@HEADS.add(buffered(b"made", status=201))
def created(req: Request, res: Response, ctx: Context) -> None:
    """A status by its name."""
    res.status = res.http.CREATED
    res.body = "made"


@HEADS.add(buffered(b"odd", status=599))
async def highest_status(req: Request, res: Response, ctx: Context) -> None:
    """Up to 599, known to the library or not."""
    res.status = 599
    res.body = "odd"


@HEADS.add(exact(b"", ("x-powered-by", "Heaven"), ("x-powered-by", "Earth"), ("x-count", "3"), ANY))
def fields_are_added(req: Request, res: Response, ctx: Context) -> None:
    """Each assignment adds a line, in order; numbers are written out."""
    res.headers = "X-Powered-By", "Heaven"
    res.headers = "X-Powered-By", "Earth"
    res.headers = "X-Count", 3


@HEADS.add(exact(b"", ("cache-control", "max-age=1"), ("x-frame-options", "DENY"), ("etag", '"2"'), ANY))
def single_fields_are_replaced(req: Request, res: Response, ctx: Context) -> None:
    """A field of which only one makes sense is replaced, in its place."""
    res.headers = "Cache-Control", "no-store"
    res.headers = "X-Frame-Options", "SAMEORIGIN"
    res.headers = "ETag", '"1"'
    res.headers = "cache-control", "max-age=1"
    res.headers = "X-FRAME-OPTIONS", "DENY"
    res.headers = "ETag", '"2"'


@HEADS.add(exact(b"", ("vary", "Accept, Origin"), ("vary", "Cookie"), ANY))
def vary_is_merged(req: Request, res: Response, ctx: Context) -> None:
    """Vary takes a member once."""
    res.headers = "Vary", "Accept, Origin"
    res.headers = "Vary", "origin, Cookie"
    res.headers = "Vary", "Accept"


@HEADS.add(exact(b"", ("x-b", "2"), ("x-c", "3"), ANY))
def fields_set_and_removed(req: Request, res: Response, ctx: Context) -> None:
    """`set` replaces any, `remove` takes away."""
    res.headers.add("X-A", "1")
    res.headers.add("X-B", "1")
    res.headers.add("X-B", "1")
    res.headers.add("X-C", "3")
    res.headers.set("X-B", "2")
    res.headers.remove("x-a")


@HEADS.add(exact(b"", ("x-empty", ""), ("x-tab", "a\tb"), ANY))
def odd_values(req: Request, res: Response, ctx: Context) -> None:
    """An empty value, and a tab within, are legal (RFC 9110 §5.5)."""
    res.headers = "X-Empty", ""
    res.headers = "X-Tab", "a\tb"


# Redirects


@HEADS.add(bodiless(307, ("location", "/gr%C3%BC%C3%9F%20dich?q=%25&x=%20"), ANY))
def redirect(req: Request, res: Response, ctx: Context) -> None:
    """307; the location is made a legal URI-reference."""
    res.redirect("/grüß dich?q=%&x=%20")


@HEADS.add(bodiless(308, ("location", "https://xn--mnchen-3ya.example/"), ANY))
def permanent_redirect(req: Request, res: Response, ctx: Context) -> None:
    """308, and a host by IDNA."""
    res.redirect("https://münchen.example/", permanent=True)


@HEADS.add(bodiless(303, ("location", "/done"), ANY), Ask("POST", body=b"x"))
def redirect_after_post(req: Request, res: Response, ctx: Context) -> None:
    """The status given."""
    res.redirect("/done", 303)


@HEADS.add(bodiless(302, ("x-kept", "1"), ("location", "/b"), ANY), notes=("closed",))
async def redirect_drops_the_body(req: Request, res: Response, ctx: Context) -> None:
    """What was set as the body is dropped and released; the last location counts."""
    res.headers = "X-Kept", "1"
    res.stream(AsyncClosing(ctx))
    res.redirect("/a", 301)
    res.redirect("/b", 302, local=True)


@HEADS.add(exact(b"see /b", ("location", "/b"), ("content-type", TEXT), NOSNIFF, ("content-length", "6"), status=307))
def handler_goes_on_after_a_redirect(req: Request, res: Response, ctx: Context) -> None:
    """A redirect may have a body, set afterwards."""
    res.redirect("/b")
    res.body = "see /b"


@HEADS.add(bodiless(307, ("location", "/safe"), ANY), notes=("closed",))
def foreign_redirect_refused(req: Request, res: Response, ctx: Context) -> None:
    """`local=True` refuses another origin and leaves nothing half set."""
    res.stream(Closing(ctx))
    refused = 0
    for location in ("//evil.example", "/\\evil.example", "https://evil.example/", "\t//evil.example"):
        try:
            res.redirect(location, local=True)
        except BadRequest:
            refused += 1
    assert refused == 4
    res.redirect("/safe", local=True)


@HEADS.add(
    refusal(
        400, "400 Bad Request: this location leads to another origin, and local=True allows none: '//evil.example'\n"
    )
)
def redirect_to_where_a_client_wants_it(req: Request, res: Response, ctx: Context) -> None:
    """`local=True` is for clients' texts: what it refuses is the client's mistake, and none of the app's."""
    res.redirect("//evil.example", local=True)


@HEADS.add(
    refusal(
        400,
        "400 Bad Request: a control character in a location could forge another header line; percent-encode it: "
        "'/a\\nSet-Cookie: a=b'\n",
    )
)
def redirect_that_would_forge_a_line(req: Request, res: Response, ctx: Context) -> None:
    """The same for any text of a client's that is no location."""
    res.redirect("/a\nSet-Cookie: a=b", local=True)


@HEADS.add(exact(b"", ("vary", "Origin"), ("vary", "Accept"), ANY))
def vary_is_added_to_by_set(req: Request, res: Response, ctx: Context) -> None:
    """Members of Vary are only ever added, each once: what `cors()` has set stays."""
    res.headers.set("Vary", "Origin")
    res.headers.set("Vary", "Accept, origin")


@HEADS.add(
    buffered(b"%PDF", "application/pdf", ("content-disposition", 'inline; filename="x.pdf"')),
)
def name_gives_bytes_their_type(req: Request, res: Response, ctx: Context) -> None:
    """A body of bytes without a type has that of the name it may be saved under, so that a browser shows it."""
    res.disposition("x.pdf", inline=True)
    res.body = b"%PDF"


@HEADS.add(buffered(b'{"a":1}', "application/json", ("content-disposition", 'attachment; filename="x.pdf"')))
def name_gives_other_bodies_none(req: Request, res: Response, ctx: Context) -> None:
    """The type of any other body is known."""
    res.disposition("x.pdf")
    res.body = {"a": 1}


# Cookies


@HEADS.add(
    exact(
        b"",
        ("set-cookie", "session=abc; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("set-cookie", "theme=dark; Max-Age=60; Domain=example.com; Path=/app; SameSite=Strict"),
        ANY,
    )
)
def cookies(req: Request, res: Response, ctx: Context) -> None:
    """Each in a line of its own (RFC 6265bis §4.1)."""
    res.cookie("session", "abc", secure=True, httponly=True)
    res.cookie("theme", "dark", domain="example.com", path="/app", max_age=60, samesite="Strict")


@HEADS.add(
    exact(
        b"",
        ("set-cookie", "b=1; Path=/; SameSite=Lax"),
        ("set-cookie", "a=2; Path=/; SameSite=Lax"),
        ("set-cookie", "a=3; Path=/other; SameSite=Lax"),
        ANY,
    )
)
def cookie_replaced(req: Request, res: Response, ctx: Context) -> None:
    """The same name, domain and path replaces."""
    res.cookie("a", "1")
    res.cookie("b", "1")
    res.cookie("a", "2")
    res.cookie("a", "3", path="/other")


@HEADS.add(
    exact(
        b"",
        ("set-cookie", "a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Path=/; Secure; SameSite=None; Partitioned"),
        ("set-cookie", "gone=; Max-Age=0; Path=/; SameSite=Lax"),
        ANY,
    )
)
def cookie_deleted(req: Request, res: Response, ctx: Context) -> None:
    """To forget one, and to set one with all that a third party needs."""
    until = datetime(2026, 1, 1, tzinfo=UTC)
    res.cookie("a", "1", expires=until, secure=True, samesite="None", partitioned=True)
    res.delete_cookie("gone")


@HEADS.add(exact(b"last", ("content-type", TEXT), NOSNIFF, ("content-length", "4"), close=True))
def close(req: Request, res: Response, ctx: Context) -> None:
    """`res.close` asks for the end of the connection."""
    res.close = True
    res.body = "last"
