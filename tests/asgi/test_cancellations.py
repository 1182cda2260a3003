"""Cancellations on asyncio: whose they are, what they may hold up, and that nothing is lost by them."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from typing_extensions import override

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App, Context, Request, Response
from tests.asgi.life import Life
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.asgi.witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

OPENED: list[str] = []


def _note_opening(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | bytes):
        name = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
        OPENED.append(name.rpartition("/")[2])


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def call_of(
    witness: Witness, items: Callable[[], AsyncIterator[object]], heartbeat: float | None = None, limit: float = 5.0
) -> Call:
    """A call of a route with this stream of events."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True, heartbeat=heartbeat)

    witness.app.GET("/own", handler)
    return Call(ASGIAdapter(witness.app, closing_limit=limit), scope_of(path="/own"))


async def until_cancelled(task: asyncio.Task[None]) -> None:
    """Wait without passing a timeout's cancellation on to it, which would end what hangs."""
    await asyncio.wait({task}, timeout=PATIENCE)
    assert task.cancelled()


async def cancel_a_helper() -> None:
    """What many a `finally` does, and what raises CancelledError in a task that nobody has cancelled."""
    helper = asyncio.create_task(asyncio.sleep(1000))
    await asyncio.sleep(0)
    helper.cancel()
    await helper


async def test_a_finally_that_cancels_a_helper_loses_nothing(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
            yield object()  # no item of an event stream
        finally:
            await cancel_a_helper()

    call = call_of(witness, items)
    async with asyncio.timeout(PATIENCE):
        await call.run()
    assert not call.answer.whole
    assert witness.outcome == "failed"
    assert [type(error) for error in witness.errors] == [TypeError, asyncio.CancelledError]


async def test_neither_when_the_server_cancels_the_request_at_a_yield(witness: Witness) -> None:
    blocked = asyncio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
        finally:
            await cancel_a_helper()

    async def at_send(number: int, message: Message) -> None:
        if number == 1:
            blocked.set()
            await asyncio.sleep(1000)

    call = call_of(witness, items)
    call.at_send = at_send
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        await blocked.wait()
        task.cancel()
        await until_cancelled(task)
    assert witness.outcome == "disconnected"


async def test_a_group_that_a_generator_raises_when_it_is_closed_is_reported(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
            yield object()
        except GeneratorExit as leaving:
            raise BaseExceptionGroup("closing", [ValueError("in the group"), leaving]) from None

    call = call_of(witness, items)
    async with asyncio.timeout(PATIENCE):
        await call.run()
    assert witness.outcome == "failed"
    assert [type(error) for error in witness.errors] == [TypeError, BaseExceptionGroup]


async def test_a_slow_client_under_a_heartbeat_does_not_hold_up_a_cancellation(witness: Witness) -> None:
    blocked = asyncio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
            await asyncio.sleep(1000)
        finally:
            witness.notes.append("closed")

    async def at_send(number: int, message: Message) -> None:
        if number == 2:  # the heartbeat
            blocked.set()
            await asyncio.sleep(1000)

    call = call_of(witness, items, heartbeat=0.001)
    call.at_send = at_send
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        await blocked.wait()
        task.cancel()
        await until_cancelled(task)
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


async def test_a_finally_that_hangs_after_the_client_has_left_is_given_up(witness: Witness) -> None:
    """Also where the generator was inside an await, and not at a yield."""
    waiting = asyncio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
            waiting.set()
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1000)

    call = call_of(witness, items, limit=0.01)
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        await waiting.wait()
        call.leave()
        await task
        assert task.cancelling() == 0
    assert witness.outcome == "disconnected"
    assert [type(error) for error in witness.errors] == [TimeoutError]


async def test_a_cancelled_open_is_not_done_a_second_time(witness: Witness) -> None:
    (witness.directory / "opened-once.txt").write_text("hello")
    sys.addaudithook(_note_opening)  # it can't be taken away again; it only takes note

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.file("opened-once.txt", within=witness.directory)

    witness.app.GET("/own", handler)
    task = asyncio.create_task(Call(ASGIAdapter(witness.app), scope_of(path="/own")).run())
    await asyncio.sleep(0)
    task.cancel()
    await until_cancelled(task)
    async with asyncio.timeout(PATIENCE):
        while "opened-once.txt" not in OPENED or witness.open_files:
            await asyncio.sleep(0)
    assert OPENED.count("opened-once.txt") == 1
    assert witness.outcome == "disconnected"


@pytest.mark.parametrize("name", ["file", "stream"])
async def test_a_cancellation_while_something_is_closed_loses_nothing(name: str, witness: Witness) -> None:
    (witness.directory / "small.txt").write_text("hello")
    life = Life(witness.app)
    running = asyncio.create_task(life.run())
    await life.started.wait()
    call = Call(life.adapter, scope_of(path=f"/{name}"))
    task = asyncio.create_task(call.run())

    async def at_send(number: int, message: Message) -> None:
        if not message.get("more_body", True):
            asyncio.get_running_loop().call_soon(task.cancel)

    call.at_send = at_send
    await asyncio.wait({task}, timeout=PATIENCE)
    life.shut_down()
    await asyncio.wait({running}, timeout=PATIENCE)
    assert call.answer.whole
    async with asyncio.timeout(PATIENCE):
        while witness.open_files:  # the closing goes on, though nobody waits for it any more
            await asyncio.sleep(0.001)
    assert witness.notes[-2:] == ["always", "complete"]
    assert witness.errors == []


async def test_a_second_cancellation_while_a_file_is_closed_loses_nothing(witness: Witness) -> None:
    """The closing waits for a read that the first one has left behind, and is left to itself."""
    reading, go = threading.Event(), threading.Event()

    class Slow(BytesIO):
        @override
        def read(self, size: int | None = -1, /) -> bytes:
            reading.set()
            go.wait(PATIENCE)
            return super().read(size)

    file = Slow(b"hello")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.file(file)
        res.defer(lambda app: witness.notes.append("deferred"))

    witness.app.GET("/own", handler)
    task = asyncio.create_task(Call(ASGIAdapter(witness.app), scope_of(path="/own")).run())
    async with asyncio.timeout(PATIENCE):
        while not reading.is_set():
            await asyncio.sleep(0.001)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.01)
    go.set()
    await until_cancelled(task)
    assert witness.notes == ["deferred"]
    assert file.closed
    assert witness.outcome == "disconnected"


