"""SPEC 2: routes, hooks, requests and their bodies, schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from json import dumps
from typing import Final, TypedDict, TypeGuard

from anyio.lowlevel import checkpoint

from heaven_core import App, Conflict, Context, Event, Request, Response, ServerSentEvent, cors
from tests.table.kit import (
    JSON,
    LIMIT,
    NOSNIFF,
    TEXT,
    Ask,
    Handler,
    Table,
    bodiless,
    buffered,
    exact,
    failure,
    notes_of,
    refusal,
    root_of,
    streamed,
)

__all__ = ["ROUTES"]

ROUTES: Final = Table()
# Python has renamed it meanwhile (RFC 9110 §15.5.14).
TOO_LARGE: Final = f"413 Content Too Large: the body is larger than {LIMIT} bytes\n"


class NewUser(TypedDict):
    name: str
    age: int


class User(TypedDict):
    id: int
    name: str


def show(req: Request, res: Response, ctx: Context) -> None:
    """What the router saw."""
    res.body = {"path": req.path.partition("/")[2].partition("/")[2], **req.params}


def never(req: Request, res: Response, ctx: Context) -> None:
    """No request comes here."""
    notes_of(ctx).write("handler")


def seen(path: str, **params: object) -> bytes:
    return dumps({"path": path, **params}, separators=(",", ":"), ensure_ascii=False).encode()


for _name, _route, _target, _path, _params in (
    ("one-segment", "/:name", "/world", "world", {"name": "world"}),
    ("segment-decoded", "/:name", "/gr%C3%BC%C3%9F%20dich", "grüß dich", {"name": "grüß dich"}),
    ("segment-not-utf-8", "/:name", "/a%FFb", "a\ufffdb", {"name": "a\ufffdb"}),
    ("segment-decoded-once", "/:name", "/%2541", "%41", {"name": "%41"}),
    ("plus-is-no-blank", "/:name", "/a+b", "a+b", {"name": "a+b"}),
    ("number", "/:n:int", "/007", "007", {"n": 7}),
    ("rest", "/*", "/a//b/../c/", "a//b/../c/", {"*": "a//b/../c/"}),
    ("rest-empty", "/*", "/", "", {"*": ""}),
    ("encoded-slash-is-a-slash", "/:a/:b", "/x%2Fy", "x/y", {"a": "x", "b": "y"}),
    ("trailing-slash", "/:name/", "/x/", "x/", {"name": "x"}),
):
    ROUTES.put(
        f"route-{_name}", show, buffered(seen(_path, **_params), JSON), Ask(target=_target), route=_route,
        shows="One string is matched: the path, decoded once.",
    )  # fmt: skip

NOT_FOUND: Final = refusal(404, "404 Not Found\n")
for _name, _route, _target in (
    ("encoded-slash-ends-a-segment", "/:name", "/x%2Fy"),
    ("trailing-slash-missing", "/:name/", "/x"),
    ("trailing-slash-too-many", "/:name", "/x/"),
    ("number-no-digits", "/:n:int", "/7a"),
    ("nothing-there", "/here", "/there"),
):
    ROUTES.put(f"no-{_name}", never, NOT_FOUND, Ask(target=_target), route=_route, shows="No route: 404.")

ROUTES.put(
    "mounted", show, buffered(seen("deep/x y"), JSON), Ask(target="/deep/x%20y", mounted=True), route="/deep/x y",
    shows="Routes match what comes after root_path.",
)  # fmt: skip
ROUTES.put(
    "mounted-elsewhere", never, NOT_FOUND, Ask(target="/x", mounted=True), route="/y", shows="The same for a 404."
)


ROUTES.put(
    "method-not-allowed", never,
    refusal(405, "405 Method Not Allowed\n", ("allow", "GET, HEAD, OPTIONS")), Ask("DELETE"), method="GET",
    shows="405 with Allow, HEAD with GET (RFC 9110 §15.5.6).",
)  # fmt: skip
ROUTES.put(
    "options", never, bodiless(204, ("allow", "GET, HEAD, OPTIONS")), Ask("OPTIONS"), method="GET",
    shows="OPTIONS without a route of its own is 204 with Allow.",
)  # fmt: skip
ROUTES.put(
    "unknown-method", never, refusal(405, "405 Method Not Allowed\n", ("allow", "OPTIONS, POST")), Ask("BREW"),
    method="POST", shows="A method that nobody knows is one that the path does not have.",
)  # fmt: skip
ROUTES.put(
    "head-without-get", never, bodiless(405, ("allow", "OPTIONS, POST"), ("content-type", TEXT), NOSNIFF,
    ("content-length", "23")), Ask("HEAD"), method="POST", shows="HEAD has the fields that GET would have.",
)  # fmt: skip


@ROUTES.add(
    bodiless(
        204,
        ("vary", "Origin"),
        ("vary", "Access-Control-Request-Method, Access-Control-Request-Headers"),
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-max-age", "60"),
    ),
    Ask("OPTIONS", headers=(("Origin", "https://a.example"), ("Access-Control-Request-Method", "PUT"))),
    method="GET",
    before=[cors(origins=["https://a.example"], methods=["PUT"], max_age=60)],
)
def preflight(req: Request, res: Response, ctx: Context) -> None:
    """Answered by the hook."""
    notes_of(ctx).write("handler")


# Hooks


def _writing(name: str) -> Handler:
    def hook(req: Request, res: Response, ctx: Context) -> None:
        notes_of(ctx).write(name)
        res.headers = "X-Hook", name

    return hook


def _async_writing(name: str) -> Handler:
    async def hook(req: Request, res: Response, ctx: Context) -> None:
        notes_of(ctx).write(name)
        res.headers = "X-Hook", name

    return hook


def _hooks(app: App, path: str) -> None:
    app.before(f"{path}/a/:name", _async_writing("narrow"))
    app.before(f"{path}/*", _writing("broad"))
    app.before(f"{path}/a/x", _writing("narrowest"))
    app.before(f"{path}/*", _writing("broad again"))
    app.before(f"{path}/b/*", _writing("elsewhere"))
    app.before(f"{path}/*", _writing("posting"), methods=["POST"])
    app.before(f"{path}/*", _writing("getting"), methods=["GET"])
    app.after(f"{path}/*", _writing("after, broad"))
    app.after(f"{path}/a/:name", _async_writing("after, narrow"))


HOOKS: Final = ("broad", "broad again", "getting", "narrow", "narrowest", "handler", "after, narrow", "after, broad")
HOOK_LINES: Final = tuple(("x-hook", name) for name in HOOKS if name != "handler")


def write_handler(req: Request, res: Response, ctx: Context) -> None:
    notes_of(ctx).write("handler")
    res.body = "ok"


ROUTES.put(
    "hooks", write_handler, buffered(b"ok", TEXT, *HOOK_LINES), Ask(target="/a/x"), route="/a/:name", setup=_hooks,
    notes=HOOKS, shows="From the broadest to the narrowest, and back; scoped by method.",
)  # fmt: skip
ROUTES.put(
    "hooks-for-head", write_handler, bodiless(200, *HOOK_LINES, ("content-type", TEXT), NOSNIFF,
    ("content-length", "2")), Ask("HEAD", target="/a/x"), route="/a/:name", setup=_hooks, notes=HOOKS,
    shows="A hook scoped to GET runs for HEAD.",
)  # fmt: skip
ROUTES.put(
    "hooks-for-404", never,
    refusal(404, "404 Not Found\n", ("x-hook", "broad"), ("x-hook", "broad again"), ("x-hook", "getting"),
            ("x-hook", "after, broad")), Ask(target="/nowhere"),
    route="/a/:name", setup=_hooks, notes=("broad", "broad again", "getting", "after, broad"),
    shows="Hooks whose pattern matches run for 404, too.",
)  # fmt: skip
ROUTES.put(
    "hooks-for-405", never,
    refusal(405, "405 Method Not Allowed\n", ("x-hook", "broad"), ("x-hook", "broad again"), ("x-hook", "narrow"),
            ("x-hook", "narrowest"), ("allow", "GET, HEAD, OPTIONS"), ("x-hook", "after, narrow"),
            ("x-hook", "after, broad")), Ask("PUT", target="/a/x"), method="GET",
    route="/a/:name", setup=_hooks,
    notes=("broad", "broad again", "narrow", "narrowest", "after, narrow", "after, broad"),
    shows="And for 405.",
)  # fmt: skip


# Pages of the app's own, for one part of the paths


PAGES: Final = "/pages-"


def _own_pages(app: App, path: str) -> None:
    def problem(req: Request, res: Response, ctx: Context) -> None:
        if req.path.startswith(PAGES):
            res.headers = "Content-Type", "application/problem+json"
            res.body = {"status": res.status, "error": type(res.error).__name__}

    for status in (404, 405, 413, 415, 422, 500):
        app.errors(status, problem)


def _expects(app: App, path: str) -> None:
    app.schema.POST(path, expects=NewUser, returns=User)


def page(status: int, error: str, *given: tuple[str, str]) -> tuple[Event, ...]:
    body = b'{"status":%d,"error":"%b"}' % (status, error.encode())
    kind = ("content-type", "application/problem+json")
    return exact(body, *given, kind, ("content-length", str(len(body))), status=status)


def explode(req: Request, res: Response, ctx: Context) -> None:
    """Fails."""
    res.headers = "X-Secret", "1"
    raise ZeroDivisionError


JSON_SENT: Final = (("Content-Type", "application/json"),)

ROUTES.put(
    "pages-404", never, page(404, "NotFound"), Ask(target="/nowhere"), setup=_own_pages, shows="A page for 404.",
)  # fmt: skip
ROUTES.put(
    "pages-405", never, page(405, "MethodNotAllowed", ("allow", "OPTIONS, POST")), Ask("PUT"), method="POST",
    shows="A page for 405; Allow stays.",
)  # fmt: skip
ROUTES.put(
    "pages-413", never, page(413, "ContentTooLarge"), Ask("POST", body=b"x" * (LIMIT + 1)), shows="A page for 413.",
)  # fmt: skip
ROUTES.put(
    "pages-415", never, page(415, "UnsupportedMediaType"), Ask("POST", body=b"x"), setup=_expects,
    shows="A page for 415.",
)  # fmt: skip
ROUTES.put(
    "pages-422", never, page(422, "UnprocessableContent"), Ask("POST", headers=JSON_SENT, body=b"[]"),
    setup=_expects, shows="A page for 422.",
)  # fmt: skip
ROUTES.put(
    "pages-500", explode, page(500, "ZeroDivisionError", ("cache-control", "no-store")),
    errors=(ZeroDivisionError,), shows="A page for failures: still a failure, and reported.",
)  # fmt: skip


# The request


@ROUTES.add(
    buffered(
        b'{"method":"GET","host":"test","url":"http://test/request/x%20y?q=a+b&q=%C3%BC&empty=","q":["a b","\xc3\xbc"],'
        b'"empty":"","agent":"me","cookies":{"a":"1","b":"x y"},"accepts":"text/html","version":"1.1"}',
        JSON,
    ),
    Ask(
        target="/x%20y?q=a+b&q=%C3%BC&empty=",
        headers=(
            ("User-Agent", "me"),
            ("Cookie", 'a=1; b="x y"; a=2'),
            ("Accept", "application/json;q=0.5, text/*"),
        ),
    ),
    route="/:name",
)
def request(req: Request, res: Response, ctx: Context) -> None:
    """What a handler learns of the request."""
    res.body = {
        "method": req.method,
        "host": req.host,
        "url": req.url,
        "q": req.query.get_all("q"),
        "empty": req.query["empty"],
        "agent": req.headers["user-agent"],
        "cookies": req.cookies,
        "accepts": req.accepts("application/json", "text/html"),
        "version": req.http_version,
    }


@ROUTES.add(buffered(b'{"got":[1,"\xc3\xbc"]}', JSON, status=201), Ask("POST", body=b'[1,"\xc3\xbc"]'))
async def upload(req: Request, res: Response, ctx: Context) -> None:
    """The body is read whole before the handler."""
    res.status = 201
    res.body = {"got": req.json}


@ROUTES.add(buffered(b"1000"), Ask("POST", body=b"x" * LIMIT))
def upload_of_the_limit(req: Request, res: Response, ctx: Context) -> None:
    """As much as is allowed."""
    res.body = str(len(req.body))


@ROUTES.add(refusal(413, TOO_LARGE), Ask("POST", body=b"x" * (LIMIT + 1)))
def upload_too_large(req: Request, res: Response, ctx: Context) -> None:
    """One byte more is a 413."""
    notes_of(ctx).write("handler")


@ROUTES.add(buffered(b"piece by piece"), Ask("POST", body=b"piece by piece"), method="POST, streamed")
async def upload_streamed(req: Request, res: Response, ctx: Context) -> None:
    """`stream=True`: the handler reads."""
    res.body = "".join([piece.decode() async for piece in req.stream()])


@ROUTES.add(
    refusal(413, TOO_LARGE),
    Ask("POST", body=b"x" * (LIMIT + 1)),
    method="POST, streamed",
)
async def upload_streamed_too_large(req: Request, res: Response, ctx: Context) -> None:
    """Under the same limit."""
    res.body = str([len(piece) async for piece in req.stream()])


# Around-hooks, and apps included in others


def _around(app: App, path: str) -> None:
    async def around(req: Request, res: Response, ctx: Context) -> AsyncIterator[None]:
        res.headers = "X-Around", "in"
        await checkpoint()
        yield
        await checkpoint()
        res.headers = "X-Around", f"out {res.status}"

    app.around(f"{path}/*", around)


def _include(app: App, path: str) -> None:
    other = App()
    other.before("*", _writing("included"))
    other.GET("/users/:id:int", write_handler)
    other.GET("/missing", _missing_file)
    other.GET("/tagged", _tagged)
    other.GET("/stream", _failing_stream)
    for status in (404, 409, 412):
        other.errors(status, _page)
    other.errors(LookupError, _stream_page)
    app.include(f"{path}/:team", other)


async def _page(req: Request, res: Response, ctx: Context) -> None:
    await checkpoint()
    res.json(f"{res.status} {req.path.rpartition('/')[2]}")


def _stream_page(req: Request, res: Response, ctx: Context) -> None:
    res.stream(["a page", " of several parts"])


def _missing_file(req: Request, res: Response, ctx: Context) -> None:
    res.file("none.txt", within=root_of(ctx))


def _tagged(req: Request, res: Response, ctx: Context) -> None:
    res.etag = "v1"
    res.body = "tagged"


def _failing_stream(req: Request, res: Response, ctx: Context) -> None:
    pages: dict[str, str] = {}

    def rows() -> Iterator[str]:
        if req.params["team"] == "red":
            raise Conflict("taken")
        yield pages["broken"]

    res.stream(rows())


def _around_lines(status: int) -> tuple[tuple[str, str], ...]:
    return (("x-around", "in"), ("x-around", f"out {status}"))


@ROUTES.add(buffered(b"ok", TEXT, *_around_lines(200)), setup=_around, needs_loop=True)
async def around(req: Request, res: Response, ctx: Context) -> None:
    """Round the handler."""
    res.text("ok")


@ROUTES.add(
    buffered(
        b"500 Internal Server Error\n", TEXT, ("x-around", "in"), ("cache-control", "no-store"),
        ("x-around", "out 500"), status=500,
    ),
    setup=_around, errors=(LookupError,), needs_loop=True, outcome="failed",
)  # fmt: skip
def around_a_failure(req: Request, res: Response, ctx: Context) -> None:
    """What it sets is on a 500, too."""
    raise LookupError


@ROUTES.add(buffered(b"no", TEXT, *_around_lines(403), status=403), setup=_around, needs_loop=True)
def around_an_abort(req: Request, res: Response, ctx: Context) -> None:
    """And on what an abort has sealed."""
    res.status = 403
    res.abort("no")


ROUTES.put(
    "around-a-404", never, refusal(404, "404 Not Found\n", *_around_lines(404)), Ask(target="/none"), route="/x",
    setup=_around, needs_loop=True, shows="And where there is no route.",
)  # fmt: skip
ROUTES.put(
    "included", never, buffered(b"ok", TEXT, ("x-hook", "included")), Ask(target="/red/users/7"),
    route="/x", setup=_include,
    notes=("included", "handler"), shows="The routes and hooks of another app, below a prefix.",
)  # fmt: skip
ROUTES.put(
    "included-page", never, buffered(b'"404 x"', JSON, ("x-hook", "included"), status=404), Ask(target="/red/x"),
    route="/x", setup=_include, needs_loop=True, notes=("included",), shows="And its error pages.",
)  # fmt: skip


for _name, _ask, _body, _status in (
    ("file-that-is-missing", Ask(target="/red/missing"), b'"404 missing"', 404),
    ("condition", Ask(target="/red/tagged", headers=(("If-Match", '"v2"'),)), b'"412 tagged"', 412),
    ("first-step", Ask(target="/red/stream"), b'"409 stream"', 409),
):
    ROUTES.put(
        f"included-page-for-a-{_name}", never, buffered(_body, JSON, ("x-hook", "included"), status=_status), _ask,
        route="/x", setup=_include, notes=("included",), needs_loop=True,
        shows="They are asked also where it is found out as the body is sent.",
    )  # fmt: skip
ROUTES.put(
    "included-page-that-is-a-stream", never,
    streamed(
        b"a page", b" of several parts", given=(("x-hook", "included"), ("cache-control", "no-store")), status=500,
    ),
    Ask(target="/blue/stream"), route="/x", setup=_include, notes=("included",), errors=(KeyError,),
    outcome="failed", shows="And may be a stream.",
)  # fmt: skip


@ROUTES.add(buffered(b"[1,2]", JSON))
def json_of_a_tuple(req: Request, res: Response, ctx: Context) -> None:
    """`res.json` takes what JSON takes."""
    res.json((1, 2))


# Schemas


GOOD: Final = b'{"name":"Zo\xc3\xab","age":3}'


def user(req: Request, res: Response, ctx: Context) -> None:
    """Decodes what comes, filters what goes."""
    res.status = 201
    res.body = {"id": 7, "name": name_of(req.data), "password": "secret"}


def name_of(data: object) -> object:
    """What the schema has decoded is a dict."""
    assert _is_dict(data)
    return data["name"]


def _is_dict(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


ROUTES.put(
    "schema", user, buffered('{"id":7,"name":"Zoë"}'.encode(), JSON, status=201),
    Ask("POST", headers=JSON_SENT, body=GOOD), setup=_expects, shows="A field that is not in the schema never leaves.",
)  # fmt: skip
ROUTES.put(
    "schema-mismatch", user,
    buffered(b'[{"path":"$.age","message":"Expected `int`, got `str`"}]', JSON, status=422),
    Ask("POST", headers=JSON_SENT, body=b'{"name":"x","age":"3"}'), setup=_expects, shows="422 with path and message.",
)  # fmt: skip
ROUTES.put(
    "schema-no-json", user, refusal(400, "400 Bad Request: the body is empty, and JSON was expected\n"),
    Ask("POST", headers=JSON_SENT), setup=_expects, shows="400 for what is no JSON.",
)  # fmt: skip
ROUTES.put(
    "schema-media-type", user,
    refusal(415, "415 Unsupported Media Type: the Content-Type is 'text/csv'; application/json was expected\n"),
    Ask("POST", headers=(("Content-Type", "text/csv"),), body=GOOD), setup=_expects,
    shows="415 for a media type that it can't read.",
)  # fmt: skip


def _returns(app: App, path: str) -> None:
    app.schema.GET(path, returns=User)


@ROUTES.add(failure(), setup=_returns, errors=(TypeError,))
def schema_and_bytes(req: Request, res: Response, ctx: Context) -> None:
    """What can't be filtered does not go out."""
    res.body = b'{"password":"secret"}'


