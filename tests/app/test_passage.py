"""A request on its way through hooks and handler: what is run, what is answered, what is kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from pathlib import Path
from typing import TypedDict

import pytest

from heaven_core import (
    App,
    BadRequest,
    ClientError,
    Context,
    FileRange,
    NotFound,
    Request,
    Response,
    ServerSentEvent,
    Start,
)
from heaven_core.app.dispatch import respond
from heaven_core.machine.file_metadata import status_of_open_error
from heaven_core.message.response import draft_of
from heaven_core.testing import Client, Clock, Disk
from heaven_core.testing.pulled import Pulled
from heaven_io.blocking_streams import run_here
from heaven_io.runtime import system_runtime


def text(req: Request, res: Response, ctx: Context) -> None:
    res.body = "hello"


def made() -> App:
    app = App()
    app.GET("/", text)
    return app


def test_a_hook_with_body_finds_it_read() -> None:
    seen: list[bytes] = []

    def hook(req: Request, res: Response, ctx: Context) -> None:
        seen.append(req.body)

    app = App()
    app.POST("/", text)
    app.before("*", hook, body=True)
    assert Client(app).post("/", b"abc").status == 200
    assert seen == [b"abc"]


@pytest.mark.parametrize("place", ["before", "handler", "after"])
def test_a_value_that_a_handler_or_hook_returns_goes_nowhere_and_is_a_failure(place: str) -> None:
    def answering(req: Request, res: Response, ctx: Context) -> None:
        return {"a": 1}  # type: ignore[return-value]  # the mistake that is meant

    app = App()
    app.GET("/", answering if place == "handler" else text)
    if place != "handler":
        getattr(app, place)("*", answering)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    [(error, _)] = answer.errors
    assert "answering returned dict, which goes nowhere" in str(error)


def test_an_abort_in_an_after_hook_ends_the_hooks() -> None:
    def aborting(req: Request, res: Response, ctx: Context) -> None:
        res.abort("stopped")

    def late(req: Request, res: Response, ctx: Context) -> None:
        raise AssertionError

    app = made()
    app.after("/", aborting)
    app.after("*", late)
    assert Client(app).get("/").text == "stopped"


def test_an_abort_that_a_hook_swallows_ends_the_hooks_all_the_same() -> None:
    def swallowing(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("stopped")
        except BaseException:
            return

    def late(req: Request, res: Response, ctx: Context) -> None:
        raise AssertionError

    app = made()
    app.after("/", swallowing)
    app.after("*", late)
    assert Client(app).get("/").text == "stopped"
    app = made()
    app.before("*", swallowing)
    app.before("/", late)
    assert Client(app).get("/").text == "stopped"


def test_a_cancellation_beside_an_abort_stays_one() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("stopped")
        except BaseException as error:
            raise BaseExceptionGroup("both", [error, asyncio.CancelledError()]) from None

    app = App()
    app.GET("/", handler)
    with pytest.raises(BaseExceptionGroup):
        Client(app).get("/")


def test_a_cancellation_passes_through() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        raise KeyboardInterrupt

    app = App()
    app.GET("/", handler)
    with pytest.raises(KeyboardInterrupt):
        Client(app).get("/")


def test_an_abort_of_another_response_is_a_failure() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        Response().abort()

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    assert "not by this response" in str(answer.errors[0][0])


def test_an_after_hook_that_fails_for_a_404_makes_a_500() -> None:
    def hook(req: Request, res: Response, ctx: Context) -> None:
        raise LookupError

    app = made()
    app.after("*", hook)
    answer = Client(app, raise_errors=False).get("/nowhere")
    assert answer.status == 500
    assert answer.outcome is not None
    assert answer.outcome.kind == "failed"


def test_an_after_hook_may_abort_a_404() -> None:
    def hook(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("mine")
        except BaseException:
            return

    app = made()
    app.after("*", hook)
    answer = Client(app).get("/nowhere")
    assert (answer.status, answer.text) == (404, "mine")


@pytest.mark.parametrize(("status", "first_line"), [(418, "418 I'm a Teapot: short"), (499, "499: short")])
def test_a_kind_of_client_error_of_ones_own(status: int, first_line: str) -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        error = ClientError("short")
        error.status = status
        raise error

    app = App()
    app.GET("/", handler)
    answer = Client(app).get("/")
    assert (answer.status, answer.text.lower()) == (status, first_line.lower() + "\n")
    assert answer.errors == []


def test_a_client_error_with_another_status_is_a_failure() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        error = ClientError("not for the client")
        error.status = 200
        raise error

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    assert "not for" not in answer.text


def test_an_error_page_may_be_async_and_may_abort() -> None:
    async def page(req: Request, res: Response, ctx: Context) -> None:
        assert isinstance(res.error, BadRequest)
        res.abort({"error": str(res.error)})

    def handler(req: Request, res: Response, ctx: Context) -> None:
        raise BadRequest("no")

    app = App()
    app.GET("/", handler)
    app.errors(400, page)
    answer = Client(app).get("/")
    assert (answer.status, answer.json) == (400, {"error": "no"})


def test_an_error_page_may_swallow_its_abort() -> None:
    def page(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("page")
        except BaseException:
            return

    app = made()
    app.errors(404, page)
    assert Client(app).get("/nowhere").text == "page"


def test_an_error_page_that_fails_after_its_abort_is_reported_and_goes_out() -> None:
    def page(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("page")
        finally:
            raise LookupError

    app = made()
    app.errors(404, page)
    answer = Client(app, raise_errors=False).get("/nowhere")
    assert answer.text == "page"
    assert [type(error) for error, _ in answer.errors] == [LookupError]


def test_an_error_page_that_is_cancelled_passes_it_on() -> None:
    def page(req: Request, res: Response, ctx: Context) -> None:
        raise KeyboardInterrupt

    app = made()
    app.errors(404, page)
    with pytest.raises(KeyboardInterrupt):
        Client(app).get("/nowhere")


class Shape(TypedDict):
    a: int


def test_an_event_without_data_passes_the_filter() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream([ServerSentEvent(comment="hi"), {"a": 1, "secret": 2}], sse=True)

    app = App()
    app.GET("/", handler)
    app.schema.GET("/", returns=Shape)
    assert Client(app).get("/").body == b': hi\n\ndata: {"a":1}\n\n'


def test_a_body_that_cannot_be_encoded_after_an_abort_is_a_500() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.abort({"a": object()})

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    assert answer.outcome is not None
    assert answer.outcome.kind == "failed"


def test_close_says_what_was_set() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.close = True
        assert res.close is True

    app = App()
    app.GET("/", handler)
    start = Client(app).get("/").events[0]
    assert type(start) is Start
    assert start.close


def test_a_partial_and_an_instance_are_handlers() -> None:
    class Greeting:
        async def __call__(self, req: Request, res: Response, ctx: Context) -> None:
            res.body = "instance"

    def greet(name: str, req: Request, res: Response, ctx: Context) -> None:
        res.body = name

    app = App()
    app.GET("/partial", partial(greet, "partial"))
    app.GET("/instance", Greeting())
    client = Client(app)
    assert client.get("/partial").text == "partial"
    assert client.get("/instance").text == "instance"


def test_a_file_with_validators_of_the_handlers_own_keeps_them() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "ETag", '"mine"'
        res.headers = "Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"
        res.headers = "Content-Disposition", "inline"
        res.headers = "Content-Encoding", "gzip"
        res.file("/f", "name", content_encoding="br")

    app = App()
    app.GET("/", handler)
    answer = Client(app, disk=Disk({"/f": b"x"})).get("/")
    assert answer.headers["etag"] == '"mine"'
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.headers.get_all("last-modified")) == 1


@pytest.mark.parametrize(("mtime", "expected"), [(2e9, "Sun, 09 Sep 2001 01:46:40 GMT"), (-1e12, None), (9e8, "yes")])
def test_last_modified_is_never_in_the_future_nor_what_no_date_can_say(mtime: float, expected: str | None) -> None:
    """RFC 9110 §8.8.2.1."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.file("/f", content_encoding="gzip")

    app = App()
    app.GET("/", handler)
    answer = Client(app, clock=Clock(1e9), disk=Disk({"/f": b"x"}, mtime)).get("/")
    assert answer.status == 200
    found = answer.headers.get("last-modified")
    assert found == expected or (expected == "yes" and found is not None)


