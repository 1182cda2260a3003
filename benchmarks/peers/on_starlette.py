"""The answers of `benchmarks.asgi_apps`, files of `benchmarks.downloads` and event streams, with Starlette."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from benchmarks.asgi_apps import ASGI, DOCUMENT, TEXT, Content, Wrapped
from benchmarks.event_stream_apps import CONTROLS, Hub, as_text

__all__ = ["make", "make_events", "make_files", "make_stream"]


async def text(request: Request) -> PlainTextResponse:
    return PlainTextResponse(TEXT)


async def document(request: Request) -> JSONResponse:
    return JSONResponse(DOCUMENT)


def make(content: Content, hooks: bool) -> ASGI:
    # Its hooks are plain ASGI middleware. BaseHTTPMiddleware costs several times as much.
    return Starlette(
        routes=[Route("/hello", document if content == "json" else text)],
        middleware=[Middleware(Wrapped)] if hooks else [],
    )


def make_files(folder: str) -> ASGI:
    """For the server's process: /text, and the files of a folder."""

    async def file(request: Request) -> FileResponse:
        return FileResponse(os.path.join(folder, str(request.path_params["name"])))

    return Starlette(routes=[Route("/text", text), Route("/files/{name}", file)])


def make_events() -> ASGI:
    """For the server's process: the event streams of `benchmarks.event_streams`."""
    hub = Hub(as_text)

    async def events(request: Request) -> StreamingResponse:
        return StreamingResponse(hub.follow(), media_type="text/event-stream")

    async def idle(request: Request) -> StreamingResponse:
        return StreamingResponse(hub.idle(), media_type="text/event-stream")

    async def control(request: Request) -> JSONResponse:
        return JSONResponse(hub.control(request.url.path))

    controls = [Route(path, control) for path in CONTROLS]
    return Starlette(routes=[Route("/events", events), Route("/idle", idle), *controls])


def make_stream(items: Callable[[], AsyncIterator[bytes]], content_type: str) -> ASGI:
    """The same stream for each request, as `benchmarks.chunks` wants it."""

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(items(), media_type=content_type)

    return Starlette(routes=[Route("/hello", stream)])
