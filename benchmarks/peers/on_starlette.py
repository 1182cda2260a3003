"""The answers of `benchmarks.asgi_apps`, and the files of `benchmarks.downloads`, with Starlette."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route

from benchmarks.asgi_apps import ASGI, DOCUMENT, TEXT, Content, Wrapped

__all__ = ["make", "make_files"]


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


def make_files(folder: str) -> ASGI:
    """For the server's process: /text, and the files of a folder."""

    async def file(request: Request) -> FileResponse:
        return FileResponse(os.path.join(folder, str(request.path_params["name"])))

    return Starlette(routes=[Route("/text", text), Route("/files/{name}", file)])
