"""`heaven_driver.blocking`: what a server with a thread for each connection is given."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import pytest

from heaven_core import (
    AnyIterable,
    App,
    Chunk,
    Context,
    DeferredCall,
    End,
    Event,
    FileRange,
    Machine,
    Outcome,
    Request,
    Reset,
    Response,
    Start,
)  # fmt: skip
from heaven_driver.blocking import (
    BlockingFile,
    BlockingStream,
    Elapsed,
    Interrupted,
    Stream,
    ThreadStream,
    drive,
    enter_lifespan,
    run_deferred,
    serve,
    system_runtime,
)
from heaven_io.blocking_streams import run_here
from tests.handlers.kit import loose

PATIENCE: Final = 10.0


class Bench:
    """An app with one route, and what was told of it."""

    def __init__(self, act: Callable[[Response], object]) -> None:
        self.errors: list[BaseException] = []
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.app = App(on_error=lambda error, where: self.errors.append(error))

        def handler(req: Request, res: Response, ctx: Context) -> None:
            act(res)
            res.defer(lambda app: self.outcomes.extend([res.outcome] if res.outcome is not None else []))

        self.app.GET("/", handler)

    def serve(self, **options: object) -> Generator[Start | Chunk | End | Reset, None, Outcome]:
        serving: Callable[..., Generator[Start | Chunk | End | Reset, None, Outcome]] = serve
        return serving(self.app, Request[object]("GET", "/"), system_runtime(), **options)

    def kinds(self, **options: object) -> list[str]:
        return [type(event).__name__ for event in self.serve(**options)]


def items(notes: list[str]) -> Iterator[bytes]:
    try:
        yield b"one"
        yield b"two"
    finally:
        notes.append("closed")


def test_a_buffered_body_is_a_head_a_chunk_and_an_end() -> None:
    bench = Bench(lambda res: setattr(res, "body", "hello"))
    assert bench.kinds() == ["Start", "Chunk", "End"]
    assert [outcome.kind for outcome in bench.outcomes] == ["complete"]


def test_the_generator_returns_the_outcome() -> None:
    def wrapped() -> Generator[Start | Chunk | End | Reset, None, None]:
        outcomes.append((yield from Bench(lambda res: setattr(res, "body", "hello")).serve()))

    outcomes: list[Outcome] = []
    list(wrapped())
    [outcome] = outcomes
    assert (outcome.kind, outcome.body_bytes) == ("complete", 5)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_to_close_the_generator_is_the_clients_leaving(taken: int) -> None:
    notes: list[str] = []
    bench = Bench(lambda res: res.stream(items(notes)))
    serving = bench.serve()
    for _ in range(taken + 1):
        next(serving)
    serving.close()
    assert notes == ["closed"]
    [outcome] = bench.outcomes
    assert (outcome.kind, outcome.body_bytes) == ("disconnected", 3 * max(0, taken - 1))


def test_an_error_of_the_wire_is_the_clients_leaving() -> None:
    notes: list[str] = []
    bench = Bench(lambda res: res.stream(items(notes)))
    serving = bench.serve()
    next(serving)
    with pytest.raises(StopIteration) as ended:
        serving.throw(BrokenPipeError())
    outcome: object = ended.value.value
    assert isinstance(outcome, Outcome)
    assert outcome.kind == "disconnected"
    assert notes == ["closed"]
    assert bench.errors == []


def test_another_error_passes_on_when_everything_is_closed() -> None:
    notes: list[str] = []
    bench = Bench(lambda res: res.stream(items(notes)))
    serving = bench.serve()
    next(serving)
    with pytest.raises(KeyboardInterrupt):
        serving.throw(KeyboardInterrupt())
    assert notes == ["closed"]
    assert [outcome.kind for outcome in bench.outcomes] == ["disconnected"]


@pytest.mark.parametrize("before", [(), (b"one",)])
def test_what_ends_the_process_in_a_step_is_a_failure_and_passes_on_when_everything_is_closed(
    before: tuple[bytes, ...],
) -> None:
    def ending() -> Iterator[bytes]:
        yield from before
        raise KeyboardInterrupt

    def act(res: Response) -> None:
        res.defer(lambda app: bench.notes.append("failed"), "failed")
        res.stream(ending())

    bench = Bench(act)
    events: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        events.extend(bench.serve())
    # Neither a 500 nor a reset is sent, since all of it ends.
    assert [type(event) for event in events] == ([Start, Chunk] if before else [])
    assert bench.notes == ["failed"]
    assert [type(error) for error in bench.errors] == [KeyboardInterrupt]
    assert [outcome.kind for outcome in bench.outcomes] == (["failed"] if before else [])


def test_an_exit_of_a_generator_in_a_step_is_the_streams_failure() -> None:
    """To throw it on would be to close what drives the response."""

    def ending() -> Iterator[bytes]:
        yield b"one"
        raise GeneratorExit

    bench = Bench(lambda res: res.stream(ending()))
    assert bench.kinds() == ["Start", "Chunk", "Reset"]
    assert [outcome.kind for outcome in bench.outcomes] == ["failed"]


@pytest.mark.parametrize("where", ["seek", "read"])
def test_what_ends_the_process_in_an_open_file_is_a_failure_and_passes_on_when_it_is_closed(where: str) -> None:
    class Ending(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:  # type: ignore[explicit-override]  # 3.11 has no override
            if whence and where == "seek":
                raise SystemExit
            return super().seek(offset, whence)

        def read(self, size: int | None = -1, /) -> bytes:  # type: ignore[explicit-override]  # 3.11 has no override
            if where == "read":
                raise SystemExit
            return super().read(size)

    file = Ending(b"hello")

    def act(res: Response) -> None:
        res.defer(lambda app: bench.notes.append("failed"), "failed")
        res.file(file)

    bench = Bench(act)
    with pytest.raises(SystemExit):
        bench.kinds()
    assert file.closed
    assert bench.notes == ["failed"]
    assert [type(error) for error in bench.errors] == [SystemExit]


def test_what_ends_the_process_while_a_stream_is_closed_passes_on_at_the_end() -> None:
    def ending() -> Iterator[bytes]:
        try:
            yield b"one"
        finally:
            raise SystemExit

    bench = Bench(lambda res: res.stream(ending()))
    serving = bench.serve()
    next(serving)
    with pytest.raises(SystemExit):
        serving.close()
    assert [outcome.kind for outcome in bench.outcomes] == ["disconnected"]


def test_what_ends_the_process_in_a_handler_passes_on_when_everything_is_closed() -> None:
    """Nothing goes out, and the deferred work runs."""
    notes: list[str] = []

    def end(res: Response) -> None:
        res.stream(Closable(notes))
        res.defer(lambda app: notes.append("deferred"))
        raise SystemExit(3)

    events: list[object] = []
    with pytest.raises(SystemExit):
        events.extend(Bench(end).serve())
    assert (events, notes) == ([], ["closed", "deferred"])


class Closable:
    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"item"])

    def close(self) -> None:
        self.notes.append("closed")


def sends_nothing(file: BlockingFile, offset: int, count: int) -> None:
    """A wire that can't."""


