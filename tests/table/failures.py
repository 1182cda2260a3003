"""SPEC 1: handlers and hooks that fail, and the app's own error pages (SPEC 2, `app.errors`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

from heaven_core import App, BadRequest, Context, Request, Response, cors
from tests.table.kit import JSON, TEXT, Ask, Table, buffered, exact, failure, notes_of, refusal, root_of

__all__ = ["FAILURES"]

FAILURES: Final = Table()
NO_STORE: Final = ("cache-control", "no-store")

NOTHING: Final[tuple[bytes, ...]] = ()


class TeapotError(Exception):
    """Has a page of its own."""


class BrokenPageError(Exception):
    """Has a page that fails, too."""


class SealedPageError(Exception):
    """Has a page that aborts."""


@FAILURES.add(failure(), errors=(ZeroDivisionError,))
@FAILURES.add(failure(head_only=True), Ask("HEAD"), errors=(ZeroDivisionError,))
async def failing_handler(req: Request, res: Response, ctx: Context) -> None:
    """A 500 in plain text, with no trace of the error and nothing of what was set."""
    res.status = 201
    res.headers = "X-Secret", "1"
    res.headers = "ETag", '"1"'
    res.cookie("secret", "1")
    res.body = "secret"
    raise ZeroDivisionError("secret")


def _fail(req: Request, res: Response, ctx: Context) -> None:
    raise KeyError("secret")


@FAILURES.add(failure(), before=[_fail], errors=(KeyError,))
def failing_before_hook(req: Request, res: Response, ctx: Context) -> None:
    """The handler does not run."""
    notes_of(ctx).write("handler")


def _not_after_a_failure(req: Request, res: Response, ctx: Context) -> None:
    notes_of(ctx).write("after-hook")


@FAILURES.add(failure(), after=[_fail, _not_after_a_failure], errors=(KeyError,))
def failing_after_hook(req: Request, res: Response, ctx: Context) -> None:
    """What the handler had set goes."""
    res.headers = "X-Secret", "1"
    res.body = "secret"


def _fields(req: Request, res: Response, ctx: Context) -> None:
    res.status = 202
    for name, value in (
        ("X-Request-Id", "7"),
        ("Content-Type", "text/csv"),
        ("Content-Encoding", "gzip"),
        ("Content-Language", "de"),
        ("Content-Location", "/x"),
        ("Content-Disposition", "inline"),
        ("Content-Digest", "sha-256=:abc=:"),
        ("ETag", '"1"'),
        ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("Accept-Ranges", "bytes"),
        ("Expires", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("Cache-Control", "max-age=60"),
        ("Vary", "Cookie"),
    ):
        res.headers.add(name, value)
    res.cookie("seen", "1")


@FAILURES.add(
    failure(
        ("vary", "Origin"),
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-expose-headers", "X-Request-Id"),
        ("x-request-id", "7"),
        ("vary", "Cookie"),
        ("set-cookie", "seen=1; Path=/; SameSite=Lax"),
    ),
    Ask(headers=(("Origin", "https://a.example"),)),
    before=[cors(origins=["https://a.example"], expose=["X-Request-Id"]), _fields],
    errors=(ZeroDivisionError,),
)
def fields_of_the_hooks_stay(req: Request, res: Response, ctx: Context) -> None:
    """CORS headers and cookies of the hooks that finished stay; what was about the body goes."""
    res.headers = "X-Secret", "1"
    raise ZeroDivisionError


@FAILURES.add(failure(), errors=(ValueError,), notes=("closed", "failed"))
async def stream_failing_at_its_first_step(req: Request, res: Response, ctx: Context) -> None:
    """Until the start it is a proper 500; what was deferred is dropped, but for `when="failed"`."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes]:
        try:
            for item in NOTHING:
                yield item
            raise ValueError("secret")
        finally:
            notes.write("closed")

    res.defer(notes.later("always"))
    res.defer(notes.later("failed"), "failed")
    res.headers = "X-Secret", "1"
    res.stream(items())


@FAILURES.add(failure(), errors=(ValueError,))
def sync_stream_failing_at_its_first_step(req: Request, res: Response, ctx: Context) -> None:
    """The same for a sync one."""

    def items() -> Iterator[bytes]:
        yield from NOTHING
        raise ValueError("secret")

    res.stream(items())


@FAILURES.add(failure(), errors=(TypeError,))
def handler_that_returns_its_answer(req: Request, res: Response, ctx: Context) -> None:
    """What a handler returns goes nowhere, and it is told so."""
    return {"lost": True}  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


# Pages of the app's own


def _pages(app: App, path: str) -> None:
    def teapot(req: Request, res: Response, ctx: Context) -> None:
        res.status = 418
        res.body = {"error": type(res.error).__name__}

    def broken(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Page", "secret"
        raise KeyError("secret")

    async def sealed(req: Request, res: Response, ctx: Context) -> None:
        res.status = 503
        res.headers = "Retry-After", 9
        res.abort("later")

    app.errors(TeapotError, teapot)
    app.errors(BrokenPageError, broken)
    app.errors(SealedPageError, sealed)


@FAILURES.add(buffered(b'{"error":"TeapotError"}', JSON, NO_STORE, status=418), setup=_pages)
def page_of_an_exception(req: Request, res: Response, ctx: Context) -> None:
    """An error handler's page below 500 counts as handled: nothing is reported."""
    res.headers = "X-Secret", "1"
    raise TeapotError


@FAILURES.add(failure(), errors=(KeyError, BrokenPageError))
def page_that_fails(req: Request, res: Response, ctx: Context) -> None:
    """Then it is the library's own."""
    raise BrokenPageError


@FAILURES.add(
    buffered(b"later", TEXT, NO_STORE, ("retry-after", "9"), status=503),
    errors=(SealedPageError,),
    outcome="failed",
)
def page_that_aborts(req: Request, res: Response, ctx: Context) -> None:
    """A page may abort; with 500 and above it stays a failure."""
    raise SealedPageError


@FAILURES.add(
    refusal(400, "400 Bad Request: the body is no JSON: Expecting value: line 1 column 1 (char 0)\n"),
    Ask("POST", body=b"nope"),
)
def bad_json(req: Request, res: Response, ctx: Context) -> None:
    """A body that is no JSON is a 400 unless caught."""
    res.headers = "X-Secret", "1"
    res.body = {"got": req.json}


@FAILURES.add(buffered(b"caught"), Ask("POST", body=b"\xff"))
def bad_json_caught(req: Request, res: Response, ctx: Context) -> None:
    """Or whatever the handler makes of it."""
    try:
        res.body = {"got": req.json}
    except BadRequest:
        res.body = "caught"


@FAILURES.add(refusal(400, "400 Bad Request: the query has no field q\n"), Ask(target="?p=1"))
def missing_query(req: Request, res: Response, ctx: Context) -> None:
    """A missing one is a 400 unless caught."""
    res.body = req.query["q"]


@FAILURES.add(exact(b"", ("content-length", "0")))
def missing_file_of_nobody(req: Request, res: Response, ctx: Context) -> None:
    """A file that a body replaced is not looked for."""
    res.file(f"{root_of(ctx)}/there-is-none.txt")
    res.body = None
