"""The event loop of a process under WSGI: what runs there, in which context, and how it ends."""

from __future__ import annotations

import asyncio
import io
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from types import FrameType
from typing import Final

import pytest

from heaven_core import App, Context, Request, Response
from heaven_wsgi import WSGIAdapter
from heaven_wsgi.process import this_process
from tests.wsgi.memory import Call, adapter_of, environ_of, until

NUMBER: Final = ContextVar("NUMBER", default=0)


def body_of(*handlers: Callable[[Request, Response, Context], Awaitable[None] | None]) -> str:
    """The text of a response that the last one makes; the others are before-hooks."""
    app = App()
    for hook in handlers[:-1]:
        app.before("*", hook)
    app.GET("/", handlers[-1])
    return Call(WSGIAdapter(app), environ_of()).run().body.decode()


def status_of(adapter: WSGIAdapter) -> int:
    return Call(adapter, environ_of()).run().status


def say_thread(req: Request, res: Response, ctx: Context) -> None:
    res.body = threading.current_thread().name


async def say_loop(req: Request, res: Response, ctx: Context) -> None:
    assert asyncio.get_running_loop().is_running()  # asked for before anything is awaited
    res.body = threading.current_thread().name


class TestWhere:
    def test_a_def_runs_in_the_servers_thread(self) -> None:
        assert body_of(say_thread) == threading.current_thread().name

    def test_an_async_def_runs_on_the_event_loop_from_its_first_line(self) -> None:
        assert body_of(say_loop) == "heaven-core event loop"

    def test_each_hook_runs_where_it_belongs(self) -> None:
        ran: list[str] = []

        async def first(req: Request, res: Response, ctx: Context) -> None:
            await asyncio.sleep(0)
            ran.append(threading.current_thread().name)

        def second(req: Request, res: Response, ctx: Context) -> None:
            ran.append(threading.current_thread().name)

        assert body_of(first, second, say_loop) == "heaven-core event loop"
        assert ran == ["heaven-core event loop", threading.current_thread().name]

    def test_there_is_one_for_all_applications_and_threads(self) -> None:
        loops: set[asyncio.AbstractEventLoop] = set()

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            loops.add(asyncio.get_running_loop())
            await asyncio.sleep(0.01)

        adapters = [adapter_of(handler), adapter_of(handler)]
        with ThreadPoolExecutor(8) as pool:
            calls = list(pool.map(status_of, [adapters[number % 2] for number in range(16)]))
        assert calls == [200] * 16
        assert len(loops) == 1

    def test_requests_of_several_threads_wait_side_by_side(self) -> None:
        """Each of them waits until all have come."""
        barrier: list[int] = []

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            barrier.append(1)
            while len(barrier) < 8:
                await asyncio.sleep(0.001)

        adapter = adapter_of(handler)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(status_of, [adapter] * 8)) == [200] * 8


class TestContext:
    def test_a_request_has_one_on_the_loop_and_in_the_servers_thread(self) -> None:
        """Also what is set there is seen here, and the other way round."""

        def before(req: Request, res: Response, ctx: Context) -> None:
            NUMBER.set(NUMBER.get() + 1)

        async def then(req: Request, res: Response, ctx: Context) -> None:
            await asyncio.sleep(0)
            NUMBER.set(NUMBER.get() + 10)

        def handler(req: Request, res: Response, ctx: Context) -> None:
            NUMBER.set(NUMBER.get() + 100)
            res.body = str(NUMBER.get())

        assert body_of(before, then, handler) == "111"
        assert NUMBER.get() == 0

    def test_it_starts_with_that_of_the_server(self) -> None:
        async def handler(req: Request, res: Response, ctx: Context) -> None:
            res.body = str(NUMBER.get())

        token = NUMBER.set(7)
        try:
            assert body_of(handler) == "7"
        finally:
            NUMBER.reset(token)

    def test_a_stream_and_deferred_work_see_what_the_handler_has_set(self) -> None:
        seen: list[int] = []

        async def items() -> AsyncIterator[str]:
            yield str(NUMBER.get())
            NUMBER.set(NUMBER.get() + 1)
            yield str(NUMBER.get())

        async def later(app: App) -> None:
            seen.append(NUMBER.get())

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            NUMBER.set(5)
            res.stream(items())
            res.defer(later)
            res.defer(lambda app: seen.append(NUMBER.get()))

        assert body_of(handler) == "56"
        until(lambda: len(seen) == 2, "deferred work")
        assert seen == [5, 5]