async def test_a_timeout_round_a_yield_is_the_streams_own_failure(witness: Witness) -> None:
    """Its cancellation comes while the item is being sent, and is taken back when the stream is closed."""

    async def items() -> AsyncIterator[object]:
        async with asyncio.timeout(0.001):
            yield b"one"

    async def at_send(number: int, message: Message) -> None:
        if number == 1:
            await asyncio.sleep(1000)

    call = call_of(witness, items)
    call.at_send = at_send
    async with asyncio.timeout(PATIENCE):
        await call.run()
    assert not call.answer.whole
    assert "cancelled by itself between two items" in str(witness.errors[-1])
    assert len(witness.outcomes) == 1


async def test_a_reader_that_began_before_the_watch_does_not_take_its_news(witness: Witness) -> None:
    reading: list[asyncio.Task[list[bytes]]] = []

    async def read(req: Request) -> list[bytes]:
        return [piece async for piece in req.stream()]

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        reading.append(asyncio.create_task(read(req)))
        await asyncio.sleep(0)  # it waits for the first piece now

        async def items() -> AsyncIterator[object]:
            yield b"one"
            await asyncio.sleep(1000)

        res.stream(items())

    witness.app.POST("/own", handler, stream=True)
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/own", [("transfer-encoding", "chunked")]), [])
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        await call.until_sent(2)
        call.leave()
        await task
        with pytest.raises(ConnectionError):
            await reading[0]
    assert witness.outcome == "disconnected"
    assert len(call.received) == 1


async def test_a_reader_elsewhere_is_not_left_waiting_when_receive_fails(witness: Witness) -> None:
    readers: list[asyncio.Task[None]] = []

    async def read(req: Request) -> None:
        async for _ in req.stream():
            pass

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            yield b"one"
            readers.append(asyncio.create_task(read(req)))
            await asyncio.sleep(1000)

        res.stream(items())

    failing = asyncio.Event()

    async def at_receive() -> None:
        await failing.wait()
        raise RuntimeError("receive")

    witness.app.POST("/own", handler, stream=True)
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/own", [("transfer-encoding", "chunked")]), [])
    call.at_receive = at_receive
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        while not readers:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # it waits for what the watch receives
        failing.set()
        await task
    assert witness.outcome == "disconnected"
    done, _ = await asyncio.wait(readers, timeout=PATIENCE)
    assert [type(reader.exception()) for reader in done] == [RuntimeError]