def sends_what_there_is(file: BlockingFile, offset: int, count: int) -> int:
    return len(file.read_at(offset, count))


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "file.bin"
        path.write_bytes(bytes(300_000))
        return path

    def test_a_file_is_yielded_in_chunks(self, path: Path) -> None:
        bench = Bench(lambda res: res.file(path))
        chunks = [event.data for event in bench.serve() if type(event) is Chunk]
        assert [len(chunk) for chunk in chunks] == [131_072, 131_072, 37_856]
        assert [outcome.body_bytes for outcome in bench.outcomes] == [300_000]

    def test_a_file_that_a_client_leaves_counts_what_has_gone(self, path: Path) -> None:
        bench = Bench(lambda res: res.file(path))
        serving = bench.serve()
        for _ in range(3):
            next(serving)
        serving.close()
        assert [(outcome.kind, outcome.body_bytes) for outcome in bench.outcomes] == [("disconnected", 131_072)]

    def test_a_file_may_be_sent_without_reading_it(self, path: Path) -> None:
        asked: list[tuple[bool, int, int]] = []

        def send_file(file: BlockingFile, offset: int, count: int) -> int:
            asked.append((file.fileno() > 2, offset, count))
            return count

        bench = Bench(lambda res: res.file(path))
        assert bench.kinds(send_file=send_file) == ["Start", "End"]
        assert asked == [(True, 0, 300_000)]

    def test_a_file_is_sent_in_as_many_calls_as_the_wire_takes(self, path: Path) -> None:
        asked: list[tuple[int, int]] = []

        def send_file(file: BlockingFile, offset: int, count: int) -> int:
            asked.append((offset, count))
            return min(count, 120_000)

        bench = Bench(lambda res: res.file(path))
        assert bench.kinds(send_file=send_file) == ["Start", "End"]
        assert asked == [(0, 300_000), (120_000, 180_000), (240_000, 60_000)]
        assert [(outcome.kind, outcome.body_bytes) for outcome in bench.outcomes] == [("complete", 300_000)]

    def test_a_wire_that_can_no_longer_send_it_so_has_the_rest_read(self, path: Path) -> None:
        def send_file(file: BlockingFile, offset: int, count: int) -> int | None:
            return 200_000 if offset == 0 else None

        bench = Bench(lambda res: res.file(path))
        chunks = [event.data for event in bench.serve(send_file=send_file) if type(event) is Chunk]
        assert [len(chunk) for chunk in chunks] == [100_000]
        assert [(outcome.kind, outcome.body_bytes) for outcome in bench.outcomes] == [("complete", 300_000)]

    def test_a_client_that_leaves_between_two_calls_has_what_the_first_one_sent(self, path: Path) -> None:
        def send_file(file: BlockingFile, offset: int, count: int) -> int:
            if offset:
                raise BrokenPipeError
            return 120_000

        bench = Bench(lambda res: res.file(path))
        assert bench.kinds(send_file=send_file) == ["Start"]
        assert [(outcome.kind, outcome.body_bytes) for outcome in bench.outcomes] == [("disconnected", 120_000)]

    @pytest.mark.parametrize("claimed", [-1, 300_001])
    def test_a_wire_that_claims_to_have_sent_what_is_not_there_is_told_so(self, claimed: int, path: Path) -> None:
        def claims(file: BlockingFile, offset: int, count: int) -> int:
            return claimed

        bench = Bench(lambda res: res.file(path))
        with pytest.raises(ValueError, match=f"send_file= says that {claimed} bytes have left, of 300000"):
            bench.kinds(send_file=claims)
        assert [(outcome.kind, outcome.body_bytes) for outcome in bench.outcomes] == [("disconnected", 0)]

    def test_a_file_that_can_not_be_sent_so_is_read(self, path: Path) -> None:
        bench = Bench(lambda res: res.file(path))
        assert bench.kinds(send_file=sends_nothing) == ["Start", "Chunk", "Chunk", "Chunk", "End"]

    def test_a_file_in_memory_has_no_descriptor_and_is_read(self) -> None:
        def never(file: BlockingFile, offset: int, count: int) -> int:
            raise AssertionError("it has no descriptor")

        bench = Bench(lambda res: res.file(io.BytesIO(b"hello")))
        assert bench.kinds(send_file=never) == ["Start", "Chunk", "End"]

    def test_a_client_that_leaves_while_a_file_is_sent(self, path: Path) -> None:
        def broken(file: BlockingFile, offset: int, count: int) -> int:
            raise BrokenPipeError

        bench = Bench(lambda res: res.file(path))
        assert bench.kinds(send_file=broken) == ["Start"]
        assert [outcome.kind for outcome in bench.outcomes] == ["disconnected"]

    @pytest.mark.parametrize("send_file", [None, sends_what_there_is])
    def test_a_file_that_has_shrunk_is_reset(self, path: Path, send_file: object) -> None:
        bench = Bench(lambda res: res.file(path))
        serving = bench.serve(send_file=send_file)
        next(serving)
        path.write_bytes(bytes(1000))
        assert [type(event) for event in serving] == [Chunk, Reset][send_file is not None :]
        assert [(outcome.kind, outcome.body_bytes) for outcome in bench.outcomes] == [("failed", 1000)]

    def test_a_file_that_can_not_be_read_is_reset(self) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:  # type: ignore[explicit-override]  # 3.11 has no override
                raise RuntimeError("the disk")

        bench = Bench(lambda res: res.file(Broken(b"hello")))
        assert bench.kinds() == ["Start", "Reset"]
        assert [str(error) for error in bench.errors] == ["the disk"]


