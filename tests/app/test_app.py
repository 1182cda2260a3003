"""What an app refuses when it is built, and whom it tells of errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import cast

import pytest

from heaven_core import App, Context, Request, Response, Runtime
from heaven_core.testing import Client, Clock
from tests.handlers.kit import loose


def nothing(req: Request, res: Response, ctx: Context) -> None:
    """Answer 200 with an empty body."""


def failing(req: Request, res: Response, ctx: Context) -> None:
    raise LookupError("secret")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_each_method_has_its_registration(method: str) -> None:
    app = App()
    register: Callable[..., None] = getattr(app, method)
    register("/thing", nothing)
    client = Client(app)
    assert client.request(method, "/thing").status == 200
    assert client.request("TRACE", "/thing").status == 405
    with pytest.raises(ValueError, match="/thing"):
        register("/thing", nothing)


def test_a_handler_that_is_not_callable_is_refused_at_the_route() -> None:
    with pytest.raises(TypeError, match=r"a handler must be callable with \(req, res, ctx\), not str"):
        App().GET("/", cast(Callable[..., None], "handler"))


def test_a_thread_for_an_async_handler_is_refused() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        """Never runs."""

    with pytest.raises(ValueError, match="thread=True is for a def handler"):
        App().GET("/", handler, thread=True)


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="max_body_size"):
        App(max_body_size=-1)


@pytest.mark.parametrize("key", [200, 399, 600])
def test_an_error_page_for_what_is_no_error_is_refused(key: int) -> None:
    with pytest.raises(ValueError, match=r"app\.errors\(\) takes a status from 400 to 599, not"):
        App().errors(key, nothing)


@pytest.mark.parametrize("key", [True, "404", None])
def test_an_error_page_for_what_is_no_status_is_refused(key: object) -> None:
    with pytest.raises(TypeError, match=r"app\.errors\(\) takes a status or a class of exceptions, not"):
        loose(App().errors)(key, nothing)


def test_an_error_page_for_what_is_no_exception_is_refused() -> None:
    with pytest.raises(TypeError, match="a subclass of Exception"):
        App().errors(cast(type[Exception], KeyboardInterrupt), nothing)


def test_a_second_error_page_for_the_same_is_refused() -> None:
    app = App()
    app.errors(404, nothing)
    with pytest.raises(ValueError, match="has a handler already"):
        app.errors(404, nothing)


def test_a_hook_is_registered_once_for_a_pattern() -> None:
    app = App()
    app.before("*", nothing)
    with pytest.raises(ValueError, match="registered for"):
        app.before("*", nothing)


def test_methods_of_a_hook_are_known_and_no_text() -> None:
    with pytest.raises(TypeError, match="not one text"):
        App().before("*", nothing, methods="GET")
    with pytest.raises(ValueError, match="not get"):
        App().before("*", nothing, methods=["get"])


def test_a_schema_without_a_route_is_found_before_the_first_request() -> None:
    app = App()
    app.POST("/users", nothing)
    app.schema.POST("/user", expects=dict[str, int])
    with pytest.raises(ValueError, match="no route for POST /user"):
        Client(app)


def test_a_schema_whose_body_nobody_reads_is_found_before_the_first_request() -> None:
    app = App()
    app.POST("/users", nothing, stream=True)
    app.schema.POST("/users", expects=dict[str, int])
    with pytest.raises(ValueError, match="stream=True"):
        Client(app)


def test_a_schema_that_only_returns_goes_with_a_streamed_request() -> None:
    app = App()
    app.POST("/users", nothing, stream=True)
    app.schema.POST("/users", returns=dict[str, int])
    assert Client(app).post("/users").status == 200


def test_on_error_hears_first_and_then_the_log() -> None:
    heard: list[str] = []
    app = App(on_error=lambda error, where: heard.append(f"on_error {error!r} {where}"))
    runtime = Clock().runtime(lambda error, where: heard.append(f"log {error!r} {where}"))
    app.report(ValueError("a"), "here", runtime)
    assert heard == ["on_error ValueError('a') here", "log ValueError('a') here"]


def test_an_on_error_that_fails_is_logged_beside_the_error() -> None:
    def on_error(error: BaseException, where: str) -> None:
        raise LookupError("on_error")

    app = App(on_error=on_error)
    app.GET("/", failing)
    answer = Client(app, raise_errors=False).get("/")
    assert [(type(error), where) for error, where in answer.errors] == [
        (LookupError, "on_error"),
        (LookupError, "GET '/'"),
    ]


def test_an_async_on_error_is_awaited_by_the_runtime() -> None:
    heard: list[str] = []

    async def on_error(error: BaseException, where: str) -> None:
        heard.append(where)

    app = App(on_error=on_error)
    app.GET("/", failing)
    Client(app, raise_errors=False).get("/")
    assert heard == ["GET '/'"]


def test_without_a_spawn_an_async_on_error_runs_if_it_awaits_nothing() -> None:
    heard: list[str] = []

    async def on_error(error: BaseException, where: str) -> None:
        heard.append(where)

    App(on_error=on_error).report(ValueError(), "here", Clock().runtime())
    assert heard == ["here"]


def test_without_a_spawn_an_async_on_error_that_waits_is_a_failure_of_its_own() -> None:
    class Waiting:
        def __await__(self) -> Generator[None, None, None]:
            yield  # what an event loop would take

    app = App(on_error=lambda error, where: Waiting())
    heard: list[str] = []
    app.report(ValueError("a"), "here", Clock().runtime(lambda error, where: heard.append(f"{where}: {error}")))
    assert heard == [
        "on_error: an async on_error that awaits something needs a runtime whose spawn= runs it in a task",
        "here: a",
    ]


def test_each_report_goes_to_the_log_of_its_own_runtime() -> None:
    """Two adapters, or an adapter and a test client, may serve one app: neither takes the other's log."""
    heard: list[str] = []
    app = App()
    app.GET("/", failing)
    first = Clock().runtime(lambda error, where: heard.append(f"first {where}"))
    second = Clock().runtime(lambda error, where: heard.append(f"second {where}"))

    async def respond(runtime: Runtime) -> None:
        await app.respond(Request("GET", "/"), app.response(runtime), runtime)

    asyncio.run(respond(first))
    asyncio.run(respond(second))
    Client(app, raise_errors=False).get("/")
    asyncio.run(respond(first))
    assert heard == ["first GET '/'", "second GET '/'", "first GET '/'"]


def test_debug_shows_the_traceback_escaped() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        raise ValueError("<script>")

    app = App(debug=True)
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
