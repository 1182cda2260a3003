"""The lifespan under WSGI: entered with the first request or by `start`, left at the end or by `stop`."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Final

import pytest

from heaven_core import App, Context, Key, Request, Response
from heaven_core.app.app import Lifespan
from heaven_wsgi import WSGIAdapter
from tests.handlers.kit import loose
from tests.wsgi.memory import PATIENCE, Call, environ_of

GREETING: Final = Key[str]("greeting")


def greet(req: Request, res: Response, ctx: Context) -> None:
    res.body = req.path


def adapter_with(lifespan: Lifespan) -> WSGIAdapter:
    app = App(lifespan=lifespan)
    app.GET("/", greet)
    return WSGIAdapter(app)


def status_of(adapter: WSGIAdapter) -> int:
    return Call(adapter, environ_of()).run().status


def sync_lifespan(notes: list[str]) -> Lifespan:
    @contextmanager
    def lifespan(app: App) -> Generator[None]:
        notes.append("entered")
        yield
        notes.append("left")

    return lifespan


def async_lifespan(notes: list[str]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        notes.append("entered")
        task = asyncio.current_task()
        async with asyncio.timeout(60):  # which is left in the task that has entered it
            yield
        assert asyncio.current_task() is task
        notes.append("left")

    return lifespan


EITHER: Final = pytest.mark.parametrize("kind", [sync_lifespan, async_lifespan])


@EITHER
def test_the_first_request_enters_it_once(kind: Callable[[list[str]], Lifespan]) -> None:
    notes: list[str] = []
    adapter = adapter_with(kind(notes))
    assert notes == []
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(status_of, [adapter] * 8)) == [200] * 8
    assert notes == ["entered"]
    adapter.stop()
    assert notes == ["entered", "left"]


@EITHER
def test_start_enters_it_and_stop_leaves_it(kind: Callable[[list[str]], Lifespan]) -> None:
    notes: list[str] = []
    adapter = adapter_with(kind(notes))
    adapter.start()
    assert notes == ["entered"]
    adapter.start()
    Call(adapter, environ_of()).run()
    assert notes == ["entered"]
    adapter.stop()
    adapter.stop()
    assert notes == ["entered", "left"]


def test_a_failure_at_the_first_request_is_never_taken_for_the_leaving_of_the_client() -> None:
    """gunicorn says nothing of an `OSError`."""

    @contextmanager
    def lifespan(app: App) -> Generator[None]:
        raise ConnectionError("the database is away")
        yield  # type: ignore[unreachable]  # which makes it a generator

    raised = Call(adapter_with(lifespan), environ_of()).begin().raised
    assert type(raised) is RuntimeError
    assert str(raised) == "the app did not start: ConnectionError: the database is away"


def test_one_that_fails_is_raised_and_tried_again_by_the_next_request() -> None:
    """A database may come up later than we do."""
    tries: list[int] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("the database is away")
        yield

    adapter = adapter_with(lifespan)
    with pytest.raises(ConnectionError, match="the database is away"):
        adapter.start()
    assert Call(adapter, environ_of()).run().status == 200
    assert len(tries) == 2
    adapter.stop()


@EITHER
def test_after_stop_nothing_is_served(kind: Callable[[list[str]], Lifespan]) -> None:
    adapter = adapter_with(kind([]))
    Call(adapter, environ_of()).run()
    adapter.stop()
    raised = Call(adapter, environ_of()).begin().raised
    assert isinstance(raised, RuntimeError)
    assert str(raised) == "this adapter was stopped in this process: make another one"


def test_stop_before_anything_has_begun_does_nothing() -> None:
    notes: list[str] = []
    adapter_with(sync_lifespan(notes)).stop()
    assert notes == []


def test_a_request_that_is_under_way_goes_on_and_what_it_defers_is_logged_as_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def items() -> Iterator[bytes]:
        try:
            yield b"one"
        finally:
            closed.append("closed")

    def deferred(app: App) -> None:
        raise AssertionError("it was lost")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        inside.set()
        assert go_on.wait(PATIENCE)
        res.defer(deferred)
        if req.query_string:
            res.stream(items())

    app = App()
    app.GET("/", handler)
    adapter = WSGIAdapter(app)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(Call(adapter, environ_of(query=query)).run) for query in ("", "stream")]
        assert inside.wait(PATIENCE)
        adapter.stop()
        go_on.set()
        assert [call.result().status for call in asked] == [200, 200]
    assert closed == ["closed"]
    assert [message.partition(": ")[2] for message in caplog.messages] == ["the server has shut down"] * 2


@pytest.mark.parametrize("place", ["handler", "deferred"])
def test_stop_is_refused_where_it_would_wait_for_itself(place: str) -> None:
    refused: list[str] = []

    async def stopping(*arguments: object) -> None:
        try:
            adapter.stop()
        except RuntimeError as error:
            refused.append(str(error))

    def stopping_here(app: App) -> None:
        try:
            adapter.stop()
        except RuntimeError as error:
            refused.append(str(error))

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        if place == "handler":
            await stopping()
        else:
            res.defer(stopping_here)
            res.defer(stopping)

    app = App(lifespan=async_lifespan([]))
    app.GET("/", handler)
    adapter = WSGIAdapter(app)
    assert Call(adapter, environ_of()).run().status == 200
    adapter.stop()
    assert set(refused) == {"stop() waits for the event loop and for deferred work: call it from neither"}
    assert len(refused) == (1 if place == "handler" else 2)


def test_a_lifespan_that_is_no_context_manager_says_what_it_lacks() -> None:
    async def lifespan(app: App) -> AsyncGenerator[None]:
        yield

    def returning_it(app: App) -> object:
        return lifespan(app)

    undecorated: Lifespan = returning_it  # type: ignore[assignment]  # the mistake that is meant
    with pytest.raises(TypeError, match=r"gave async_generator, which is no context manager.*@asynccontextmanager"):
        adapter_with(undecorated).start()


def test_one_that_asks_its_own_app_is_told_so() -> None:
    @contextmanager
    def lifespan(app: App) -> Generator[None]:
        raised = Call(adapter, environ_of()).begin().raised
        assert raised is not None
        raise raised
        yield  # type: ignore[unreachable]  # which makes it a generator

    adapter = adapter_with(lifespan)
    with pytest.raises(RuntimeError, match="has asked the app itself"):
        adapter.start()


class TestArguments:
    """What an adapter can't take is refused when it is given."""

    @pytest.mark.parametrize("app", [42, App, WSGIAdapter(App())])
    def test_an_app(self, app: object) -> None:
        with pytest.raises(TypeError, match=r"WSGIAdapter takes a heaven_core\.App, not "):
            loose(WSGIAdapter)(app)

    @pytest.mark.parametrize("name", ["deferred_deadline", "closing_limit", "stream_deadline"])
    @pytest.mark.parametrize("value", ["1", None, True, -1, float("nan")])
    def test_seconds(self, name: str, value: object) -> None:
        with pytest.raises((TypeError, ValueError), match=f"{name}= must be "):
            loose(WSGIAdapter)(App(), **{name: value})

    def test_signals(self) -> None:
        with pytest.raises(TypeError, match="signals= must be True or False, not 'no'"):
            loose(WSGIAdapter)(App(), signals="no")

    def test_a_time_without_end_is_as_long_as_a_lock_can_wait(self) -> None:
        adapter = WSGIAdapter(App(), deferred_deadline=float("inf"), stream_deadline=float("inf"))
        adapter.start()
        adapter.stop()


