"""The answers of `benchmarks.asgi_apps`, with BlackSheep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from blacksheep import Application, Request, Response
from blacksheep import json as json_response
from blacksheep import text as text_response
from blacksheep.server.routing import Router
from guardpost import Identity

from benchmarks.asgi_apps import ASGI, DOCUMENT, FRAME, TEXT, USER, Content

__all__ = ["make"]

_FRAME_LINE = (FRAME[0].encode(), FRAME[1].encode())


async def text(request: Request) -> Response:
    return text_response(TEXT)


async def document(request: Request) -> Response:
    return json_response(DOCUMENT)


async def around(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
    request.user = Identity({"name": USER})
    response = await handler(request)
    response.add_header(*_FRAME_LINE)
    return response


def make(content: Content, hooks: bool) -> ASGI:
    app = Application(router=Router())
    app.router.add_get("/hello", document if content == "json" else text)
    if hooks:
        app.middlewares.append(around)
    return app
