"""What ASGI servers are told to serve: the app that the environment names, at the root and below /mounted."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Receive, Scope, Send
from heaven_core import App

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["application"]

MOUNT: Final = "/mounted"


def _load() -> App:
    app: object = importlib.import_module(os.environ["HEAVEN_TEST_APP"]).app
    assert isinstance(app, App)
    return app


DEADLINE: Final = float(os.environ.get("HEAVEN_TEST_DEADLINE", "10"))
SEND_TIMEOUT: Final = float(os.environ.get("HEAVEN_TEST_SEND_TIMEOUT", "60"))
CLOSING_LIMIT: Final = float(os.environ.get("HEAVEN_TEST_CLOSING_LIMIT", "5"))
adapter: Final = ASGIAdapter(
    _load(),
    deferred_deadline=DEADLINE,
    stream_deadline=DEADLINE,
    send_timeout=SEND_TIMEOUT,
    closing_limit=CLOSING_LIMIT,
)


def _mounted_in_starlette(passes_on: bool) -> Starlette:
    """As docs/asgi.md has it, or as somebody has it who knows nothing of lifespans."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    @asynccontextmanager
    async def lifespan(outer: Starlette) -> AsyncGenerator[None]:
        async with adapter.lifespan():
            yield

    return Starlette(routes=[Mount("/", app=adapter)], lifespan=lifespan if passes_on else None)


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    """Mounts as routers do: the path stays whole, `root_path` says what of it is theirs."""
    if scope["type"] == "lifespan" and "HEAVEN_TEST_NO_LIFESPAN" in os.environ:
        raise NotImplementedError("a router that keeps the lifespan to itself")
    if scope["type"] == "http" and scope["path"] == "/extensions":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": " ".join(scope.get("extensions") or ()).encode()})
        return
    if scope["type"] == "http" and scope["path"].startswith(f"{MOUNT}/"):
        scope = {**scope, "root_path": scope.get("root_path", "") + MOUNT}
    await adapter(scope, receive, send)


STARLETTE: Final = os.environ.get("HEAVEN_TEST_STARLETTE")
application: Final = _application if STARLETTE is None else _mounted_in_starlette(STARLETTE == "passes on")
