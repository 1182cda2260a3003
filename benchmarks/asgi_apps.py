"""The same small answers as a bare ASGI callable, with heaven-core, and with other frameworks: what is compared.

Each answers `GET /hello` with the same text or the same JSON, and those with hooks run the same two functions, one
before and one after the handler. A framework that is not installed is left out.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, Request, Response

__all__ = [
    "ASGI",
    "BARE",
    "BODIES",
    "OURS",
    "Content",
    "Hooks",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "contenders",
    "missing",
]

# As ASGI servers and frameworks pass them: dicts whose values are of any type.
Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

Content: TypeAlias = Literal["text", "json"]
Hooks: TypeAlias = Literal["none", "async", "def"]

BARE = "bare callable"
WRAPPED = "bare, hooks around it"
OURS = "heaven-core"
PEERS = {"Starlette": "starlette", "Falcon": "falcon", "BlackSheep": "blacksheep"}  # and what to import

TEXT = "Hello, World"
TEXT_BYTES = TEXT.encode()
DOCUMENT = {"id": 17, "name": "Ada Lovelace", "email": "ada@example.org", "admin": False, "tags": ["maths", "engines"]}
BODIES: dict[Content, object] = {"text": TEXT, "json": DOCUMENT}

_TEXT_TYPE = (b"content-type", b"text/plain; charset=utf-8")
_JSON_TYPE = (b"content-type", b"application/json")


def contenders(content: Content, hooks: Hooks) -> dict[str, ASGI]:
    """The applications by name; the bare callable and heaven-core come first."""
    apps: dict[str, ASGI] = {BARE: _BARE[content, hooks]}
    if hooks == "async":
        apps[WRAPPED] = Wrapped(_BARE[content, "none"])
    apps[OURS] = ours(content, hooks)
    if hooks != "def":  # the others have a way for async ones only
        for name, framework in PEERS.items():
            if find_spec(framework) is not None:
                make: Callable[[Content, bool], ASGI] = import_module(f"benchmarks.peers.on_{framework}").make
                apps[name] = make(content, hooks == "async")
    return apps


def missing() -> list[str]:
    """The frameworks that are not installed."""
    return [name for name, framework in PEERS.items() if find_spec(framework) is None]


async def before(request: object, response: object, context: object) -> None:
    """Does nothing, for everyone."""


async def after(request: object, response: object, context: object) -> None:
    """Does nothing, for everyone."""


def before_def(request: object, response: object, context: object) -> None:
    """Does nothing, without a coroutine."""


def after_def(request: object, response: object, context: object) -> None:
    """Does nothing, without a coroutine."""


# The floor: what no framework can be faster than.


async def bare_text(scope: Scope, receive: Receive, send: Send) -> None:
    data = TEXT_BYTES
    length = str(len(data)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [_TEXT_TYPE, (b"content-length", length)]})
    await send({"type": "http.response.body", "body": data})


async def bare_text_hooks(scope: Scope, receive: Receive, send: Send) -> None:
    await before(scope, receive, send)
    data = TEXT_BYTES
    await after(scope, receive, send)
    length = str(len(data)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [_TEXT_TYPE, (b"content-length", length)]})
    await send({"type": "http.response.body", "body": data})


async def bare_text_def_hooks(scope: Scope, receive: Receive, send: Send) -> None:
    before_def(scope, receive, send)
    data = TEXT_BYTES
    after_def(scope, receive, send)
    length = str(len(data)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [_TEXT_TYPE, (b"content-length", length)]})
    await send({"type": "http.response.body", "body": data})


async def bare_json(scope: Scope, receive: Receive, send: Send) -> None:
    data = json.dumps(DOCUMENT).encode()
    length = str(len(data)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON_TYPE, (b"content-length", length)]})
    await send({"type": "http.response.body", "body": data})


async def bare_json_hooks(scope: Scope, receive: Receive, send: Send) -> None:
    await before(scope, receive, send)
    data = json.dumps(DOCUMENT).encode()
    await after(scope, receive, send)
    length = str(len(data)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON_TYPE, (b"content-length", length)]})
    await send({"type": "http.response.body", "body": data})


async def bare_json_def_hooks(scope: Scope, receive: Receive, send: Send) -> None:
    before_def(scope, receive, send)
    data = json.dumps(DOCUMENT).encode()
    after_def(scope, receive, send)
    length = str(len(data)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON_TYPE, (b"content-length", length)]})
    await send({"type": "http.response.body", "body": data})


_BARE: dict[tuple[Content, Hooks], ASGI] = {
    ("text", "none"): bare_text,
    ("text", "async"): bare_text_hooks,
    ("text", "def"): bare_text_def_hooks,
    ("json", "none"): bare_json,
    ("json", "async"): bare_json_hooks,
    ("json", "def"): bare_json_def_hooks,
}


class Wrapped:
    """The hooks as plain ASGI has them: around a callable that sends for itself, and without any base class."""

    def __init__(self, app: ASGI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_after(message: Message) -> None:
            if message["type"] == "http.response.start":
                await after(scope, message, None)
            await send(message)

        await before(scope, receive, send)
        await self.app(scope, receive, send_after)


def ours(content: Content, hooks: Hooks) -> ASGI:
    body = BODIES[content]

    async def answer(req: Request[object], res: Response, ctx: Context) -> None:
        res.body = body

    app = App()
    app.GET("/hello", answer)
    if hooks == "async":
        app.before("*", before)
        app.after("*", after)
    elif hooks == "def":
        app.before("*", before_def)
        app.after("*", after_def)
    return ASGIAdapter(app)