def test_an_error_without_an_errno_is_judged_by_its_class() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.file("/f")

    app = App()
    app.GET("/", handler)
    disk = Disk()
    client = Client(app, disk=disk, raise_errors=False)
    for error, status in [(NotADirectoryError("f"), 404), (PermissionError(13, "no"), 403), (OSError("?"), 500)]:
        disk.errors["/f"] = error
        assert client.get("/").status == status


def test_an_app_that_needs_an_event_loop_says_so() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        await asyncio.sleep(0)
        res.body = "late"

    app = App()
    app.GET("/", handler)
    app.POST("/", handler)
    client = Client(app)
    with pytest.raises(RuntimeError, match="needs an event loop"):
        client.get("/")

    async def on_a_loop() -> None:
        assert (await client.aget("/")).text == "late"
        assert (await client.apost("/", b"x")).text == "late"

    asyncio.run(on_a_loop())


def test_the_clock_moves_when_it_is_told_to() -> None:
    clock = Clock(10.0)
    runtime = clock.runtime()
    clock.advance(2.5)
    assert (runtime.wall(), runtime.monotonic()) == (12.5, 2.5)
    assert (runtime.token(), runtime.token()) == ("token1", "token2")


def test_a_client_that_leaves_at_once_has_seen_nothing() -> None:
    answer = Client(made()).request("GET", "/", leave_after=0)
    assert (answer.status, answer.events) == (0, [])
    assert answer.outcome is not None
    assert answer.outcome.kind == "disconnected"