async def test_a_reader_that_has_stopped_does_not_hide_that_the_client_leaves(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heaven_asgi.inbox._READER_LIMIT", 0.01)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            async for piece in req.stream():
                yield piece
                break
            await asyncio.sleep(1000)

        res.stream(items())

    witness.app.POST("/own", handler, stream=True)
    piece: Message = {"type": "http.request", "body": b"x" * 50_000, "more_body": True}
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/own", [("transfer-encoding", "chunked")]), [piece] * 5)
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        await call.until_sent(2)
        call.leave()
        await task
    assert witness.outcome == "disconnected"


async def test_a_leaving_that_a_task_group_of_the_handler_finds_is_no_failure(witness: Witness) -> None:
    async def read(req: Request) -> None:
        async for _ in req.stream():
            pass

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(req))

    witness.app.POST("/own", handler, stream=True)
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/own", [("transfer-encoding", "chunked")]), [])
    call.leave()
    async with asyncio.timeout(PATIENCE):
        await call.run()
    assert (call.sent, witness.errors, witness.outcome) == ([], [], "disconnected")


@pytest.mark.parametrize("error", [SystemExit("no DATABASE_URL"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_a_startup_that_ends_in_no_exception_is_reported_as_failed(error: BaseException) -> None:
    """uvicorn takes a lifespan that only raises for one that is not supported, and serves."""
    heard: list[BaseException] = []
    sent: list[Message] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        if app.peek("database") is None:
            raise error
        yield

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = App(lifespan=lifespan, on_error=lambda error, where: heard.append(error))
    serving = ASGIAdapter(app)({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    if isinstance(error, asyncio.CancelledError):  # of something that the startup has awaited
        await serving
    else:
        with pytest.raises(type(error)):
            await serving
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert heard == [error]


async def test_what_fails_inside_the_lifespan_is_named_and_not_its_group() -> None:
    heard: list[BaseException] = []
    calls: list[str] = []

    async def receive() -> Message:
        calls.append("receive")
        if calls.count("receive") == 2:
            raise LookupError("receive")
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        calls.append(message["type"])

    app = App(on_error=lambda error, where: heard.append(error))
    await ASGIAdapter(app)({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert [type(error) for error in heard] == [LookupError]


async def test_deferred_work_stays_on_the_event_loop_of_its_request() -> None:
    """One adapter may serve on several loops, and only one of them need have a lifespan."""
    started, ending = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    async def note(app: App) -> None:
        for _ in range(5):
            await asyncio.sleep(0)  # a task of its own would be lost with its loop by now
        ran.append(threading.get_ident())

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(note)

    async def receive() -> Message:
        if started.is_set():
            await ending.wait()
        return {"type": "lifespan"}

    async def send(message: Message) -> None:
        started.set()

    app = App()
    app.GET("/", handler)
    adapter = ASGIAdapter(app)
    life = asyncio.create_task(adapter({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
    await started.wait()

    def elsewhere() -> int:
        asyncio.run(Call(adapter, scope_of()).run())
        return threading.get_ident()

    other = await asyncio.to_thread(elsewhere)
    assert ran == [other]
    ending.set()
    await life


async def test_a_stream_leaves_nothing_that_only_the_collector_can_free() -> None:
    async def items() -> AsyncIterator[object]:
        yield b"one"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True)

    app = App()
    app.GET("/own", handler)
    call = Call(ASGIAdapter(app), scope_of(path="/own"))
    left = weakref.ref(call)  # whose receive() the adapter held
    gc.collect()
    gc.disable()
    try:
        await call.run()
        del call
        for _ in range(3):
            await asyncio.sleep(0)  # the watch ends in a step of its own
        assert left() is None
    finally:
        gc.enable()


async def test_a_coroutine_that_is_thrown_away_awaits_nothing_more(witness: Witness) -> None:
    class Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        await Never()

    witness.app.GET("/own", handler)
    call = Call(ASGIAdapter(witness.app), scope_of(path="/own"))
    coroutine = call.run()
    coroutine.send(None)
    coroutine.close()
