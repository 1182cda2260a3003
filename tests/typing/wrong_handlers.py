"""Handlers and hooks: what a type checker has to refuse before a test does."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Callable

from heaven_core import App, Context, Key, Request, Response, ServerSentEvent

COUNT = Key[int]("count")


def wrong_values(req: Request, res: Response, ctx: Context) -> None:
    res.status = "200"  # type: ignore[assignment]
    res.headers = "X-Powered-By"  # type: ignore[assignment]
    res.headers = "X-Powered-By", b"Heaven"  # type: ignore[assignment]
    res.close = "yes"  # type: ignore[assignment]
    res.nothing = 1  # type: ignore[attr-defined]
    res.headers["X-Powered-By"] = b"Heaven"  # type: ignore[assignment]
    res.content_type = 3  # type: ignore[assignment]
    res.text(b"hello")  # type: ignore[arg-type]


def wrong_getters(req: Request, res: Response, ctx: Context) -> None:
    req.headers.get("host").upper()  # type: ignore[union-attr]
    req.query.get("q").upper()  # type: ignore[union-attr]
    req.query.int("page", None).bit_length()  # type: ignore[union-attr]
    req.params.int("id").upper()  # type: ignore[attr-defined]
    req.params["id"].upper()  # type: ignore[union-attr]
    req.cookies["a"] = "b"  # type: ignore[index]
    req.app = None  # type: ignore[assignment]


def wrong_arguments(req: Request, res: Response, ctx: Context) -> None:
    res.redirect(b"/")  # type: ignore[arg-type]
    res.file(3.5)  # type: ignore[arg-type]
    res.stream(42)  # type: ignore[arg-type]
    res.cookie("a", "b", samesite="lax")  # type: ignore[arg-type]
    res.defer(print, when="sometimes")  # type: ignore[arg-type]
    ServerSentEvent("1", retry="5")  # type: ignore[arg-type]


def wrong_data(req: Request[int], res: Response, ctx: Context) -> None:
    name: str = req.data  # type: ignore[assignment]
    req.data = 3  # type: ignore[misc]
    res.body = name


def untyped_context(req: Request, res: Response, ctx: Context) -> None:
    ctx.count.bit_length()  # type: ignore[attr-defined]
    ctx.keep(COUNT, "three")  # type: ignore[misc]
    ctx.need(COUNT).upper()  # type: ignore[attr-defined]


async def a_body_that_nobody_awaits(req: Request) -> None:
    req.read_body(10)  # type: ignore[unused-coroutine]


def of_an_int(req: Request[int], res: Response, ctx: Context) -> None:
    res.json(req.data)


async def waits(req: Request, res: Response, ctx: Context) -> None:
    res.body = "hello"


def two_arguments(req: Request, res: Response) -> None:
    res.body = "hello"


def other_arguments(req: Request, res: Response, ctx: int) -> None:
    res.body = "hello"


app = App()
app.GET("/", two_arguments)  # type: ignore[arg-type]
app.GET("/", other_arguments)  # type: ignore[arg-type]
app.GET(r"/", "hello")  # type: ignore[call-overload]
app.before("/*", two_arguments)  # type: ignore[arg-type]
app.errors("404", two_arguments)  # type: ignore[arg-type]
app.POST("/", of_an_int, expects=str)  # type: ignore[arg-type]
app.POST("/", of_an_int, expects=list[int])  # type: ignore[arg-type]
app.POST("/", of_an_int, expects="int")  # type: ignore[call-overload]
app.POST("/", expects=str)(of_an_int)  # type: ignore[arg-type]
app.GET("/")(two_arguments)  # type: ignore[arg-type]
app.around("/*", wrong_values)  # type: ignore[arg-type]
app.around("/*", waits)  # type: ignore[arg-type]
app.include("/x", "app")  # type: ignore[arg-type]
app.routes = ()  # type: ignore[misc]
# A server calls an adapter. That the app answers a call, too, with what to do instead, hides no mistake from a checker.
called_by_a_server: Callable[[object, object], object] = app  # type: ignore[assignment]
app({}, print)  # type: ignore[arg-type]