def test_a_stream_whose_closing_fails_is_closed_and_reported() -> None:
    class Body:
        def __iter__(self) -> Body:
            return self

        def __next__(self) -> bytes:
            raise StopIteration

        def close(self) -> None:
            raise LookupError("closing")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(Body())

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.ended
    assert [(type(error), where) for error, where in answer.errors] == [(LookupError, "closing of GET '/'")]


def test_an_async_iterator_that_can_be_closed_is_closed() -> None:
    closed: list[str] = []

    class Body:
        def __aiter__(self) -> Body:
            return self

        async def __anext__(self) -> bytes:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            closed.append("aclose")

    assert asyncio.run(Pulled(Body()).close()) is None
    assert closed == ["aclose"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": True}, "length= must be a number of bytes"),
        ({"length": -1}, "0 or more"),
        ({"heartbeat": "1", "sse": True}, "heartbeat= must be a number of seconds"),
        ({"heartbeat": 0, "sse": True}, "more than 0 seconds"),
        ({"head_timeout": float("inf")}, "more than 0 seconds"),
    ],
)
def test_a_stream_with_impossible_numbers_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Response().stream([b""], **arguments)  # type: ignore[arg-type]  # what the types refuse is tried at run time


@pytest.mark.parametrize("source", ["text", b"bytes", {"a": 1}, 5, text])
def test_a_source_that_cannot_be_streamed_is_refused_with_a_hint(source: object) -> None:
    with pytest.raises(TypeError, match=r"res\.stream\(\) takes"):
        Response().stream(source)  # type: ignore[arg-type]  # what the types refuse is tried at run time


