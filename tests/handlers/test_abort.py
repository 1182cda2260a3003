"""SPEC 1, `res.abort` and the rule "Abort is not swallowed"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from heaven_core import App, Context, Request, Response, ResponseStarted
from heaven_core.errors import Abort
from heaven_core.testing import Client, Disk, Result
from tests.handlers.kit import Handler, ask, loose

AsyncHandler = Callable[[Request, Response, Context], Awaitable[None]]


def run(handler: AsyncHandler) -> Result:
    """What the client gets of a handler that needs an event loop."""
    app = App()
    app.GET("/", handler)
    return asyncio.run(Client(app, raise_errors=False).aget("/"))


def app_of(handler: Handler) -> App:
    app = App()
    app.GET("/", handler)
    return app


def note(notes: list[str], what: str) -> Handler:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        notes.append(what)

    return handler


def kinds(exchange: Result) -> list[type[BaseException]]:
    return [type(error) for error, _ in exchange.errors]


def test_stops_the_handler_at_that_line() -> None:
    passed: list[str] = []

    def act(res: Response) -> None:
        res.abort("stop")
        passed.append("after it")  # type: ignore[unreachable]

    assert ask(act).text == "stop"
    assert passed == []


def test_status_and_headers_set_so_far_go_out() -> None:
    def act(res: Response) -> None:
        res.status = 403
        res.headers = "X-Why", "because"
        res.cookie("seen", "1")
        res.close = True
        res.abort("no")

    answer = ask(act)
    assert (answer.status, answer.text) == (403, "no")
    assert answer.headers["x-why"] == "because"
    assert "set-cookie" in answer.headers
    assert answer.errors == []


def test_the_body_of_an_abort_takes_the_place_of_the_one_set() -> None:
    def act(res: Response) -> None:
        res.html("<p>old")
        res.abort({"new": 1})

    answer = ask(act)
    assert answer.json == {"new": 1}
    assert answer.headers["content-type"] == "application/json"


def test_without_a_body_the_one_set_so_far_goes_out() -> None:
    def act(res: Response) -> None:
        res.html("<p>kept")
        res.abort()

    answer = ask(act)
    assert (answer.text, answer.headers["content-type"]) == ("<p>kept", "text/html; charset=utf-8")


def test_an_empty_body_is_a_body() -> None:
    def act(res: Response) -> None:
        res.body = "old"
        res.abort("")

    assert ask(act).body == b""


def test_a_file_set_so_far_goes_out() -> None:
    def act(res: Response) -> None:
        res.file("/f.txt")
        res.abort()

    assert ask(act, disk=Disk({"/f.txt": b"data"})).body == b"data"


def test_a_stream_set_so_far_goes_out() -> None:
    def act(res: Response) -> None:
        res.stream(["a", "b"])
        res.abort()

    assert ask(act).body == b"ab"


def test_a_stream_is_released_by_its_body() -> None:
    closed: list[str] = []

    class Items:
        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError("nobody asks for items")

        def close(self) -> None:
            closed.append("closed")

    def act(res: Response) -> None:
        res.stream(Items())
        res.abort("instead")

    assert ask(act).text == "instead"
    assert closed == ["closed"]


def test_in_a_before_hook_no_later_hook_and_no_handler_runs() -> None:
    notes: list[str] = []

    def refuse(req: Request, res: Response, ctx: Context) -> None:
        res.status = 401
        res.abort("who?")

    app = app_of(note(notes, "handler"))
    app.before("*", refuse)
    app.before("/", note(notes, "before"))
    app.after("*", note(notes, "after"))
    answer = Client(app).get("/")
    assert (answer.status, answer.text, notes) == (401, "who?", [])


def test_in_a_handler_no_after_hook_runs() -> None:
    notes: list[str] = []
    app = app_of(lambda req, res, ctx: res.abort("done"))
    app.after("*", note(notes, "after"))
    assert Client(app).get("/").text == "done"
    assert notes == []


def test_in_an_after_hook_no_later_one_runs() -> None:
    notes: list[str] = []
    app = app_of(note(notes, "handler"))
    app.after("/", lambda req, res, ctx: res.abort("cut"))
    app.after("*", note(notes, "after"))
    assert Client(app).get("/").text == "cut"
    assert notes == ["handler"]


def test_deferred_work_runs_after_it() -> None:
    notes: list[str] = []

    def act(res: Response) -> None:
        res.defer(lambda app: notes.append("always"))
        res.defer(lambda app: notes.append("complete"), "complete")
        res.defer(lambda app: notes.append("failed"), "failed")
        res.abort()

    answer = ask(act)
    assert notes == ["always", "complete"]
    assert answer.outcome is not None
    assert answer.outcome.kind == "complete"


@pytest.mark.parametrize("body", [5, (1, 2), object()], ids=repr)
def test_a_body_of_a_wrong_type_aborts_nothing(body: object) -> None:
    def act(res: Response) -> None:
        with pytest.raises(TypeError, match=r"res\.body takes"):
            res.abort(body)
        res.body = "still open"

    assert ask(act).text == "still open"


def test_a_body_that_cannot_be_encoded_is_a_500() -> None:
    answer = ask(lambda res: res.abort({"a": object()}))
    assert (answer.status, answer.text) == (500, "500 Internal Server Error\n")
    assert kinds(answer) == [TypeError]


def test_except_exception_does_not_catch_it() -> None:
    def act(res: Response) -> None:
        try:
            res.abort("out")
        except Exception:
            res.body = "caught"

    assert ask(act).text == "out"
    assert not issubclass(Abort, Exception)


def test_a_bare_except_changes_nothing() -> None:
    def act(res: Response) -> None:
        try:
            res.abort("sealed")
        except:  # noqa: E722
            pass

    answer = ask(act)
    assert (answer.text, answer.errors) == ("sealed", [])


def test_a_finally_that_leaves_changes_nothing() -> None:
    def act(res: Response) -> None:
        for _ in range(1):
            try:
                res.abort("sealed")
            finally:
                break  # noqa: B012

    answer = ask(act)
    assert (answer.text, answer.errors) == ("sealed", [])


def test_a_finally_that_returns_a_value_is_not_an_answer() -> None:
    """The handler's mistake is reported, and what was sealed goes out."""

    def handler(req: Request, res: Response, ctx: Context) -> object:
        try:
            res.abort("sealed")
        finally:
            return "value"  # noqa: B012

    app = App()
    loose(app.GET)("/", handler)
    answer = Client(app, raise_errors=False).get("/")
    assert answer.text == "sealed"
    assert kinds(answer) == [TypeError]