class TestAsyncCode:
    def test_an_async_handler_that_awaits_nothing_runs(self) -> None:
        async def handler(req: Request, res: Response, ctx: Context) -> None:
            await nothing()
            res.body = "hello"

        app = App()
        app.GET("/", handler)
        assert [type(event) for event in serve(app, Request("GET", "/"), system_runtime())] == [Start, Chunk, End]

    def test_an_async_handler_that_waits_is_a_500_that_says_why(self) -> None:
        errors: list[str] = []

        async def handler(req: Request, res: Response, ctx: Context) -> None:
            await Waiting()

        app = App(on_error=lambda error, where: errors.append(str(error)))
        app.GET("/", handler)
        start = next(serve(app, Request("GET", "/"), system_runtime()))
        assert type(start) is Start
        assert start.status == 500
        assert errors == ["this awaits something, and the server has no event loop to wait in"]

    def test_code_that_waits_again_and_again_is_given_up(self) -> None:
        async def stubborn() -> AsyncIterator[bytes]:
            while True:
                try:
                    await Waiting()
                except RuntimeError:
                    continue
                yield b""  # pragma: no cover

        bench = Bench(lambda res: res.stream(stubborn()))
        bench.kinds()
        assert "again and again" in str(bench.errors[0])

    def test_an_async_stream_that_awaits_nothing_is_stepped(self) -> None:
        async def numbers() -> AsyncIterator[str]:
            for number in range(3):
                yield str(number)

        bench = Bench(lambda res: res.stream(numbers()))
        assert bench.kinds() == ["Start", "Chunk", "Chunk", "Chunk", "End"]

    def test_an_async_iterator_need_not_be_iterable_itself(self) -> None:
        class Items:
            def __init__(self) -> None:
                self.left = [b"two", b"one"]

            async def __anext__(self) -> bytes:
                if not self.left:
                    raise StopAsyncIteration
                return self.left.pop()

        class Source:
            def __aiter__(self) -> Items:
                return Items()

        bench = Bench(lambda res: loose(res.stream)(Source()))
        assert b"".join(event.data for event in bench.serve() if type(event) is Chunk) == b"onetwo"

    def test_async_deferred_work_has_an_event_loop(self) -> None:
        ran: list[str] = []

        async def later(app: App) -> None:
            await asyncio.sleep(0)
            ran.append("later")

        bench = Bench(lambda res: res.defer(later))
        bench.kinds()
        assert ran == ["later"]


