"""Cancellations on asyncio: whose they are, what they may hold up, and that nothing is lost by them."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from typing_extensions import override

from heaven_core import App, Context, Request, Response
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call, Living, Sent
from tests.driver.witness import Witness

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
    return Call(Engine(witness.app, closing_limit=limit), "/own")


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


async def test_a_finally_that_cancels_a_helper_loses_no_cancellation_by_the_server(witness: Witness) -> None:
    blocked = asyncio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
        finally:
            await cancel_a_helper()

    async def at_send(number: int, sent: Sent) -> None:
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


@pytest.mark.parametrize("clings", [1, 3])
async def test_a_finally_has_its_limit_also_where_somebody_else_has_cancelled_the_request(
    witness: Witness, clings: int
) -> None:
    waiting = asyncio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
            waiting.set()
            await asyncio.sleep(1000)
        finally:
            for _ in range(clings - 1):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(1000)
            await asyncio.sleep(1000)

    call = call_of(witness, items, limit=0.02)
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        await waiting.wait()
        task.cancel()
        await until_cancelled(task)
    assert witness.outcome == "disconnected"
    assert [str(error) for error in witness.errors] == ["closing it took more than 0.02 s and was given up"]


async def test_a_finally_that_ends_in_time_is_not_hurried_though_the_request_was_cancelled(witness: Witness) -> None:
    waiting = asyncio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
            waiting.set()
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.02)
            witness.notes.append("closed")

    call = call_of(witness, items, limit=PATIENCE)
    async with asyncio.timeout(PATIENCE):
        task = asyncio.create_task(call.run())
        await waiting.wait()
        task.cancel()
        await until_cancelled(task)
    assert (witness.notes, witness.errors) == (["closed"], [])


async def test_what_a_timeout_in_the_stream_has_cancelled_has_the_same_limit(witness: Witness) -> None:
    """asyncio counts the cancellations of a task, and does not tell whose they are."""

    async def items() -> AsyncIterator[object]:
        yield b"one"
        async with asyncio.timeout(0):
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(1000)

    call = call_of(witness, items, limit=0.02)
    async with asyncio.timeout(PATIENCE):
        await call.run()
    assert witness.outcome == "failed"
    assert [str(error) for error in witness.errors] == [
        "what a timeout or task group in the stream had cancelled took more than 0.02 s to close, and was given up"
    ]


async def test_a_timeout_in_the_stream_that_ends_in_time_is_not_hurried(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        yield b"one"
        for _ in range(20):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    try:
                        await asyncio.sleep(1000)
                    finally:
                        await asyncio.sleep(0)
        yield b"two"

    call = call_of(witness, items, limit=0.1)
    async with asyncio.timeout(PATIENCE):
        await call.run()
    assert (witness.outcome, witness.errors) == ("complete", [])


async def test_a_slow_client_under_a_heartbeat_does_not_hold_up_a_cancellation(witness: Witness) -> None:
    blocked = asyncio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield b"one"
            await asyncio.sleep(1000)
        finally:
            witness.notes.append("closed")

    async def at_send(number: int, sent: Sent) -> None:
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
    task = asyncio.create_task(Call(Engine(witness.app), "/own").run())
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
    life = Living(Engine(witness.app))
    running = asyncio.create_task(life.run())
    await life.started.wait()
    call = Call(life.engine, f"/{name}")
    task = asyncio.create_task(call.run())

    async def at_send(number: int, sent: Sent) -> None:
        if sent.ended:
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
    task = asyncio.create_task(Call(Engine(witness.app), "/own").run())
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

    async def at_send(number: int, sent: Sent) -> None:
        if number == 1:
            await asyncio.sleep(1000)

    call = call_of(witness, items)
    call.at_send = at_send
    async with asyncio.timeout(PATIENCE):
        await call.run()
    assert not call.answer.whole
    assert "cancelled by itself between two items" in str(witness.errors[-1])
    assert len(witness.outcomes) == 1


async def test_a_stream_leaves_nothing_that_only_the_collector_can_free() -> None:
    async def items() -> AsyncIterator[object]:
        yield b"one"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True)

    app = App()
    app.GET("/own", handler)
    call = Call(Engine(app), "/own")
    left = weakref.ref(call)  # the wire and peer that the driver held
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
    call = Call(Engine(witness.app), "/own")
    coroutine = call.run()
    coroutine.send(None)
    coroutine.close()
