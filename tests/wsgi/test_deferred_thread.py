"""Deferred work under WSGI: SPEC 5."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import ModuleType

import pytest

from heaven_core import App, Context, DeferredCall, Request, Response
from heaven_wsgi import WSGIAdapter
from tests.wsgi.memory import Call, adapter_of, environ_of, until


def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_a_call_runs_in_a_thread_of_its_own_that_begins_with_it() -> None:
    ran: list[str] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        if req.query_string:
            res.defer(lambda app: ran.append(threading.current_thread().name))

    adapter = adapter_of(handler)
    before = names_of_threads().count("heaven-core deferred work")
    Call(adapter, environ_of()).run()
    assert names_of_threads().count("heaven-core deferred work") == before
    for _ in range(2):
        Call(adapter, environ_of(query="defer")).run()
    until(lambda: len(ran) == 2, "the calls")
    assert set(ran) == {"heaven-core deferred work"}
    assert names_of_threads().count("heaven-core deferred work") == before + 1


def test_it_does_not_delay_the_response() -> None:
    go_on = threading.Event()
    ran: list[str] = []

    def wait(app: App) -> None:
        assert go_on.wait(10)
        ran.append("waited")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(wait)

    assert Call(adapter_of(handler), environ_of()).run().status == 200
    assert ran == []
    go_on.set()
    until(lambda: ran, "the call")


def test_calls_of_a_response_run_in_order_wherever_they_run() -> None:
    ran: list[str] = []

    async def first(app: App) -> None:
        await asyncio.sleep(0.01)
        ran.append("first")

    def second(app: App) -> None:
        ran.append("second")

    async def third(app: App) -> None:
        ran.append("third")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        for call in (first, second, third):
            res.defer(call)

    Call(adapter_of(handler), environ_of()).run()
    until(lambda: len(ran) == 3, "the calls")
    assert ran == ["first", "second", "third"]


def test_an_async_call_that_waits_holds_up_no_other_response() -> None:
    ran: list[str] = []
    go_on: list[asyncio.Event] = []

    async def waits(app: App) -> None:
        event = asyncio.Event()
        go_on.append(event)
        await event.wait()
        ran.append("waited")

    async def goes_on(app: App) -> None:
        go_on[0].set()

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(goes_on if req.query_string else waits)

    adapter = adapter_of(handler)
    Call(adapter, environ_of()).run()
    until(lambda: go_on, "the first call to begin")
    Call(adapter, environ_of(query="second")).run()
    until(lambda: ran, "the first call to end")


@pytest.mark.parametrize("error", [ValueError("a"), SystemExit(1), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [False, True])
def test_one_that_raises_is_reported_and_the_next_one_runs(is_async: bool, error: BaseException) -> None:
    ran: list[str] = []
    errors: list[str] = []

    def fail(app: App) -> None:
        raise error

    async def fail_async(app: App) -> None:
        raise error

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(fail_async if is_async else fail)
        res.defer(lambda app: ran.append("next"))

    app = App(on_error=lambda error, where: errors.append(where))
    app.GET("/", handler)
    Call(WSGIAdapter(app), environ_of()).run()
    until(lambda: ran, "the next call")
    assert len(errors) == 1
    assert errors[0].startswith("deferred call ")


def test_an_exit_out_of_on_error_ends_nothing_but_itself(caplog: pytest.LogCaptureFixture) -> None:
    """SPEC 5."""
    ran: list[str] = []

    def on_error(error: BaseException, where: str) -> None:
        raise SystemExit(3)

    def fail(app: App) -> None:
        raise ValueError

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(fail)
        res.defer(lambda app: ran.append("next"))

    app = App(on_error=on_error)
    app.GET("/", handler)
    adapter = WSGIAdapter(app)
    Call(adapter, environ_of()).run()
    until(lambda: len(ran) == 1, "the next call")
    Call(adapter, environ_of()).run()
    until(lambda: len(ran) == 2, "that of the next response")
    assert "SystemExit: 3" in caplog.text


def test_beyond_a_limit_calls_are_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()
    ran: list[int] = []

    def wait(app: App) -> None:
        assert go_on.wait(10)
        ran.append(1)

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(wait)

    app = App()
    app.GET("/", handler)
    adapter = WSGIAdapter(app, max_deferred_waiting=2)
    for _ in range(3):
        Call(adapter, environ_of()).run()
    assert [message.partition(": ")[2] for message in caplog.messages] == ["those of 2 responses run or wait already"]
    go_on.set()
    until(lambda: len(ran) == 2, "the others")


def test_the_limit_is_one_or_more() -> None:
    with pytest.raises(ValueError, match="max_deferred_waiting= must be 1 or more, not 0"):
        WSGIAdapter(App(), max_deferred_waiting=0)


def test_the_apps_own_runner_is_given_the_calls() -> None:
    given: list[int] = []

    class Runner:
        def start(self, calls: Sequence[DeferredCall], app: object, /) -> None:
            given.append(len(calls))

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(print)

    app = App(defer_runner=Runner())
    app.GET("/", handler)
    Call(WSGIAdapter(app), environ_of()).run()
    assert given == [1]


class TestTheEnd:
    def test_what_is_pending_is_waited_for(self) -> None:
        ran: list[str] = []

        async def slow(app: App) -> None:
            await asyncio.sleep(0.05)
            ran.append("slow")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(slow)
            res.defer(lambda app: ran.append("next"))

        adapter = adapter_of(handler)
        Call(adapter, environ_of()).run()
        adapter.stop()
        assert ran == ["slow", "next"]

    @pytest.mark.parametrize("is_async", [False, True])
    def test_what_is_not_done_at_the_deadline_is_logged_by_name(
        self, is_async: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def hangs(app: App) -> None:
            begun.set()
            go_on.wait(10)

        async def hangs_async(app: App) -> None:
            begun.set()
            await asyncio.sleep(60)

        def next_one(app: App) -> None:
            raise AssertionError("it was given up")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(hangs_async if is_async else hangs)
            res.defer(next_one)

        app = App()
        app.GET("/", handler)
        adapter = WSGIAdapter(app, deferred_deadline=0.01)
        Call(adapter, environ_of()).run()
        assert begun.wait(10)
        adapter.stop()
        go_on.set()
        lost = [message.split("<locals>.")[1] for message in caplog.messages]
        why = "is lost: it had not ended 0.01 s after the shutdown began"
        assert lost == [f"hangs{'_async' if is_async else ''} {why}", f"next_one {why}"]

    def test_an_async_one_is_cancelled_and_has_the_lifespan_while_it_cleans_up(self) -> None:
        notes: list[str] = []

        async def hangs(app: App) -> None:
            notes.append("begun")
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)
                notes.append("cleaned up")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(hangs)

        @contextmanager
        def lifespan(app: App) -> Generator[None]:
            yield
            notes.append("left")

        app = App(lifespan=lifespan)
        app.GET("/", handler)
        adapter = WSGIAdapter(app, deferred_deadline=0.01)
        Call(adapter, environ_of()).run()
        until(lambda: notes, "the call to begin")
        adapter.stop()
        assert notes == ["begun", "cleaned up", "left"]

    def test_an_async_one_that_has_run_while_the_thread_was_busy_is_not_called_lost(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        notes: list[str] = []
        go_on = threading.Event()

        async def quick(app: App) -> None:
            while "busy" not in notes:
                await asyncio.sleep(0.001)
            notes.append("ran")

        def busy(app: App) -> None:
            notes.append("busy")
            assert go_on.wait(10)

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(busy if req.query_string else quick)

        app = App()
        app.GET("/", handler)
        adapter = WSGIAdapter(app, deferred_deadline=0.05)
        Call(adapter, environ_of()).run()
        Call(adapter, environ_of(query="busy")).run()
        until(lambda: "ran" in notes, "the async call to end")
        adapter.stop()
        go_on.set()
        assert ["quick" in message for message in caplog.messages] == [False]

    def test_a_call_that_has_run_is_not_called_lost(self, caplog: pytest.LogCaptureFixture) -> None:
        begun = threading.Event()

        async def hangs(app: App) -> None:
            begun.set()
            await asyncio.sleep(60)

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(lambda app: None)
            res.defer(hangs)

        app = App()
        app.GET("/", handler)
        adapter = WSGIAdapter(app, deferred_deadline=0.01)
        Call(adapter, environ_of()).run()
        assert begun.wait(10)
        adapter.stop()
        assert len(caplog.messages) == 1
        assert "hangs" in caplog.messages[0]


class TestWithoutThreads:
    """uWSGI without --enable-threads: a thread would stand still between two requests."""

    @pytest.fixture
    def uwsgi(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
        """The module that uWSGI gives to Python; these are the options it was started with."""
        module = ModuleType("uwsgi")
        options: dict[str, object] = {"master": True}
        module.opt = options  # type: ignore[attr-defined]  # a module has what is put into it
        monkeypatch.setitem(sys.modules, "uwsgi", module)
        return options

    def test_calls_run_before_close_returns(self, uwsgi: dict[str, object]) -> None:
        ran: list[str] = []

        async def then(app: App) -> None:
            await asyncio.sleep(0)
            ran.append(threading.current_thread().name)

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(lambda app: ran.append(threading.current_thread().name))
            res.defer(then)

        Call(adapter_of(handler), environ_of()).run()
        assert ran == [threading.current_thread().name, "heaven-core event loop"]

    @pytest.mark.parametrize("option", ["enable-threads", "threads"])
    def test_with_threads_they_run_in_theirs(self, option: str, uwsgi: dict[str, object]) -> None:
        uwsgi[option] = True
        ran: list[str] = []

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(lambda app: ran.append(threading.current_thread().name))

        Call(adapter_of(handler), environ_of()).run()
        until(lambda: ran, "the call")
        assert ran == ["heaven-core deferred work"]
