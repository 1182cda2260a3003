"""At most once, in order, and as it was then: what hooks, aborts and error pages may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from heaven_core import App, BadRequest, Context, Request, Response
from heaven_core.testing import Client


def text(req: Request, res: Response, ctx: Context) -> None:
    res.body = "hello"


def test_a_hook_registered_for_several_patterns_runs_once_a_request() -> None:
    ran: list[str] = []

    def hook(req: Request, res: Response, ctx: Context) -> None:
        ran.append(req.path)

    app = App()
    app.GET("/a/b", text)
    app.GET("/a/:name", text)
    for pattern in ("*", "/a/*", "/a/b"):
        app.before(pattern, hook)
        app.after(pattern, hook)
    for path in ("/a/b", "/a/c", "/nowhere"):
        ran.clear()
        Client(app).get(path)
        assert ran == [path, path]


def test_an_after_hook_that_makes_a_400_does_not_run_again() -> None:
    ran: list[str] = []

    def hook(req: Request, res: Response, ctx: Context) -> None:
        ran.append("hook")
        raise BadRequest("no")

    app = App()
    app.GET("/", text)
    app.after("*", hook)
    assert Client(app).get("/").status == 400
    assert ran == ["hook"]


def test_a_page_for_all_exceptions_is_the_last_resort() -> None:
    def everything(req: Request, res: Response, ctx: Context) -> None:
        res.body = "everything"

    def missing(req: Request, res: Response, ctx: Context) -> None:
        res.body = "missing"

    def failing(req: Request, res: Response, ctx: Context) -> None:
        raise LookupError

    app = App()
    app.GET("/", failing)
    app.errors(Exception, everything)
    app.errors(404, missing)
    client = Client(app, raise_errors=False)
    assert client.get("/nowhere").text == "missing"
    assert client.get("/").text == "everything"


def test_a_body_changed_after_the_abort_goes_out_as_it_was() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        body = {"a": 1}
        try:
            res.abort(body)
        finally:
            body["a"] = 2

    app = App()
    app.GET("/", handler)
    assert Client(app).get("/").json == {"a": 1}


def test_an_error_beside_an_abort_and_a_cancellation_is_reported() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("stopped")
        except BaseException as error:
            raise BaseExceptionGroup("all", [error, LookupError("beside"), asyncio.CancelledError()]) from None

    heard: list[BaseException] = []
    app = App(on_error=lambda error, where: heard.append(error))
    app.GET("/", handler)
    with pytest.raises(BaseExceptionGroup) as caught:
        Client(app).get("/")
    assert [type(error) for error in caught.value.exceptions] == [asyncio.CancelledError]
    assert len(heard) == 1


def test_an_error_alone_beside_an_abort_is_reported_and_the_response_goes_out() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("stopped")
        except BaseException:
            raise LookupError from None

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.text == "stopped"
    assert [type(error) for error, _ in answer.errors] == [LookupError]


@pytest.mark.parametrize("returns", [bytes, str])
def test_a_stream_needs_no_filter_where_anything_may_leave(returns: type[object]) -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(["a", "b"])

    app = App()
    app.GET("/", handler)
    app.schema.GET("/", returns=returns)
    assert Client(app).get("/").body == b"ab"


@pytest.mark.parametrize("status", [200, 204])
def test_upgrade_without_426_is_a_failure(status: int) -> None:
    """RFC 9110 §7.8."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.status = status
        res.headers = "Upgrade", "h3"

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    assert "upgrade" not in answer.headers


def test_upgrade_goes_with_426() -> None:
    """RFC 9110 §15.5.22."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.status = 426
        res.headers = "Upgrade", "h3"

    app = App()
    app.GET("/", handler)
    assert Client(app).get("/").headers["upgrade"] == "h3"


def test_the_host_is_the_tests_own_if_it_gives_one() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = req.host

    app = App()
    app.GET("/", handler)
    client = Client(app)
    assert client.get("/").text == "test"
    assert client.get("/", headers={"Host": "example.com"}).text == "example.com"


def test_a_stream_that_reads_the_request_ends_with_the_client() -> None:
    async def echo(req: Request) -> AsyncIterator[bytes]:
        async for piece in req.stream():
            yield piece

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(echo(req))

    app = App()
    app.POST("/", handler, stream=True)
    client = Client(app)
    assert client.post("/", b"abc").body == b"abc"
    answer = client.request("POST", "/", b"abc", leave_in_upload=True)
    assert (answer.body, answer.ended, answer.errors) == (b"abc", False, [])


def test_a_stream_can_neither_change_nor_abort_the_response() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        def items() -> Iterator[bytes]:
            yield from ()
            res.abort("too late")

        res.stream(items())

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    assert "has started" in str(answer.errors[0][0])
