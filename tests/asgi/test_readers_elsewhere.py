"""A request that is read in another task than that of its response, on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import Context, Request, Response
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.driver.witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

OPENED: list[str] = []


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


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
