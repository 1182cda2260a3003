"""The event streams of `benchmarks.event_streams`, with sse-starlette."""

from __future__ import annotations

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.asgi_apps import ASGI
from benchmarks.event_stream_apps import CONTROLS, Hub

__all__ = ["make_events"]


def as_event(number: int, now: float) -> ServerSentEvent:
    return ServerSentEvent(str(now), id=str(number))


def make_events() -> ASGI:
    """For the server's process."""
    hub = Hub(as_event)

    async def events(request: Request) -> EventSourceResponse:
        return EventSourceResponse(hub.follow())

    async def idle(request: Request) -> EventSourceResponse:
        return EventSourceResponse(hub.idle())

    async def control(request: Request) -> JSONResponse:
        return JSONResponse(hub.control(request.url.path))

    controls = [Route(path, control) for path in CONTROLS]
    return Starlette(routes=[Route("/events", events), Route("/idle", idle), *controls])