async def nothing() -> None:
    """Awaited, and at its end at once."""


class OnlySync:
    """A driver's own stream, by somebody who has forgotten that there are async ones."""

    def __init__(self, iterable: Iterable[object]) -> None:
        self._iterable = iterable
        self._iterator: Iterator[object] | None = None

    def next(self, timeout: float | None) -> object:
        if self._iterator is None:
            self._iterator = iter(self._iterable)
        return next(self._iterator)

    def close(self) -> None:
        pass


def only_sync(iterable: Iterable[object]) -> BlockingStream:
    return BlockingStream(iter(iterable))


@pytest.mark.parametrize("adopt", [OnlySync, only_sync])
def test_an_adopt_that_forgets_the_async_kind_gets_a_500_for_it_that_says_so(adopt: object) -> None:
    """A type error before (tests/typing/wrong_drivers.py)."""

    async def items() -> AsyncIterator[bytes]:
        yield b"one"

    bench = Bench(lambda res: res.stream(items()))
    [start, *_] = bench.serve(adopt=adopt)
    assert isinstance(start, Start)
    assert start.status == 500
    assert [str(error) for error in bench.errors] == ["'async_generator' object is not iterable"]


def test_what_is_refused_for_a_client_that_has_left_is_reported() -> None:
    errors: list[str] = []

    async def items() -> AsyncIterator[bytes]:
        yield b"one"

    app = App(on_error=lambda error, where: errors.append(where))
    runtime = system_runtime()
    response = app.response(runtime)
    response.stream(items())
    machine = Machine[Stream](response, Request[object]("GET", "/"), runtime, only_sync)  # type: ignore[arg-type]  # the mistake that is meant
    machine.disconnected()
    assert list(drive(machine, lambda calls: None)) == []
    assert errors == ["stream of GET '/'"]


