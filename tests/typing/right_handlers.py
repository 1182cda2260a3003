"""Handlers and hooks as the documentation shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn, assert_type

from heaven_core import App, Context, Key, Request, Response, ServerSentEvent


@dataclass
class NewUser:
    name: str


USER = Key[NewUser]("user")


async def hello(req: Request, res: Response, ctx: Context) -> None:
    res.body = {"hello": req.params["name"]}
    res.headers = "X-Powered-By", "Heaven"
    res.headers = "X-Count", 3
    res.status = 201
    res.status = res.http.CREATED
    res.status = HTTPStatus.CREATED


def sync(req: Request, res: Response, ctx: Context) -> None:
    res.file(Path("page.html"), within="/srv")
    res.cookie("a", "b", samesite="None", secure=True)
    res.defer(lambda app: None, when="failed")


def create(req: Request[NewUser], res: Response, ctx: Context) -> None:
    assert_type(req.data, NewUser)
    ctx.keep(USER, req.data)
    assert_type(ctx.peek(USER), NewUser | None)


def bare_request_holds_an_object(req: Request, res: Response, ctx: Context) -> None:
    assert_type(req.data, object)


def getters_give_what_was_set(req: Request, res: Response, ctx: Context) -> None:
    assert_type(res.status, int)
    assert_type(res.body, object)
    assert_type(ctx.anything, object)
    assert_type(req.query["q"], str)
    assert_type(req.headers.get("host"), str | None)
    assert_type(req.cookies["a"], str)


def refuse(res: Response) -> NoReturn:
    res.abort({"error": "closed"})


def after_abort_the_type_is_narrowed(req: Request, res: Response, ctx: Context) -> None:
    who = req.headers.get("x-user")
    if who is None:
        res.abort()
    assert_type(who, str)


async def numbers() -> AsyncIterator[str]:
    yield "1"


def events() -> Iterator[ServerSentEvent]:
    yield ServerSentEvent("1", event="number", id="1")


def streams(req: Request, res: Response, ctx: Context) -> None:
    res.stream(numbers())
    res.stream([b"a", "b"], length=2)
    res.stream(events(), sse=True, heartbeat=None)


async def read_in_pieces(req: Request, res: Response, ctx: Context) -> None:
    async for chunk in req.stream():
        assert_type(chunk, bytes)


class Greeter:
    async def __call__(self, req: Request, res: Response, ctx: Context) -> None:
        res.body = "hello"

    def method(self, req: Request, res: Response, ctx: Context) -> None:
        res.body = "hello"


app = App(debug=True)
app.GET("/hello/:name", hello)
app.GET("/sync", sync, thread=True)
app.POST("/users", create)
app.POST("/upload", read_in_pieces, stream=True)
app.GET("/greeter", Greeter())
app.GET("/method", Greeter().method)
app.before("/*", hello, methods=("GET", "POST"), body=True)
app.after("/*", sync)
app.errors(404, sync)
app.errors(ValueError, hello)
app.schema.POST("/users", expects=NewUser, returns=NewUser)
