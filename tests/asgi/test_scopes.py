"""What a server passes in: each type of scope, versions, paths, and what of them a handler sees."""

from __future__ import annotations

import logging

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App, Context, Request, Response
from tests.asgi.memory import PATIENCE, Call, scope_of

pytestmark = pytest.mark.anyio


def show(req: Request, res: Response, ctx: Context) -> None:
    res.body = {"path": req.path, "root_path": req.root_path, "version": req.http_version, "body": len(req.body)}


def closing(req: Request, res: Response, ctx: Context) -> None:
    res.close = True
    res.body = "last"


def closing_stream(req: Request, res: Response, ctx: Context) -> None:
    res.close = True
    res.stream([b"last"])


def made() -> App:
    app = App()
    app.GET("/*", show)
    app.POST("/*", show)
    app.GET("/close", closing)
    app.GET("/close-stream", closing_stream)
    return app


async def test_websocket_is_refused() -> None:
    """Closed before it was accepted, which servers answer with 403."""
    connect: Message = {"type": "websocket.connect"}
    call = Call(ASGIAdapter(made()), {"type": "websocket", "path": "/"}, [connect])
    await call.run()
    assert call.received == [connect]
    assert [(message["type"], message["code"]) for message in call.sent] == [("websocket.close", 1000)]


async def test_another_scope_is_an_error() -> None:
    """So says the ASGI specification: raise."""
    call = Call(ASGIAdapter(made()), {"type": "mqtt"})
    with pytest.raises(ValueError, match="mqtt"):
        await call.run()
    assert call.sent == []


@pytest.mark.parametrize(
    ("root_path", "path", "seen"),
    [
        ("", "/a", "/a"),
        ("/app", "/app/a", "/a"),
        ("/app", "/app/", "/"),
        ("/app", "/app", "/"),
        ("/app", "/a", "/a"),  # cut already
        ("/app", "/apple", "/apple"),  # cut already: what it begins with is no segment
        ("/app", "", "/"),
    ],
)
async def test_routes_see_the_path_after_root_path(root_path: str, path: str, seen: str) -> None:
    """ASGI 2.4: `path` holds it; some servers and routers have taken it away."""
    app = App()
    app.before("*", lambda req, res, ctx: res.abort(req.path))
    call = Call(ASGIAdapter(app), scope_of(path=path, root_path=root_path))
    await call.run()
    assert call.answer.body == seen.encode()


@pytest.mark.parametrize(
    ("root_path", "path", "seen"),
    [
        ("", "http://example.com/a b", ["/a b", "/a%20b", "example.com"]),
        ("", "HTTPS://example.com:8080", ["/", "/", "example.com:8080"]),
        ("/app", "/apphttp://example.com/a", ["/a", "/app/a", "example.com"]),  # as uvicorn has it
        ("/app", "http://example.com/app/a", ["/a", "/app/a", "example.com"]),  # as hypercorn has it
        ("/app", "/app/http://example.com/a", ["/http://example.com/a", "/app/http://example.com/a", "test"]),
        ("", "/http://example.com/a", ["/http://example.com/a", "/http://example.com/a", "test"]),
        ("", "http:///a", ["http:///a", "http:///a", "test"]),
        ("", "mailto:a://b", ["mailto:a://b", "mailto:a://b", "test"]),
    ],
)
@pytest.mark.parametrize("tells", [True, False])
async def test_a_target_in_absolute_form_is_its_path_and_its_host(
    root_path: str, path: str, seen: list[str], tells: bool
) -> None:
    """RFC 9112 §3.2.2, where the server passes it on as the path, and whether it tells the raw one or not."""
    shown: list[list[str]] = []

    def show(req: Request, res: Response, ctx: Context) -> None:
        shown.append([req.path, req.raw_path.decode(), req.host])
        assert req.headers.get_all("Host") == [req.host]

    app = App()
    app.before("*", show)
    raw_path = path.replace(" ", "%20").encode() if tells else None
    await Call(ASGIAdapter(app), scope_of(path=path, root_path=root_path, raw_path=raw_path)).run()
    assert shown == [seen]


@pytest.mark.parametrize("path", ["/close", "/close-stream"])
@pytest.mark.parametrize(("version", "says_so"), [("1", True), ("1.0", True), ("1.1", True), ("2", False)])
async def test_res_close_is_a_field_of_http_1(path: str, version: str, says_so: bool) -> None:
    """RFC 9113 §8.2.2: HTTP/2 has no Connection. (granian says "1" for HTTP/1.0.)"""
    call = Call(ASGIAdapter(made()), scope_of(path=path, http_version=version))
    await call.run()
    assert ((b"connection", b"close") in call.answer.fields) is says_so


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_a_body_is_read_where_there_may_be_one(method: str, version: str) -> None:
    """On HTTP/2 a request may have one without a Content-Length."""
    scope = scope_of(method, "/x", [("transfer-encoding", "chunked")] if version == "1.1" else (), http_version=version)
    messages: list[Message] = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": b"de"},
    ]
    call = Call(ASGIAdapter(made()), scope, messages)
    await call.run()
    assert b'"body":5' in call.answer.body


async def test_no_body_is_received_where_there_is_none() -> None:
    """A GET of HTTP/1.1 without a field that says so has no body (RFC 9112 §6.3)."""
    call = Call(ASGIAdapter(made()), scope_of(path="/x"))
    await call.run()
    assert call.received == []


async def test_a_scope_with_no_more_than_it_must_have() -> None:
    """`raw_path`, `root_path`, `scheme`, `server` and `client` are optional."""
    scope = {
        key: value
        for key, value in scope_of(path="/x").items()
        if key not in {"raw_path", "root_path", "scheme", "server", "client"}
    }
    call = Call(ASGIAdapter(made()), scope)
    await call.run()
    assert call.answer.status == 200


# What the adapter brings to the app


async def test_a_handler_in_a_thread_does_not_hold_up_the_loop() -> None:
    """`thread=True`: it waits for what the loop does meanwhile."""
    from threading import Event, get_ident

    entered, go = Event(), Event()
    idents: list[int] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        entered.set()
        idents.append(get_ident())
        res.body = str(go.wait(PATIENCE))

    app = App()
    app.GET("/thread", handler, thread=True)
    call = Call(ASGIAdapter(app), scope_of(path="/thread"))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await anyio.to_thread.run_sync(entered.wait, PATIENCE)
            go.set()
    assert call.answer.body == b"True"
    assert idents != [get_ident()]


async def test_errors_are_logged_with_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fail(req: Request, res: Response, ctx: Context) -> None:
        raise ZeroDivisionError

    app = App()
    app.GET("/fail", fail)
    call = Call(ASGIAdapter(app), scope_of(path="/fail"))
    with caplog.at_level(logging.ERROR, "heaven_core"):
        await call.run()
    assert call.answer.status == 500
    [record] = caplog.records
    assert "/fail" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("fails", [False, True])
async def test_an_async_on_error_is_awaited(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """In a task of its own: the client does not wait for it. What it raises itself is logged."""
    told = anyio.Event()

    async def on_error(error: BaseException, where: str) -> None:
        await anyio.sleep(0)
        told.set()
        if fails:
            raise KeyError("in on_error")

    def fail(req: Request, res: Response, ctx: Context) -> None:
        raise ZeroDivisionError

    app = App(on_error=on_error)
    app.GET("/fail", fail)
    call = Call(ASGIAdapter(app), scope_of(path="/fail"))
    with anyio.fail_after(PATIENCE):
        await call.run()
        await told.wait()
        while len(caplog.records) < 1 + fails:
            await anyio.sleep(0)
    assert call.answer.status == 500
