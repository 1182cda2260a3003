"""Asking whether the client is still there takes nothing away from whoever reads the request (SPEC 2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Mount

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message, Receive, Scope, Send
from heaven_core import App, Context, Request, Response
from tests.asgi.memory import PATIENCE, Call, scope_of

pytestmark = pytest.mark.anyio

PIECES = 5
SCOPE = scope_of("POST", "/up", [("content-length", "500")])


def app_that_asks(asking: int) -> App:
    async def upload(req: Request, res: Response, ctx: Context) -> None:
        size = 0
        async for piece in req.stream():
            size += len(piece)
            for _ in range(asking):
                assert not await req.is_disconnected()
        res.body = f"{size} bytes"

    app = App()
    app.POST("/up", upload, stream=True)
    return app


def messages() -> list[Message]:
    return [{"type": "http.request", "body": b"x" * 100, "more_body": number < PIECES - 1} for number in range(PIECES)]


class Slow:
    """A middleware that awaits something when it has taken a message."""

    def __init__(self, inner: ASGIAdapter, seconds: float) -> None:
        self.inner = inner
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def received() -> Message:
            message: Message = await receive()
            await anyio.sleep(self.seconds)
            return message

        await self.inner(scope, received, send)


@pytest.mark.parametrize("asking", [1, 3])
@pytest.mark.parametrize("seconds", [0.0, 0.002])
async def test_what_a_middleware_has_taken_is_not_lost(asking: int, seconds: float) -> None:
    call = Call(ASGIAdapter(app_that_asks(asking)), SCOPE, messages())
    with anyio.fail_after(PATIENCE):
        await Slow(call.adapter, seconds)(SCOPE, call.receive, call.send)
    assert call.answer.body == b"500 bytes"


async def _pass_on(
    request: StarletteRequest, following: Callable[[StarletteRequest], Awaitable[StarletteResponse]]
) -> StarletteResponse:
    return await following(request)


async def test_nor_behind_starlettes_own() -> None:
    call = Call(ASGIAdapter(app_that_asks(3)), SCOPE, messages())
    outer = Starlette(
        routes=[Mount("/", app=call.adapter)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=_pass_on)]
    )

    async def receive() -> MutableMapping[str, object]:
        return dict(await call.receive())

    with anyio.fail_after(PATIENCE):
        await outer({**SCOPE, "state": {}}, receive, call.send)
    assert call.answer.body == b"500 bytes"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_that_says_the_end_of_the_body_again_and_again_is_not_asked_for_ever(method: str) -> None:
    """As many a mock does; the specification wants `receive` to wait."""
    app = App()

    def defers(req: Request, res: Response, ctx: Context) -> None:
        res.defer(lambda app: None)
        res.body = "ok"

    app.GET("/", defers)
    app.POST("/", defers)
    call = Call(ASGIAdapter(app), scope_of(method))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    with anyio.fail_after(PATIENCE):
        await call.adapter(scope_of(method), receive, call.send)
    assert call.answer.body == b"ok"


async def test_nothing_is_left_waiting_when_the_request_has_ended() -> None:
    ended = anyio.Event()

    async def asks(req: Request, res: Response, ctx: Context) -> None:
        await req.is_disconnected()
        res.body = "ok"

    app = App()
    app.GET("/", asks)
    call = Call(ASGIAdapter(app), scope_of(), [])

    async def receive() -> Message:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        return {}

    with anyio.fail_after(PATIENCE):
        await call.adapter(scope_of(), receive, call.send)
        await ended.wait()
