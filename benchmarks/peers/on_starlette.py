"""The answers of `benchmarks.asgi_apps`, with Starlette."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from benchmarks.asgi_apps import ASGI, DOCUMENT, TEXT, Content, Wrapped

__all__ = ["make"]


async def text(request: Request) -> PlainTextResponse:
    return PlainTextResponse(TEXT)


async def document(request: Request) -> JSONResponse:
    return JSONResponse(DOCUMENT)


def make(content: Content, hooks: bool) -> ASGI:
    # Its hooks are plain ASGI middleware. BaseHTTPMiddleware costs several times as much.
    return Starlette(
        routes=[Route("/hello", text if content == "text" else document)],
        middleware=[Middleware(Wrapped)] if hooks else [],
    )
