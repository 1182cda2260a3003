"""The answers of `benchmarks.asgi_apps`, with BlackSheep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from blacksheep import Application, Request, Response
from blacksheep import json as json_response
from blacksheep import text as text_response
from blacksheep.server.routing import Router

from benchmarks.asgi_apps import ASGI, DOCUMENT, TEXT, Content, after, before

__all__ = ["make"]


async def text(request: Request) -> Response:
    return text_response(TEXT)


async def document(request: Request) -> Response:
    return json_response(DOCUMENT)


async def around(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
    await before(request, None, None)
    response = await handler(request)
    await after(request, response, None)
    return response


def make(content: Content, hooks: bool) -> ASGI:
    app = Application(router=Router())
    app.router.add_get("/hello", text if content == "text" else document)
    if hooks:
        app.middlewares.append(around)
    return app