def test_what_leaving_it_raises_is_reported() -> None:
    errors: list[str] = []

    @contextmanager
    def lifespan(app: App) -> Generator[None]:
        yield
        raise ValueError("in the end")

    app = App(lifespan=lifespan, on_error=lambda error, where: errors.append(f"{error} in {where}"))
    adapter = WSGIAdapter(app)
    adapter.start()
    adapter.stop()
    assert errors == ["in the end in the lifespan"]


def test_deferred_work_still_has_it() -> None:
    notes: list[str] = []

    async def later(app: App) -> None:
        await asyncio.sleep(0.01)
        notes.append("deferred")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(later)

    app = App(lifespan=async_lifespan(notes))
    app.GET("/", handler)
    adapter = WSGIAdapter(app)
    Call(adapter, environ_of()).run()
    adapter.stop()
    assert notes == ["entered", "deferred", "left"]


class TestEventStreams:
    """They have no end of their own."""

    @pytest.fixture(autouse=True)
    def errors(self) -> Iterator[list[BaseException]]:
        """None of them is to be reported."""
        self.reported: list[BaseException] = []
        yield self.reported
        assert self.reported == []

    def adapter(self, items: Callable[[], AsyncIterator[str] | Iterator[str]]) -> WSGIAdapter:
        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items(), sse=True, at_shutdown="bye")

        app = App(on_error=lambda error, where: self.reported.append(error))
        app.GET("/", handler)
        return WSGIAdapter(app)

    def test_one_that_waits_ends_in_order(self) -> None:
        closed: list[str] = []

        async def items() -> AsyncIterator[str]:
            try:
                yield "first"
                await asyncio.sleep(60)
            finally:
                closed.append("closed")

        adapter = self.adapter(items)
        call = Call(adapter, environ_of()).begin()
        assert call.take()
        stopping = threading.Thread(target=adapter.stop)
        stopping.start()
        while call.take():
            pass
        call.close()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
        assert (call.whole, call.pieces[-1]) == (True, b"data: bye\n\n")
        assert closed == ["closed"]

    def test_a_sync_one_ends_with_its_step(self) -> None:
        def items() -> Iterator[str]:
            while True:
                yield "more"

        adapter = self.adapter(items)
        call = Call(adapter, environ_of()).begin()
        assert call.take()
        stopping = threading.Thread(target=adapter.stop)
        stopping.start()
        while call.take():
            pass
        call.close()
        stopping.join(PATIENCE)
        assert (call.whole, call.pieces[-1]) == (True, b"data: bye\n\n")

    def test_a_signal_ends_them_before_the_servers_own_handler_runs(self) -> None:
        """In the main thread, which waits for the stream meanwhile."""
        heard: list[str] = []

        def server(number: int, frame: FrameType | None) -> None:
            heard.append("server")

        async def items() -> AsyncIterator[str]:
            yield "first"
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            await asyncio.sleep(60)

        before = signal.signal(signal.SIGTERM, server)
        try:
            adapter = self.adapter(items)
            call = Call(adapter, environ_of()).run()
            assert (call.whole, call.body) == (True, b"data: first\n\ndata: bye\n\n")
            assert heard == ["server"]
            adapter.stop()
            assert signal.getsignal(signal.SIGTERM) is server
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_gunicorns_other_signal_ends_them_too(self) -> None:
        """SIGQUIT, by which it ends its workers when it is interrupted."""
        before = signal.signal(signal.SIGQUIT, lambda number, frame: None)
        try:
            own = signal.getsignal(signal.SIGQUIT)
            adapter = WSGIAdapter(App())
            adapter.start()
            assert signal.getsignal(signal.SIGQUIT) is not own
            adapter.stop()
            assert signal.getsignal(signal.SIGQUIT) is own
        finally:
            signal.signal(signal.SIGQUIT, before)

    def test_signals_are_left_alone_where_that_is_asked_for(self) -> None:
        before = signal.signal(signal.SIGTERM, lambda number, frame: None)
        try:
            own = signal.getsignal(signal.SIGTERM)
            adapter = WSGIAdapter(App(), signals=False)
            adapter.start()
            assert signal.getsignal(signal.SIGTERM) is own
            adapter.stop()
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_start_hears_signals_and_stop_no_longer(self) -> None:
        before = signal.signal(signal.SIGTERM, lambda number, frame: None)
        try:
            own = signal.getsignal(signal.SIGTERM)
            adapter = WSGIAdapter(App())
            adapter.start()
            assert signal.getsignal(signal.SIGTERM) is not own
            adapter.stop()
            assert signal.getsignal(signal.SIGTERM) is own
        finally:
            signal.signal(signal.SIGTERM, before)