def test_each_that_is_refused_is_reported() -> None:
    errors: list[str] = []

    async def items() -> AsyncIterator[bytes]:
        yield b"one"

    app = App(on_error=lambda error, where: errors.append(where))
    runtime = system_runtime()
    response = app.response(runtime)
    response.stream(items())
    response.stream(items())
    machine = Machine[Stream](response, Request[object]("GET", "/"), runtime, only_sync)  # type: ignore[arg-type]  # the mistake that is meant
    [start, *_] = drive(machine, lambda calls: None)
    assert isinstance(start, Start)
    assert start.status == 500
    assert errors == ["stream of GET '/'"] * 2


def test_the_end_of_the_process_in_an_error_page_ends_the_response_too() -> None:
    bench = Bench(lambda res: res.file("/there/is/no/such/file"))

    def page(req: Request, res: Response, ctx: Context) -> None:
        raise KeyboardInterrupt

    bench.app.errors(404, page)
    with pytest.raises(KeyboardInterrupt):
        list(serve(bench.app, Request("GET", "/"), system_runtime()))
    assert [outcome.kind for outcome in bench.outcomes] == ["disconnected"]


class Waiting:
    """What an event loop would have to be there for."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class TestDeferredWork:
    @pytest.mark.parametrize("error", [ValueError("a"), SystemExit(1), asyncio.CancelledError()])
    def test_a_call_that_raises_is_reported_and_the_next_one_runs(self, error: BaseException) -> None:
        ran: list[str] = []
        reports: list[tuple[BaseException, str]] = []

        def fail(app: App) -> None:
            raise error

        calls = [DeferredCall(fail, "always"), DeferredCall(lambda app: ran.append("next"), "always")]
        run_deferred(calls, App(), lambda error, where: reports.append((error, where)))
        assert ran == ["next"]
        assert [found for found, _ in reports] == [error]

    def test_a_call_that_is_interrupted_passes_on_and_the_rest_is_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def interrupt(app: App) -> None:
            raise KeyboardInterrupt

        calls = [DeferredCall(interrupt, "always"), DeferredCall(print, "always")]
        with pytest.raises(KeyboardInterrupt):
            run_deferred(calls, App(), lambda error, where: None)
        assert caplog.messages == ["deferred call print is lost: the process is being ended"]

    def test_a_server_with_an_event_loop_somewhere_awaits_what_is_async_itself(self) -> None:
        awaited: list[object] = []
        reports: list[BaseException] = []

        async def call(app: App) -> str:
            raise ValueError("awaited")

        def wait(awaitable: Awaitable[object]) -> None:
            awaited.append(awaitable)
            run_here(awaitable)

        run_deferred([DeferredCall(call, "always")], App(), lambda error, where: reports.append(error), wait)
        assert len(awaited) == 1
        assert [str(error) for error in reports] == ["awaited"]

    def test_the_apps_own_runner_is_given_the_calls(self) -> None:
        given: list[int] = []

        class Runner:
            def start(self, calls: Sequence[DeferredCall], app: object, /) -> None:
                given.append(len(calls))

        app = App(defer_runner=Runner())
        app.GET("/", lambda req, res, ctx: res.defer(print))
        list(serve(app, Request("GET", "/"), system_runtime()))
        assert given == [1]

    def test_a_runner_that_fails_is_reported_and_the_calls_are_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken:
            def start(self, calls: Sequence[DeferredCall], app: object, /) -> None:
                raise ConnectionError("no queue")

        app = App(defer_runner=Broken())
        app.GET("/", lambda req, res, ctx: res.defer(print))
        list(serve(app, Request("GET", "/"), system_runtime()))
        assert "deferred call print is lost: its runner has failed" in caplog.messages

    @pytest.mark.parametrize("error", [ConnectionError("no queue"), ValueError("no queue")])
    def test_what_a_server_raises_that_takes_the_calls_itself_is_raised(self, error: Exception) -> None:
        """Also an `OSError`, which is not the client's leaving here."""

        def broken(calls: Sequence[DeferredCall]) -> None:
            raise error

        with pytest.raises(type(error), match="no queue"):
            Bench(lambda res: None).kinds(defer=broken)

    def test_a_queue_that_takes_the_calls_may_be_empty(self) -> None:
        class Queue(list[DeferredCall]):
            def __call__(self, calls: Sequence[DeferredCall]) -> None:
                self.extend(calls)

        queue, bench = Queue(), Bench(lambda res: None)
        bench.kinds(defer=queue)
        assert (len(queue), bench.outcomes) == (1, [])

    def test_a_server_may_take_the_calls_itself(self) -> None:
        taken: list[DeferredCall] = []
        bench = Bench(lambda res: None)
        bench.kinds(defer=taken.extend)
        assert [call.when for call in taken] == ["always"]
        assert bench.outcomes == []