def test_swallowed_in_a_before_hook_no_handler_runs() -> None:
    notes: list[str] = []

    def hook(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("sealed")
        except BaseException:
            notes.append("swallowed")

    app = app_of(note(notes, "handler"))
    app.before("*", hook)
    app.after("*", note(notes, "after"))
    assert Client(app).get("/").text == "sealed"
    assert notes == ["swallowed"]


def test_swallowed_in_an_after_hook_no_later_one_runs() -> None:
    notes: list[str] = []

    def hook(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("sealed")
        except BaseException:
            notes.append("swallowed")

    app = app_of(note(notes, "handler"))
    app.after("/", hook)
    app.after("*", note(notes, "after"))
    assert Client(app).get("/").text == "sealed"
    assert notes == ["handler", "swallowed"]


CHANGES: list[tuple[str, Callable[[Response], object]]] = [
    ("status", lambda res: setattr(res, "status", 200)),
    ("body", lambda res: setattr(res, "body", "changed")),
    ("headers", lambda res: setattr(res, "headers", ("X-A", "1"))),
    ("headers.set", lambda res: res.headers.set("X-A", "1")),
    ("headers.remove", lambda res: res.headers.remove("X-A")),
    ("close", lambda res: setattr(res, "close", True)),
    ("redirect", lambda res: res.redirect("/")),
    ("file", lambda res: res.file("/f")),
    ("stream", lambda res: res.stream([])),
    ("abort", lambda res: res.abort()),
    ("defer", lambda res: res.defer(print)),
    ("cookie", lambda res: res.cookie("a", "1")),
    ("delete_cookie", lambda res: res.delete_cookie("a")),
    ("html", lambda res: res.html("<p>")),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
def test_after_it_every_change_raises(change: Callable[[Response], object]) -> None:
    def act(res: Response) -> None:
        res.headers = "X-Kept", "1"
        try:
            res.abort("sealed")
        except Abort:
            with pytest.raises(ResponseStarted, match=r"res\.abort\(\) has been called"):
                change(res)

    answer = ask(act)
    assert (answer.status, answer.text, answer.headers["x-kept"]) == (200, "sealed", "1")
    assert answer.errors == []


def test_a_change_after_it_that_nobody_catches_is_reported() -> None:
    def act(res: Response) -> None:
        try:
            res.abort("sealed")
        except Abort:
            res.body = "changed"

    answer = ask(act)
    assert answer.text == "sealed"
    assert kinds(answer) == [ResponseStarted]


def test_another_error_after_it_is_reported() -> None:
    def act(res: Response) -> None:
        try:
            res.abort("sealed")
        finally:
            raise ZeroDivisionError

    answer = ask(act)
    assert (answer.status, answer.text) == (200, "sealed")
    assert kinds(answer) == [ZeroDivisionError]
    assert answer.outcome is not None
    assert answer.outcome.kind == "complete"


def test_comes_out_of_a_task_group() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def child() -> None:
            res.status = 418
            res.abort("from a task")

        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    answer = run(handler)
    assert (answer.status, answer.text, answer.errors) == (418, "from a task", [])


def test_comes_out_of_groups_in_groups() -> None:
    def act(res: Response) -> None:
        try:
            res.abort("nested")
        except Abort as error:
            raise BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [error])]) from None

    answer = ask(act)
    assert (answer.text, answer.errors) == ("nested", [])