class TestFailures:
    def test_an_abort_ends_the_handler_and_not_the_loop(self) -> None:
        async def handler(req: Request, res: Response, ctx: Context) -> None:
            res.abort("stopped")

        assert body_of(handler) == "stopped"
        assert body_of(say_loop) == "heaven-core event loop"

    def test_an_exit_comes_out_in_the_servers_thread_and_not_in_the_loop(self) -> None:
        async def handler(req: Request, res: Response, ctx: Context) -> None:
            raise SystemExit(3)

        assert isinstance(Call(adapter_of(handler), environ_of()).begin().raised, SystemExit)
        assert body_of(say_loop) == "heaven-core event loop"

    def test_a_traceback_names_the_line_of_the_handler(self) -> None:
        errors: list[BaseException] = []

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            await asyncio.sleep(0)
            raise ValueError("here")

        app = App(on_error=lambda error, where: errors.append(error))
        app.GET("/", handler)
        assert Call(WSGIAdapter(app), environ_of()).run().status == 500
        [error] = errors
        names: list[str] = []
        step = error.__traceback__
        while step is not None:
            names.append(step.tb_frame.f_code.co_name)
            step = step.tb_next
        assert names[-1] == "handler"

    def test_a_cancellation_that_is_not_the_requests_is_a_failure(self) -> None:
        """SPEC 1: the handler has awaited a task that was cancelled."""

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            task = asyncio.create_task(asyncio.sleep(10))
            task.cancel()
            await task

        assert Call(adapter_of(handler), environ_of()).run().status == 500

    def test_an_exit_while_the_thread_waits_cancels_the_handler(self) -> None:
        """gunicorn raises SystemExit in a worker whose time is up."""
        cancelled = threading.Event()
        here = threading.get_ident()

        def leave(number: int, frame: FrameType | None) -> None:
            raise SystemExit(3)

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            try:
                signal.pthread_kill(here, signal.SIGUSR1)
                await asyncio.sleep(60)
            finally:
                cancelled.set()

        before = signal.signal(signal.SIGUSR1, leave)
        try:
            call = Call(adapter_of(handler), environ_of()).begin()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert isinstance(call.raised, SystemExit)
        assert cancelled.wait(10)

    def test_a_handler_that_will_not_leave_keeps_its_context_and_the_exit_comes_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is left of the request runs in a copy: two can't be in one context."""
        monkeypatch.setattr("heaven_wsgi.loop_thread._ENDING", 0.01)
        here = threading.get_ident()
        go_on = threading.Event()
        notes: list[str] = []

        def leave(number: int, frame: FrameType | None) -> None:
            raise SystemExit(3)

        def items() -> Iterator[bytes]:
            try:
                yield b"one"
            finally:
                notes.append(f"closed, {NUMBER.get()}")

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            NUMBER.set(5)
            stream = items()
            next(stream)
            res.stream(stream)
            signal.pthread_kill(here, signal.SIGUSR1)
            go_on.wait(10)  # it blocks the loop, and so can't be cancelled
            notes.append("left")

        before = signal.signal(signal.SIGUSR1, leave)
        try:
            call = Call(adapter_of(handler), environ_of()).begin()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert isinstance(call.raised, SystemExit)
        assert notes == ["closed, 5"]
        go_on.set()
        until(lambda: len(notes) == 2, "the handler to end")

    def test_an_exit_while_the_body_is_read_for_the_loop_is_the_servers(self) -> None:
        """It is neither lost in a task that has not waited for it, nor does it end the loop."""

        class Leaves(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:  # type: ignore[explicit-override]  # 3.11 has no override
                raise SystemExit(3)

        async def reading(req: Request) -> None:
            await anext(req.stream())

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            task = asyncio.create_task(reading(req))
            await asyncio.sleep(60)
            await task

        environ = environ_of("POST", more={"wsgi.input": Leaves(), "CONTENT_LENGTH": "3"})
        assert isinstance(Call(adapter_of(handler), environ).begin().raised, SystemExit)
        assert body_of(say_loop) == "heaven-core event loop"

    def test_an_async_on_error_runs_on_the_loop(self) -> None:
        told: list[str] = []

        async def on_error(error: BaseException, where: str) -> None:
            await asyncio.sleep(0)
            told.append(threading.current_thread().name)

        def handler(req: Request, res: Response, ctx: Context) -> None:
            raise ValueError

        app = App(on_error=on_error)
        app.GET("/", handler)
        assert Call(WSGIAdapter(app), environ_of()).run().status == 500
        until(lambda: told, "on_error")
        assert told == ["heaven-core event loop"]

    def test_an_async_on_error_that_fails_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        async def on_error(error: BaseException, where: str) -> None:
            raise RuntimeError("broken, too")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            raise ValueError

        app = App(on_error=on_error)
        app.GET("/", handler)
        Call(WSGIAdapter(app), environ_of()).run()
        until(lambda: "broken, too" in caplog.text, "the log")


class TestStreams:
    def test_none_is_read_ahead(self) -> None:
        taken: list[int] = []

        async def items() -> AsyncIterator[str]:
            for number in range(100):
                taken.append(number)
                yield "x"

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items())

        call = Call(adapter_of(handler), environ_of()).begin()
        for _ in range(3):
            assert call.take()
        # Whatever runs ahead on the loop would have done so by now.
        barrier = threading.Event()
        this_process().get_loop().call_soon(barrier.set)
        assert barrier.wait(10)
        assert taken == [0, 1, 2]
        call.close()

    def test_all_steps_and_the_closing_are_of_one_task(self) -> None:
        tasks: list[object] = []

        async def items() -> AsyncIterator[str]:
            try:
                async with asyncio.timeout(60):  # which is left in the task that has entered it
                    for _ in range(3):
                        tasks.append(asyncio.current_task())
                        yield "x"
            finally:
                await asyncio.sleep(0)
                tasks.append(asyncio.current_task())

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items())

        call = Call(adapter_of(handler), environ_of()).begin()
        assert call.take()
        assert call.take()
        call.close()
        assert len(tasks) == 3
        assert len(set(tasks)) == 1

    def test_an_event_stream_has_heartbeats_while_its_step_goes_on(self) -> None:
        steps: list[int] = []
        go_on = asyncio.Event()

        async def items() -> AsyncIterator[str]:
            steps.append(1)
            yield "first"
            await go_on.wait()
            steps.append(2)
            yield "second"

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items(), sse=True, heartbeat=0.01)

        call = Call(adapter_of(handler), environ_of()).begin()
        for _ in range(4):
            assert call.take()
        assert call.pieces == [b"data: first\n\n", b":\n\n", b":\n\n", b":\n\n"]
        this_process().get_loop().call_soon(go_on.set)
        while b"second" not in call.pieces[-1]:
            assert call.take()
        assert steps == [1, 2]
        call.close()

    def test_the_head_of_a_silent_event_stream_goes_out(self) -> None:
        """SPEC 4: so that an EventSource sees that it is open."""

        async def items() -> AsyncIterator[str]:
            await asyncio.sleep(60)
            yield ""

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items(), sse=True, head_timeout=0.01)

        call = Call(adapter_of(handler), environ_of()).begin()
        assert call.status == 200
        call.close()

    def test_a_step_under_way_is_cancelled_when_the_client_leaves(self) -> None:
        notes: list[str] = []

        async def items() -> AsyncIterator[str]:
            try:
                yield "first"
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)  # what is awaited in the end is not cancelled, too
                notes.append("closed")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items(), sse=True, heartbeat=0.01)

        call = Call(adapter_of(handler), environ_of()).begin()
        assert call.take()
        assert call.take()  # a heartbeat, so that the step is under way
        call.close()
        assert notes == ["closed"]

    def test_what_a_cancelled_step_raises_is_reported(self) -> None:
        errors: list[BaseException] = []

        async def items() -> AsyncIterator[str]:
            try:
                yield "first"
                await asyncio.sleep(60)
            finally:
                raise ValueError("in the end")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items(), sse=True, heartbeat=0.01)

        app = App(on_error=lambda error, where: errors.append(error))
        app.GET("/", handler)
        call = Call(WSGIAdapter(app), environ_of()).begin()
        assert call.take()
        assert call.take()
        call.close()
        assert [str(error) for error in errors] == ["in the end"]

    def test_a_stream_that_awaits_something_cancelled_has_failed(self) -> None:
        async def items() -> AsyncIterator[str]:
            yield "first"
            task = asyncio.create_task(asyncio.sleep(10))
            task.cancel()
            await task

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items())

        call = Call(adapter_of(handler), environ_of()).run()
        assert (call.body, call.whole) == (b"first", False)

    def test_one_that_will_not_close_is_given_up_and_reported(self) -> None:
        errors: list[BaseException] = []
        ended = threading.Event()

        async def items() -> AsyncIterator[str]:
            try:
                yield "first"
            finally:
                try:
                    await asyncio.sleep(60)
                finally:
                    ended.set()

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(items())

        app = App(on_error=lambda error, where: errors.append(error))
        app.GET("/", handler)
        call = Call(WSGIAdapter(app, closing_limit=0.01), environ_of()).begin()
        assert call.take()
        call.close()
        assert [str(error) for error in errors] == ["closing it took more than 0.01 s and was given up"]
        assert ended.wait(10)

    def test_an_iterable_that_is_not_its_own_iterator_is_closed_too(self) -> None:
        closed: list[str] = []

        class Items:
            async def __aiter__(self) -> AsyncIterator[str]:
                try:
                    yield "first"
                finally:
                    closed.append("iterator")

            async def aclose(self) -> None:
                await asyncio.sleep(0)
                closed.append("iterable")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(Items())

        call = Call(adapter_of(handler), environ_of()).begin()
        call.close()
        assert closed == ["iterator", "iterable"]

    def test_one_that_was_never_begun_is_closed(self) -> None:
        closed: list[str] = []

        class Items:
            def __aiter__(self) -> AsyncIterator[str]:
                raise AssertionError("HEAD takes no item")

            async def aclose(self) -> None:
                closed.append(threading.current_thread().name)

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(Items())

        assert Call(adapter_of(handler), environ_of("HEAD")).run().whole
        assert closed == ["heaven-core event loop"]

    def test_a_sync_stream_runs_in_the_servers_thread(self) -> None:
        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.stream(threading.current_thread().name for _ in range(1))

        assert Call(adapter_of(handler), environ_of()).run().body.decode() == threading.current_thread().name