class TestLifespan:
    def test_an_app_without_one_is_checked(self) -> None:
        app = App()
        app.schema.POST("/nowhere", expects=dict[str, int])
        with pytest.raises(ValueError, match="no route for POST /nowhere"), enter_lifespan(app):
            pass

    @pytest.mark.parametrize("fails", [False, True])
    def test_a_sync_one_is_entered_and_left(self, fails: bool) -> None:
        notes: list[str] = []

        @contextmanager
        def lifespan(app: App) -> Generator[None]:
            notes.append("in")
            try:
                yield
            finally:
                notes.append("out")

        check_lifespan(App(lifespan=lifespan), notes, fails)

    @pytest.mark.parametrize("fails", [False, True])
    def test_an_async_one_that_awaits_nothing_is_entered_and_left(self, fails: bool) -> None:
        notes: list[str] = []

        @asynccontextmanager
        async def lifespan(app: App) -> AsyncGenerator[None]:
            notes.append("in")
            try:
                yield
            finally:
                notes.append("out")

        check_lifespan(App(lifespan=lifespan), notes, fails)

    def test_an_async_one_that_waits_is_refused(self) -> None:
        @asynccontextmanager
        async def lifespan(app: App) -> AsyncGenerator[None]:
            await Waiting()
            yield

        with pytest.raises(RuntimeError, match="no event loop to wait in"), enter_lifespan(App(lifespan=lifespan)):
            pass

    def test_an_async_one_may_swallow_an_error(self) -> None:
        @asynccontextmanager
        async def lifespan(app: App) -> AsyncGenerator[None]:
            try:
                yield
            except LookupError:
                pass

        with enter_lifespan(App(lifespan=lifespan)):
            raise LookupError