@ROUTES.add(failure(), setup=_returns, errors=(TypeError,))
def schema_and_a_stream(req: Request, res: Response, ctx: Context) -> None:
    """Nor does a plain stream."""
    res.stream([b'{"password":"secret"}'])


@ROUTES.add(buffered(b'{"id":1,"name":"x"}', JSON), setup=_returns)
def schema_and_abort(req: Request, res: Response, ctx: Context) -> None:
    """An abort's body is filtered, too."""
    res.abort({"id": 1, "name": "x", "password": "secret"})


@ROUTES.add(buffered(b'{"error":"x","password":"shown"}', JSON, status=400), setup=_returns)
def schema_and_an_error(req: Request, res: Response, ctx: Context) -> None:
    """The schema is for 2xx."""
    res.status = 400
    res.body = {"error": "x", "password": "shown"}


@ROUTES.add(
    streamed(
        b'data: {"id":1,"name":"x"}\n\n',
        b'event: user\ndata: {"id":2,"name":"y"}\n\n',
        kind="text/event-stream",
        given=(("cache-control", "no-cache"), ("x-accel-buffering", "no")),
    ),
    setup=_returns,
)
async def schema_and_events(req: Request, res: Response, ctx: Context) -> None:
    """Each item of an event stream is filtered."""

    async def items() -> AsyncIterator[object]:
        yield {"id": 1, "name": "x", "password": "secret"}
        yield ServerSentEvent({"id": 2, "name": "y", "password": "secret"}, event="user")

    res.stream(items(), sse=True)
