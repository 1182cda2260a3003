"""Servers that answer `/text` and `/json`, each as a program: `python -m benchmarks.socket_servers NAME [FOLDER]`.

It prints its port first. What is the same for all: the bytes of the bodies, the Content-Type that the handler sets,
Date, no access log, and a loop that serves until SIGTERM. With a folder heaven-core serves `/files/...` of it, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import Final

import anyio
import h11
import uvicorn
from anyio.abc import ByteStream, SocketListener
from hypercorn.config import Config as HypercornConfig

from benchmarks.asgi_apps import DOCUMENT, TEXT, TEXT_BYTES, Receive, Scope, Send
from benchmarks.server import allow_many_connections
from heaven_core import App, Context, Request, Response, ServerSentEvent, format_http_date
from heaven_socket import Limits, SocketAdapter

__all__ = ["SERVERS"]

_TEXT_TYPE: Final = "text/plain; charset=utf-8"
_JSON_TYPE: Final = "application/json"


def _listener() -> socket.socket:
    # With the protocol, by which asyncio sees that TCP_NODELAY is to be set.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def _print_port(listener: socket.socket) -> None:
    print(listener.getsockname()[1], flush=True)  # connections wait in the backlog until it serves


def make_app(folder: str | None = None) -> App:
    """heaven-core's: handlers as people write them."""

    async def text(req: Request, res: Response, ctx: Context) -> None:
        res.status = 200
        res.headers = "Content-Type", _TEXT_TYPE
        res.body = TEXT

    async def document(req: Request, res: Response, ctx: Context) -> None:
        res.status = 200
        res.headers = "Content-Type", _JSON_TYPE
        res.body = DOCUMENT

    async def events(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[ServerSentEvent]:
            yield ServerSentEvent("first")
            await anyio.sleep_forever()

        res.stream(items(), sse=True)

    async def chunks(req: Request, res: Response, ctx: Context) -> None:
        count, size = int(req.query["count"]), int(req.query["size"])
        item = b"x" * size

        async def items() -> AsyncIterator[bytes]:
            for _ in range(count):
                yield item

        res.stream(items())

    app = App()
    app.GET("/text", text)
    app.GET("/json", document)
    app.GET("/events", events)
    app.GET("/chunks", chunks)
    if folder is not None:
        app.files("/files/*", folder)
    return app


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """The floor: a bare ASGI callable."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
    if path == "/chunks":
        await _bare_chunks(scope, send)
        return
    if path == "/events":
        fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": b"data: first\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    data = TEXT_BYTES if path == "/text" else json.dumps(DOCUMENT).encode()
    kind = _TEXT_TYPE if path == "/text" else _JSON_TYPE
    fields = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": data})


async def _bare_chunks(scope: Scope, send: Send) -> None:
    query = dict(part.split("=") for part in scope["query_string"].decode().split("&"))
    item = b"x" * int(query["size"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for _ in range(int(query["count"])):
        await send({"type": "http.response.body", "body": item, "more_body": True})
    await send({"type": "http.response.body"})


def _on_uvicorn(loop: str, http: str, folder: str | None) -> None:
    listener = _listener()
    _print_port(listener)
    config = uvicorn.Config(bare, loop=loop, http=http, log_level="warning", access_log=False, timeout_keep_alive=3600)
    uvicorn.Server(config).run(sockets=[listener])


def _ours(backend: str, folder: str | None) -> None:
    listener = _listener()
    _print_port(listener)
    adapter = SocketAdapter(
        make_app(folder), limits=Limits(requests=10_000_000, connections=100_000, keep_alive_time=3600)
    )
    options: dict[str, object] = {"use_uvloop": backend == "uvloop"} if backend != "trio" else {}
    name = "trio" if backend == "trio" else "asyncio"
    anyio.run(partial(adapter.serve, sockets=[listener]), backend=name, backend_options=options)


def _ours_on_streams(backend: str, folder: str | None) -> None:
    async def run() -> None:
        listener = _listener()
        _print_port(listener)
        adapter = SocketAdapter(make_app(folder), limits=Limits(requests=10_000_000, keep_alive_time=3600))
        async with adapter.running() as serve_connection:
            await (await SocketListener.from_socket(listener)).serve(serve_connection)

    anyio.run(run, backend=backend)


def _bare_h11(backend: str, folder: str | None) -> None:
    """What anybody would write with anyio and h11 for answers that are always the same."""

    async def answer(stream: ByteStream) -> None:
        async with stream:
            connection = h11.Connection(h11.SERVER)
            path = b""
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    try:
                        connection.receive_data(await stream.receive())
                    except (anyio.EndOfStream, anyio.BrokenResourceError):
                        return
                elif isinstance(event, h11.Request):
                    path = event.target
                elif isinstance(event, h11.EndOfMessage):
                    data = TEXT_BYTES if path == b"/text" else json.dumps(DOCUMENT).encode()
                    kind = _TEXT_TYPE if path == b"/text" else _JSON_TYPE
                    headers = [
                        ("content-type", kind), ("content-length", str(len(data))), ("date", format_http_date(0)),
                    ]  # fmt: skip
                    head = connection.send(h11.Response(status_code=200, headers=headers))
                    await stream.send(head + connection.send(h11.Data(data)))
                    connection.send(h11.EndOfMessage())
                    connection.start_next_cycle()
                else:
                    return

    async def run() -> None:
        listener = _listener()
        _print_port(listener)
        await (await SocketListener.from_socket(listener)).serve(answer)

    anyio.run(run, backend=backend)


def _on_hypercorn(folder: str | None) -> None:
    # The others need no trio; and hypercorn types the messages, each for itself.
    serve: Callable[..., Coroutine[object, object, None]] = import_module("hypercorn.trio").serve
    config = HypercornConfig()
    config.keep_alive_max_requests = 10_000_000
    config.keep_alive_timeout = 3600
    config.loglevel = "warning"
    listener = _listener()
    config.bind = [f"fd://{listener.fileno()}"]
    _print_port(listener)
    anyio.run(partial(serve, bare, config), backend="trio")


def _on_aiohttp(folder: str | None) -> None:
    run: Callable[[socket.socket], Coroutine[object, object, None]] = import_module("benchmarks.peers.on_aiohttp").run
    listener = _listener()
    _print_port(listener)
    asyncio.run(run(listener))


SERVERS: Final[dict[str, Callable[[str | None], None]]] = {
    "bare on uvicorn": partial(_on_uvicorn, "uvloop", "httptools"),
    "bare on uvicorn, h11": partial(_on_uvicorn, "uvloop", "h11"),
    "ours, asyncio": partial(_ours, "asyncio"),
    "ours, uvloop": partial(_ours, "uvloop"),
    "ours, trio": partial(_ours, "trio"),
    "ours, streams on asyncio": partial(_ours_on_streams, "asyncio"),
    "ours, streams on trio": partial(_ours_on_streams, "trio"),
    "anyio+h11, asyncio": partial(_bare_h11, "asyncio"),
    "anyio+h11, trio": partial(_bare_h11, "trio"),
    "bare on hypercorn, trio": _on_hypercorn,
    "aiohttp": _on_aiohttp,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="One of the servers that are compared.")
    parser.add_argument("name", choices=list(SERVERS))
    parser.add_argument("folder", nargs="?")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    allow_many_connections()
    SERVERS[arguments.name](arguments.folder)


if __name__ == "__main__":
    main()