def test_errors_beside_it_in_a_group_are_reported() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def fail() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                raise ValueError("beside it")

        async def stop() -> None:
            res.abort("sealed")

        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(0)
            group.create_task(stop())

    answer = run(handler)
    assert answer.text == "sealed"
    ((error, where),) = answer.errors
    assert kinds(answer) == [ExceptionGroup]
    assert "beside it" in repr(error)
    assert where == "GET '/'"


def test_a_task_that_nobody_awaits_seals_all_the_same() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def stop() -> None:
            res.abort("from a task")

        task = asyncio.create_task(stop())
        await asyncio.wait([task])
        with pytest.raises(ResponseStarted):
            res.body = "changed"
        assert isinstance(task.exception(), Abort)

    assert run(handler).text == "from a task"


def test_gathering_exceptions_does_not_swallow_it() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def stop() -> None:
            res.abort("gathered")

        await asyncio.gather(stop(), return_exceptions=True)

    assert run(handler).text == "gathered"


def test_a_cancellation_beside_it_stays_one() -> None:
    """Whoever cancels the request means it, whatever the handler has sealed."""

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("sealed")
        finally:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(handler)


def test_a_cancellation_beside_it_in_a_group_stays_one() -> None:
    def act(res: Response) -> None:
        try:
            res.abort("sealed")
        except Abort as error:
            raise BaseExceptionGroup("both", [error, asyncio.CancelledError()]) from None

    with pytest.raises(BaseExceptionGroup) as caught:
        ask(act)
    assert caught.group_contains(asyncio.CancelledError)
    assert not caught.group_contains(Abort)


def test_an_abort_that_no_response_has_made_is_an_error() -> None:
    """Nothing is sealed, so nothing says what should go out."""

    def act(res: Response) -> None:
        raise Abort

    answer = ask(act)
    assert answer.status == 500
    assert kinds(answer) == [RuntimeError]
    assert "call res.abort()" in str(answer.errors[0][0])


def test_errors_beside_an_abort_that_no_response_has_made_are_a_500() -> None:
    def act(res: Response) -> None:
        raise BaseExceptionGroup("both", [Abort(), ValueError("beside it")])

    answer = ask(act)
    assert answer.status == 500
    assert kinds(answer) == [ExceptionGroup]


def test_a_sync_stream_cannot_abort() -> None:
    """Not even at its first step, when the head still waits for it: the handler has had its say."""

    def act(res: Response) -> None:
        def items() -> Iterator[bytes]:
            yield from ()
            res.abort("too late")

        res.stream(items())

    answer = ask(act)
    assert answer.status == 500
    assert kinds(answer) == [ResponseStarted]


def test_an_async_stream_cannot_abort() -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            yield b"first"
            res.abort("too late")

        res.stream(items())

    answer = run(handler)
    assert (answer.status, answer.body, answer.ended) == (200, b"first", False)
    assert kinds(answer) == [ResponseStarted]


def test_a_deferred_call_cannot_abort() -> None:
    def act(res: Response) -> None:
        res.defer(lambda app: res.abort("too late"))
        res.body = "sent"

    answer = ask(act)
    assert answer.text == "sent"
    assert kinds(answer) == [ResponseStarted]


def test_the_body_of_an_abort_passes_head_and_framing_as_any() -> None:
    """RFC 9110 §9.3.2."""
    answer = ask(lambda res: res.abort("twelve bytes"), "HEAD")
    assert (answer.body, answer.headers["content-length"]) == (b"", "12")
