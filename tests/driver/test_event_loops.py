"""One engine in several event loops, one after the other, and in loops of another make."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaven_core import Context, Request, Response
from heaven_driver.engine import Engine
from tests.driver.memory import Call
from tests.driver.witness import Witness


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def test_heartbeats_come_in_each_event_loop_of_a_thread(witness: Witness) -> None:
    """One that has ended before its heartbeat was due leaves nothing behind that the next one could wait for."""

    async def items() -> AsyncIterator[object]:
        yield "one"
        await asyncio.sleep(60)

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True, heartbeat=0.05)

    witness.app.GET("/own", handler)
    engine = Engine(witness.app)

    async def beat(count: int) -> None:
        call = Call(engine, "/own")
        task = asyncio.create_task(call.run())
        await call.until_sent(2 + count)
        task.cancel()
        await asyncio.wait({task})

    for count in (0, 1, 0, 2):
        asyncio.run(beat(count))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
def test_heartbeats_come_where_tasks_are_eager(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        yield "one"
        yield "two"
        await asyncio.sleep(60)

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True, heartbeat=0.05)

    witness.app.GET("/own", handler)

    async def beat() -> None:
        if sys.version_info >= (3, 12):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        call = Call(Engine(witness.app), "/own")
        task = asyncio.create_task(call.run())
        await call.until_sent(5)
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(beat())


def test_an_event_loop_that_is_gone_leaves_nothing_behind(witness: Witness) -> None:
    engine = Engine(witness.app)

    async def stream() -> weakref.ref[asyncio.AbstractEventLoop]:
        await Call(engine, "/stream").run()
        return weakref.ref(asyncio.get_running_loop())

    loops = [asyncio.run(stream()) for _ in range(3)]
    gc.collect()
    assert [loop() for loop in loops] == [None, None, None]
