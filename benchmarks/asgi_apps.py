"""The same small answers as a bare ASGI callable, with heaven-core, and with other frameworks: what is compared.

Each answers `GET /hello` with the same text or the same JSON, as its own documentation writes that. Those with hooks
have two, of which the first keeps a value and the second sets a header. A framework that is not installed is left out.
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
    "FRAME",
    "OURS",
    "OURS_DEF",
    "TEXT_TYPE",
    "USER",
    "Content",
    "Hooks",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "contenders",
    "make_app",
    "missing",
]

# As ASGI servers and frameworks pass them: dicts whose values are of any type.
Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler: TypeAlias = Callable[[Request[object], Response, Context], Awaitable[None] | None]

Content: TypeAlias = Literal["text", "text alone", "json"]
Hooks: TypeAlias = Literal["none", "async", "def"]

BARE = "bare callable"
WRAPPED = "bare, hooks around it"
OURS = "heaven-core"
OURS_DEF = "heaven-core, def"
PEERS = {"Starlette": "starlette", "Falcon": "falcon", "BlackSheep": "blacksheep"}  # and what to import

TEXT = "Hello, World"
TEXT_BYTES = TEXT.encode()
DOCUMENT = {"id": 17, "name": "Ada Lovelace", "email": "ada@example.org", "admin": False, "tags": ["maths", "engines"]}
BODIES: dict[Content, object] = {"text": TEXT, "text alone": TEXT, "json": DOCUMENT}

TEXT_TYPE = "text/plain; charset=utf-8"
_TEXT_LINE = (b"content-type", TEXT_TYPE.encode())
_JSON_LINE = (b"content-type", b"application/json")

# What the two hooks do: the one before keeps who asks, the one after sets a header.
USER = "ada"
FRAME = ("X-Frame-Options", "DENY")
_FRAME_LINE = (b"x-frame-options", b"DENY")


def contenders(content: Content, hooks: Hooks) -> dict[str, ASGI]:
    """The applications by name; the bare callable and heaven-core come first."""
    apps: dict[str, ASGI] = {BARE: bare(content, hooks)}
    if hooks == "async":
        apps[WRAPPED] = Wrapped(bare(content, "none"))
    apps[OURS] = ours(content, hooks)
    apps[OURS_DEF] = ours(content, hooks, is_async=False)
    if hooks != "def" and content != "text alone":  # the others have a way for async hooks only
        for name, framework in PEERS.items():
            if find_spec(framework) is not None:
                make: Callable[[Content, bool], ASGI] = import_module(f"benchmarks.peers.on_{framework}").make
                apps[name] = make(content, hooks == "async")
    return apps


def missing() -> list[str]:
    """The frameworks that are not installed."""
    return [name for name, framework in PEERS.items() if find_spec(framework) is None]


# The floor: what no framework can be faster than.


async def before(scope: Scope) -> None:
    scope["state"]["user"] = USER


async def after(fields: list[tuple[bytes, bytes]]) -> None:
    fields.append(_FRAME_LINE)


def before_def(scope: Scope) -> None:
    scope["state"]["user"] = USER


def after_def(fields: list[tuple[bytes, bytes]]) -> None:
    fields.append(_FRAME_LINE)


def bare(content: Content, hooks: Hooks) -> ASGI:
    """A callable that has what it does written out, as nobody would have it who has several routes."""

    async def text(scope: Scope, receive: Receive, send: Send) -> None:
        data = TEXT_BYTES
        fields = [_TEXT_LINE, (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": data})

    async def text_async_hooks(scope: Scope, receive: Receive, send: Send) -> None:
        await before(scope)
        data = TEXT_BYTES
        fields = [_TEXT_LINE, (b"content-length", str(len(data)).encode())]
        await after(fields)
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": data})

    async def text_def_hooks(scope: Scope, receive: Receive, send: Send) -> None:
        before_def(scope)
        data = TEXT_BYTES
        fields = [_TEXT_LINE, (b"content-length", str(len(data)).encode())]
        after_def(fields)
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": data})

    async def document(scope: Scope, receive: Receive, send: Send) -> None:
        data = json.dumps(DOCUMENT).encode()
        fields = [_JSON_LINE, (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": data})

    async def document_async_hooks(scope: Scope, receive: Receive, send: Send) -> None:
        await before(scope)
        data = json.dumps(DOCUMENT).encode()
        fields = [_JSON_LINE, (b"content-length", str(len(data)).encode())]
        await after(fields)
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": data})

    async def document_def_hooks(scope: Scope, receive: Receive, send: Send) -> None:
        before_def(scope)
        data = json.dumps(DOCUMENT).encode()
        fields = [_JSON_LINE, (b"content-length", str(len(data)).encode())]
        after_def(fields)
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": data})

    texts: dict[Hooks, ASGI] = {"none": text, "async": text_async_hooks, "def": text_def_hooks}
    documents: dict[Hooks, ASGI] = {"none": document, "async": document_async_hooks, "def": document_def_hooks}
    return (documents if content == "json" else texts)[hooks]


class Wrapped:
    """The hooks as plain ASGI has them: around a callable that sends for itself, and without any base class."""

    def __init__(self, app: ASGI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_after(message: Message) -> None:
            if message["type"] == "http.response.start":
                await after(message["headers"])
            await send(message)

        await before(scope)
        await self.app(scope, receive, send_after)


# heaven-core's, as people write them: a status, a header, a body.


async def text(req: Request[object], res: Response, ctx: Context) -> None:
    res.status = 200
    res.headers = "Content-Type", TEXT_TYPE
    res.body = TEXT


def text_def(req: Request[object], res: Response, ctx: Context) -> None:
    res.status = 200
    res.headers = "Content-Type", TEXT_TYPE
    res.body = TEXT


async def text_alone(req: Request[object], res: Response, ctx: Context) -> None:
    res.body = TEXT


def text_alone_def(req: Request[object], res: Response, ctx: Context) -> None:
    res.body = TEXT


async def document(req: Request[object], res: Response, ctx: Context) -> None:
    res.status = 200
    res.body = DOCUMENT


def document_def(req: Request[object], res: Response, ctx: Context) -> None:
    res.status = 200
    res.body = DOCUMENT


async def keep_user(req: Request[object], res: Response, ctx: Context) -> None:
    ctx.keep("user", USER)


async def set_frame(req: Request[object], res: Response, ctx: Context) -> None:
    res.headers = FRAME


def keep_user_def(req: Request[object], res: Response, ctx: Context) -> None:
    ctx.keep("user", USER)


def set_frame_def(req: Request[object], res: Response, ctx: Context) -> None:
    res.headers = FRAME


_HANDLERS: dict[Content, tuple[Handler, Handler]] = {
    "text": (text, text_def),
    "text alone": (text_alone, text_alone_def),
    "json": (document, document_def),
}


def make_app(content: Content, hooks: Hooks, *, is_async: bool) -> App:
    """heaven-core's, for any adapter."""
    app = App()
    app.GET("/hello", _HANDLERS[content][0 if is_async else 1])
    if hooks == "async":
        app.before("*", keep_user)
        app.after("*", set_frame)
    elif hooks == "def":
        app.before("*", keep_user_def)
        app.after("*", set_frame_def)
    return app


def ours(content: Content, hooks: Hooks, *, is_async: bool = True) -> ASGI:
    return ASGIAdapter(make_app(content, hooks, is_async=is_async))
