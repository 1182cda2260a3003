"""Streams of server-sent events as a bare ASGI callable and with heaven-core; what those of the peers have in common.

`GET /events` gets what is published, `GET /idle` one event and then nothing. `GET /begin` lets an event be published
each second, `GET /publish` publishes one at once, `GET /memory` changes nothing; all three answer with what a `Report`
has. The bare callable has no `/events`: it is there for what no server can hold less for.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final, Generic, TypedDict, TypeVar

from benchmarks.asgi_apps import ASGI, Receive, Scope, Send
from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, Request, Response, ServerSentEvent

__all__ = ["BYE", "CONTROLS", "Hub", "Report", "as_text", "make_bare", "make_ours"]

BYE = "bye"  # the name of the last event
CONTROLS = ("/memory", "/begin", "/publish")
INTERVAL = 1.0  # seconds

E = TypeVar("E")


class Report(TypedDict):
    """`resident` is the memory of the process in bytes, `open` how many streams there are."""

    resident: int
    open: int
    published: int


class Hub(Generic[E]):
    """One publisher and its listeners, with a queue for each. `make` makes an event of its number and its time."""

    def __init__(self, make: Callable[[int, float], E]) -> None:
        self._make: Final = make
        self._listeners: Final[set[asyncio.Queue[E]]] = set()
        self._publisher: asyncio.Task[None] | None = None
        self.published = 0
        self.silent = 0

    async def follow(self) -> AsyncGenerator[E]:
        """What is published from now on."""
        queue: asyncio.Queue[E] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def idle(self) -> AsyncGenerator[E]:
        """One event, and then silence: as little as can be waits, so that what is measured is the library's."""
        self.silent += 1
        try:
            yield self._make(0, time.monotonic())
            await asyncio.get_running_loop().create_future()
        finally:
            self.silent -= 1

    def control(self, path: str) -> Report:
        if path == "/begin":
            self._publisher = asyncio.create_task(self._publish_on())
        elif path == "/publish":
            self._publish()
        else:
            gc.collect()
        return {"resident": resident(), "open": len(self._listeners) + self.silent, "published": self.published}

    def _publish(self) -> None:
        self.published += 1
        event = self._make(self.published, time.monotonic())
        for listener in self._listeners:
            listener.put_nowait(event)

    async def _publish_on(self) -> None:
        due = time.monotonic()
        while True:
            self._publish()
            due += INTERVAL
            await asyncio.sleep(due - time.monotonic())


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def as_text(number: int, now: float) -> str:
    """An event as it goes out, for those who leave that to the application."""
    return f"id: {number}\ndata: {now}\n\n"


def _as_event(number: int, now: float) -> ServerSentEvent:
    return ServerSentEvent(str(now), id=str(number))


def make_ours() -> ASGI:
    """For the server's process."""
    hub = Hub(_as_event)
    bye = ServerSentEvent(event=BYE)

    async def events(req: Request[object], res: Response, ctx: Context) -> None:
        res.stream(hub.follow(), sse=True, at_shutdown=bye)

    async def idle(req: Request[object], res: Response, ctx: Context) -> None:
        res.stream(hub.idle(), sse=True, at_shutdown=bye)

    async def control(req: Request[object], res: Response, ctx: Context) -> None:
        res.body = dict(hub.control(req.path))

    app = App()
    app.GET("/events", events)
    app.GET("/idle", idle)
    for path in CONTROLS:
        app.GET(path, control)
    return ASGIAdapter(app)


def make_bare() -> ASGI:
    """For the server's process."""
    hub = Hub(as_text)

    async def serve_bare(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in CONTROLS:
            body = json.dumps(hub.control(scope["path"])).encode()
            fields = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            await send({"type": "http.response.body", "body": body})
            return
        fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": as_text(0, time.monotonic()).encode(), "more_body": True})
        hub.silent += 1
        while (await receive())["type"] != "http.disconnect":
            pass
        hub.silent -= 1

    return serve_bare
