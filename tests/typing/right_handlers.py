"""Handlers and hooks as the documentation shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn, TypedDict, assert_type

from heaven_core import App, Context, Key, Request, Response, Route, ServerSentEvent


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
    assert_type(ctx.need(USER), NewUser)
    assert_type(ctx.need("user"), object)


def bare_request_holds_an_object(req: Request, res: Response, ctx: Context) -> None:
    assert_type(req.data, object)


def getters_give_what_was_set(req: Request, res: Response, ctx: Context) -> None:
    assert_type(res.status, int)
    assert_type(res.body, object)
    assert_type(ctx.anything, object)
    assert_type(req.query["q"], str)
    assert_type(req.headers.get("host"), str | None)
    assert_type(req.headers.get("host", ""), str)
    assert_type(req.query.get("q"), str | None)
    assert_type(req.query.get("q", ""), str)
    assert_type(req.query.str("q"), str)
    assert_type(req.query.str("q", None), str | None)
    assert_type(req.query.int("page"), int)
    assert_type(req.query.int("page", 1), int)
    assert_type(req.query.int("page", None), int | None)
    assert_type(req.params["id"], str | int)
    assert_type(req.params.int("id"), int)
    assert_type(req.params.str("name"), str)
    assert_type(req.cookies["a"], str)
    assert_type(req.cookies.get("a"), str | None)
    assert_type(req.app, App)
    assert_type(res.headers["x-a"], str)
    assert_type(res.headers.get("x-a"), str | None)
    assert_type(res.headers.get("x-a", ""), str)
    assert_type(res.content_type, str | None)


def bodies_by_name(req: Request, res: Response, ctx: Context) -> None:
    res.headers["X-Count"] = 3
    del res.headers["X-Count"]
    res.json((1, 2))
    res.text("hello")
    res.content_type = "text/css"


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


class Named(TypedDict):
    name: str


def either(req: Request[NewUser | int], res: Response, ctx: Context) -> None:
    assert_type(req.data, NewUser | int)


def several(req: Request[list[NewUser]], res: Response, ctx: Context) -> None:
    assert_type(req.data, list[NewUser])


def of_a_dict(req: Request[Named], res: Response, ctx: Context) -> None:
    assert_type(req.data["name"], str)


async def around(req: Request, res: Response, ctx: Context) -> AsyncIterator[None]:
    yield
    res.headers["X-Frame-Options"] = "DENY"


@contextmanager
def around_in_a_manager(req: Request, res: Response, ctx: Context) -> Generator[None]:
    yield


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
app.POST("/typed", create, expects=NewUser, returns=list[NewUser] | None)
app.POST("/bare", hello, expects=NewUser)
app.POST("/union", either, expects=NewUser | int)
app.POST("/narrow", either, expects=NewUser)
app.POST("/list", several, expects=list[NewUser])
app.POST("/dict", of_a_dict, expects=Named)
app.include("/api", App())
app.around("/*", around)
app.around("/*", around_in_a_manager)
assert_type(app.routes, tuple[Route, ...])


@app.GET("/decorated")
def decorated(req: Request, res: Response, ctx: Context) -> None:
    res.text("hello")


@app.POST("/decorated", expects=NewUser, returns=NewUser)
async def decorated_with_types(req: Request[NewUser], res: Response, ctx: Context) -> None:
    res.body = {"name": req.data.name}


@app.POST("/decorated/union", expects=NewUser | int, stream=False)
def decorated_with_a_union(req: Request[NewUser | int], res: Response, ctx: Context) -> None:
    res.json(req.data)


async def decorated_handlers_can_be_called(req: Request[NewUser], res: Response, ctx: Context) -> None:
    decorated(req, res, ctx)
    await decorated_with_types(req, res, ctx)