def check_lifespan(app: App, notes: list[str], fails: bool) -> None:
    if fails:
        with pytest.raises(LookupError), enter_lifespan(app):
            raise LookupError
    else:
        with enter_lifespan(app):
            assert notes == ["in"]
    assert notes == ["in", "out"]


class TestThreadStream:
    def test_a_step_that_takes_long_elapses_and_still_gives_its_item(self) -> None:
        go = threading.Event()

        def slow() -> Iterator[str]:
            go.wait(PATIENCE)
            yield "item"

        stream = ThreadStream(slow())
        for _ in range(2):
            with pytest.raises(Elapsed):
                stream.next(0.01)
        go.set()
        assert stream.next(PATIENCE) == "item"
        with pytest.raises(StopIteration):
            stream.next(PATIENCE)
        stream.close()

    def test_a_head_goes_out_before_the_first_item_and_heartbeats_follow(self) -> None:
        go = threading.Event()

        def slow() -> Iterator[str]:
            go.wait(PATIENCE)
            yield "item"

        bench = Bench(lambda res: res.stream(slow(), sse=True, head_timeout=0.01, heartbeat=0.01))
        serving = bench.serve(adopt=ThreadStream)
        assert type(next(serving)) is Start
        assert next(serving) == Chunk(b":\n\n")
        go.set()
        assert b"".join(event.data for event in serving if type(event) is Chunk).endswith(b"data: item\n\n")

    def test_all_steps_and_the_closing_are_in_one_thread_that_ends(self) -> None:
        threads: list[threading.Thread] = []

        def noting() -> Iterator[str]:
            try:
                for _ in range(3):
                    threads.append(threading.current_thread())
                    yield "item"
            finally:
                threads.append(threading.current_thread())

        stream = ThreadStream(noting())
        stream.next(PATIENCE)
        stream.next(PATIENCE)
        stream.close()
        assert len(threads) == 3
        assert len(set(threads)) == 1
        assert threads[0].daemon
        threads[0].join(PATIENCE)
        assert not threads[0].is_alive()

    def test_a_stream_that_never_started_is_closed_without_a_thread(self) -> None:
        before = threading.active_count()
        ThreadStream(iter("ab")).close()
        assert threading.active_count() == before

    def test_closing_waits_for_a_running_step(self) -> None:
        go, notes = threading.Event(), list[str]()

        def slow() -> Iterator[str]:
            try:
                go.wait(PATIENCE)
                yield "item"
            finally:
                notes.append("closed")

        stream = ThreadStream(slow())
        with pytest.raises(Elapsed):
            stream.next(0.01)
        threading.Timer(0.02, go.set).start()
        stream.close()
        assert notes == ["closed"]

    def test_closing_gives_up_a_step_that_does_not_return(self) -> None:
        go = threading.Event()

        def stuck() -> Iterator[str]:
            go.wait(PATIENCE)
            yield "item"

        stream = ThreadStream(stuck(), closing_limit=0.02)
        with pytest.raises(Elapsed):
            stream.next(0.01)
        with pytest.raises(TimeoutError, match=r"more than 0\.02 s"):
            stream.close()
        go.set()

    def test_what_a_step_under_way_raises_is_raised_by_closing(self) -> None:
        go = threading.Event()

        def failing() -> Iterator[str]:
            if go.wait(PATIENCE):
                raise LookupError("the step")
            yield "in vain"

        stream = ThreadStream(failing())
        with pytest.raises(Elapsed):
            stream.next(0.01)
        threading.Timer(0.02, go.set).start()
        with pytest.raises(LookupError, match="the step"):
            stream.close()

    def test_a_process_that_can_start_no_more_threads_closes_it_all_the_same(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        notes: list[str] = []
        stream = ThreadStream(Closable(notes))
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            stream.next(None)
        stream.close()
        assert notes == ["closed"]

    def test_a_timeout_may_be_longer_than_a_lock_can_wait(self) -> None:
        stream = ThreadStream(iter(["item"]))
        assert stream.next(1e10) == "item"
        stream.close()

    def test_what_closing_raises_is_raised(self) -> None:
        def failing() -> Iterator[str]:
            try:
                yield "item"
            finally:
                raise LookupError("closing")

        stream = ThreadStream(failing())
        stream.next(PATIENCE)
        with pytest.raises(LookupError, match="closing"):
            stream.close()


class Ending:
    """A server's own stream: one item, then the server shuts down."""

    def __init__(self, iterable: AnyIterable) -> None:
        self.stream = BlockingStream(iterable)
        self.taken = False

    def next(self, timeout: float | None) -> object:
        if self.taken:
            raise Interrupted
        self.taken = True
        return self.stream.next(timeout)

    def close(self) -> None:
        self.stream.close()


class TestShutdown:
    def test_a_stream_of_events_ends_in_order_with_its_last_event(self) -> None:
        notes: list[str] = []
        bench = Bench(lambda res: res.stream(items(notes), sse=True, at_shutdown="bye"))
        chunks = [event.data for event in bench.serve(adopt=Ending) if type(event) is Chunk]
        assert (chunks, notes) == ([b"data: one\n\n", b"data: bye\n\n"], ["closed"])
        assert [outcome.kind for outcome in bench.outcomes] == ["complete"]

    def test_any_other_is_broken_off(self) -> None:
        notes: list[str] = []
        bench = Bench(lambda res: res.stream(items(notes)))
        assert bench.kinds(adopt=Ending) == ["Start", "Chunk", "Reset"]
        assert notes == ["closed"]


class TestClosing:
    def test_an_iterator_that_has_nothing_left_is_closed_though_it_is_false(self) -> None:
        notes: list[str] = []

        class Rows:
            def __init__(self) -> None:
                self.left = ["row"]

            def __len__(self) -> int:
                return len(self.left)

            def __iter__(self) -> Iterator[str]:
                return self

            def __next__(self) -> str:
                if not self.left:
                    raise StopIteration
                return self.left.pop()

            def close(self) -> None:
                notes.append("rows")

        class Table:
            def __iter__(self) -> Iterator[str]:
                return Rows()

        stream = BlockingStream(Table())
        stream.next(None)
        stream.close()
        assert notes == ["rows"]

    def test_an_iterable_that_is_not_its_own_iterator_is_closed_too(self) -> None:
        """PEP 3333 asks for it, and whoever wrote its `close()` means it."""
        notes: list[str] = []

        class Table:
            def __iter__(self) -> Iterator[bytes]:
                return items(notes)

            def close(self) -> None:
                notes.append("table")

        stream = BlockingStream(Table())
        stream.next(None)
        stream.close()
        assert notes == ["closed", "table"]

    def test_an_async_iterable_is_closed(self) -> None:
        notes: list[str] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                notes.append("closed")

        stream = BlockingStream(numbers())
        assert stream.next(None) == 1
        stream.close()
        assert notes == ["closed"]


def test_observers_are_told_of_what_was_performed_and_of_the_outcome() -> None:
    told: list[str] = []

    def observe(req: Request, what: Event | Outcome) -> None:
        told.append(type(what).__name__)

    bench = Bench(lambda res: setattr(res, "body", "hello"))
    bench.app.on_event(observe)
    bench.kinds()
    assert told == ["Start", "Chunk", "End", "Deferred", "Outcome"]


def test_what_ends_the_process_in_an_observer_passes_on_when_everything_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"content")
    bench = Bench(lambda res: res.file(path))

    def observe(req: Request[object], what: Event | Outcome) -> None:
        if type(what) is FileRange:
            raise KeyboardInterrupt

    bench.app.on_event(observe)
    with pytest.raises(KeyboardInterrupt):
        bench.kinds()
    assert [outcome.kind for outcome in bench.outcomes] == ["disconnected"]
    open_files = {os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
    assert str(path) not in open_files