def test_a_path_of_bytes_is_refused() -> None:
    class Path:
        def __fspath__(self) -> bytes:
            return b"/f"

    for path in (Path(), b"/f", 5):
        with pytest.raises(TypeError, match="the path of a file must be"):
            Response().file(path)  # type: ignore[arg-type]  # what the types refuse is tried at run time


class Shout(str):
    __slots__ = ()


class Hidden:
    """What no encoder knows."""


def test_a_kind_of_str_is_text() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = Shout("hey")

    app = App()
    app.GET("/", handler)
    answer = Client(app).get("/")
    assert (answer.text, answer.headers["content-type"]) == ("hey", "text/plain; charset=utf-8")


def test_a_kind_of_dict_is_json() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = OrderedDict(a=1)

    app = App()
    app.GET("/", handler)
    assert Client(app).get("/").json == {"a": 1}


def test_a_body_that_the_schema_takes_is_taken_and_no_other() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        with pytest.raises(TypeError, match=r"Hidden: use res\.json\(\), name its type"):
            res.body = Hidden()
        res.status = int(str(req.query["status"]))
        res.body = (1, 2)

    app = App()
    app.GET("/", handler)
    app.schema.GET("/", returns=list[int])
    client = Client(app)
    assert client.get("/?status=200").json == [1, 2]
    assert client.get("/?status=400").json == [1, 2]


def test_nosniff_of_the_handlers_own_stays_alone() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Content-Type-Options", "nosniff"
        res.body = "hello"

    app = App()
    app.GET("/", handler)
    assert Client(app).get("/").headers.get_all("x-content-type-options") == ["nosniff"]


def test_a_client_that_leaves_in_its_upload_never_reaches_the_handler() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        raise AssertionError

    ran: list[str] = []

    def hook(req: Request, res: Response, ctx: Context) -> None:
        res.defer(lambda app: ran.append("deferred"))

    app = App()
    app.POST("/", handler)
    app.before("*", hook)
    answer = Client(app).request("POST", "/", b"abc", leave_in_upload=True)
    assert (answer.status, answer.errors, ran) == (0, [], ["deferred"])
    assert answer.outcome is not None
    assert answer.outcome.kind == "disconnected"


def test_a_body_in_pieces_is_read_to_its_end() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = [str(piece, "ascii") async for piece in req.stream()]

    app = App()
    app.POST("/", handler, stream=True)
    assert Client(app).request("POST", "/", [b"a", b"bc"]).json == ["a", "bc"]


def test_a_thread_route_runs_where_the_driver_says() -> None:
    ran: list[str] = []

    async def in_thread(call: Callable[[], object]) -> object:
        ran.append("thread")
        return call()

    app = App()
    app.GET("/", text, thread=True)
    clock = Clock().runtime()
    response = app.response(clock)

    async def exchange() -> None:
        await app.respond(Request("GET", "/"), response, clock, in_thread)

    asyncio.run(exchange())
    assert (ran, draft_of(response).encode()) == (["thread"], b"hello")


