"""The same answers by aiohttp's own server."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from benchmarks.asgi_apps import DOCUMENT, TEXT

__all__ = ["run"]


async def _text(request: web.Request) -> web.Response:
    return web.Response(text=TEXT)


async def _document(request: web.Request) -> web.Response:
    return web.json_response(DOCUMENT)


async def run(listener: socket.socket) -> None:
    """Serve until this is cancelled."""
    app = web.Application()
    app.router.add_get("/text", _text)
    app.router.add_get("/json", _document)
    runner = web.AppRunner(app, access_log=None, handle_signals=True)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await asyncio.Event().wait()