def test_a_redirect_is_permanent_or_has_a_status() -> None:
    """RFC 9110 §15.4.9."""
    response = Response()
    response.redirect("/new", permanent=True)
    assert response.status == 308
    with pytest.raises(ValueError, match="leave one of them out"):
        response.redirect("/new", status=301, permanent=True)
    with pytest.raises(ValueError, match="no redirect"):
        response.redirect("/new", status=300)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (iter([b""]), r"res\.stream\(\)"),
        (Path("/f"), r"res\.file\(\)"),
        ((1,), "set a list"),
        ({1}, "set a list"),
        (1.5, "set a str"),
        (Hidden(), "app.schema"),
    ],
)
def test_a_body_of_another_type_is_refused_with_what_to_do_instead(value: object, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        Response().body = value


def test_a_missing_header_of_the_response_is_the_applications_mistake() -> None:
    response = Response()
    response.headers = "X-Here", 1
    assert response.headers["x-here"] == "1"
    with pytest.raises(KeyError, match="the response has no header X-Missing"):
        response.headers["X-Missing"]


def test_header_names_and_values_of_other_types_are_refused() -> None:
    headers = Response().headers
    for name in (b"X-Bytes", None):
        with pytest.raises(TypeError, match="a header name must be str"):
            headers.add(name, "1")  # type: ignore[arg-type]  # what the types refuse is tried at run time
    with pytest.raises(ValueError, match="number of bytes"):
        headers.set("Content-Length", "ten")


def test_more_names_and_values_than_are_remembered_are_checked_all_the_same() -> None:
    headers = Response().headers
    for number in range(2000):
        headers.add(f"X-{number}", f"value {number}")
    headers.add("X-" + "a" * 200, "b" * 200)
    headers.add(Shout("X-Kind"), Shout("kind"))
    assert len(headers) == 2002
    with pytest.raises(ValueError, match="control character"):
        headers.add("X-Last", "a\nb")


def test_vary_takes_no_member_twice_and_nothing_after_a_star() -> None:
    """RFC 9110 §12.5.5."""
    headers = Response().headers
    headers.add("Vary", "Origin")
    headers.add("Vary", "origin, Accept,")
    headers.add("Vary", "accept")
    assert headers.get_all("vary") == ["Origin", "Accept"]
    headers.set("Vary", "*")
    headers.add("Vary", "Cookie")
    assert headers.get_all("vary") == ["Origin", "Accept", "*"]


def test_equal_values_have_equal_hashes() -> None:
    assert len({FileRange(0, 1), FileRange(0, 1), FileRange(1, 1)}) == 2


def test_an_error_that_the_system_does_not_know_is_ours() -> None:
    assert status_of_open_error(ValueError()) == 500


def test_a_way_out_of_the_directory_is_a_404() -> None:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.file("../f", within="/srv")

    app = App()
    app.GET("/", handler)
    assert Client(app).get("/").status == 404


def test_deferred_work_runs_when_the_client_has_left() -> None:
    ran: list[str] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = "hello"
        res.defer(lambda app: ran.append("always"))
        res.defer(lambda app: ran.append("complete"), when="complete")

    app = App()
    app.GET("/", handler)
    answer = Client(app).request("GET", "/", leave_after=1)
    assert (answer.ended, ran) == (False, ["always"])


def test_a_runtime_may_have_what_is_async_run_elsewhere() -> None:
    """A driver without an event loop steps the request itself, and meets what the application's code awaits."""
    ran: list[str] = []

    async def before(req: Request, res: Response, ctx: Context) -> None:
        ran.append("before")

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        raise NotFound("nowhere")

    def page(req: Request, res: Response, ctx: Context) -> Awaitable[None]:
        async def showing() -> None:
            res.body = "not here"

        return showing()

    async def after(req: Request, res: Response, ctx: Context) -> None:
        ran.append("after")

    class Elsewhere:
        def __init__(self, awaitable: Awaitable[object]) -> None:
            self.awaitable = awaitable

        def __await__(self) -> Generator[Elsewhere, object, object]:
            return (yield self)

    app = App()
    app.before("*", before)
    app.after("*", after)
    app.GET("/", handler)
    app.errors(404, page)
    runtime = system_runtime(on_loop=Elsewhere)
    response = app.response(runtime)
    responding = respond(app.registry, Request("GET", "/"), draft_of(response), runtime)
    step: Callable[[], object] = partial(responding.send, None)
    met = 0
    while True:
        try:
            asked = step()
        except StopIteration:
            break
        met += 1
        assert isinstance(asked, Elsewhere)
        try:
            run_here(asked.awaitable)
        except NotFound as error:
            step = partial(responding.throw, error)
        else:
            step = partial(responding.send, None)
    assert met == 4  # hook, handler, page, hook
    assert ran == ["before", "after"]
    assert (response.status, response.body) == (404, "not here")
