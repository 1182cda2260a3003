"""Hooks and handler that take longer than the server lets them."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from heaven_core import App, Context, HandlerTimeout, Request, Response
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio

SHORT = 0.05


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


async def run(app: App, handler_time: float | None = SHORT) -> Call:
    call = Call(Engine(app, handler_time=handler_time), "/own")
    with anyio.fail_after(PATIENCE):
        await call.run()
    return call


async def test_a_handler_that_takes_too_long_is_cancelled_and_a_503(witness: Witness) -> None:
    """It is a failure: reported, what the before-hooks set stays, and only the deferred work for failures runs."""
    notes: list[str] = []

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Handler", "set"
        res.defer(lambda app: notes.append("always"))
        res.defer(lambda app: notes.append("failed"), "failed")
        try:
            await anyio.sleep_forever()
        finally:
            notes.append("cancelled")

    def before(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Hook", "set"

    witness.app.before("*", before)
    witness.app.GET("/own", handler)
    call = await run(witness.app)
    fields = dict(call.answer.fields)
    assert (call.answer.status, call.answer.body) == (503, b"503 Service Unavailable\n")
    assert (fields[b"x-hook"], fields[b"cache-control"]) == (b"set", b"no-store")
    assert b"x-handler" not in fields
    assert notes == ["cancelled", "failed"]
    assert [type(error) for error in witness.errors] == [HandlerTimeout]
    assert (witness.outcome, witness.outcomes[0].status) == ("failed", 503)


async def test_it_has_a_page_of_its_own() -> None:
    app = App(on_error=lambda error, where: None)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        await anyio.sleep_forever()

    def page(req: Request, res: Response, ctx: Context) -> None:
        res.body = "busy"

    app.GET("/own", handler)
    app.errors(HandlerTimeout, page)
    call = await run(app)
    assert (call.answer.status, call.answer.body) == (503, b"busy")


async def test_a_stream_that_was_set_is_closed() -> None:
    closed: list[bool] = []
    app = App(on_error=lambda error, where: None)

    class Items:
        def __iter__(self) -> Items:
            return self

        def __next__(self) -> bytes:
            raise StopIteration

        def close(self) -> None:
            closed.append(True)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(Items())
        await anyio.sleep_forever()

    app.GET("/own", handler)
    call = await run(app)
    assert (call.answer.status, closed) == (503, [True])


async def test_what_abort_has_sealed_goes_out() -> None:
    """The handler has swallowed the abort, and waits."""
    app = App(on_error=lambda error, where: None)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.status = 409
            res.abort("no")
        except BaseException:
            await anyio.sleep_forever()

    app.GET("/own", handler)
    call = await run(app)
    assert (call.answer.status, call.answer.body) == (409, b"no")


async def test_a_handler_in_time_and_a_long_stream_are_left_alone(witness: Witness) -> None:
    """The limit is for hooks and handler; a stream has its own deadlines."""

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[str]:
            for number in range(3):
                yield f"{number}"
                await anyio.sleep(SHORT)

        res.stream(items())

    witness.app.GET("/own", handler)
    call = await run(witness.app)
    assert (call.answer.body, call.answer.whole) == (b"012", True)


async def test_what_runs_in_a_thread_has_all_the_time_it_takes() -> None:
    app = App()

    def handler(req: Request, res: Response, ctx: Context) -> None:
        time.sleep(2 * SHORT)
        res.body = "late"

    app.GET("/own", handler, thread=True)
    call = await run(app)
    assert (call.answer.status, call.answer.body) == (200, b"late")


async def test_what_comes_after_it_does_not() -> None:
    app = App(on_error=lambda error, where: None)

    def handler(req: Request, res: Response, ctx: Context) -> None:
        time.sleep(2 * SHORT)

    async def after(req: Request, res: Response, ctx: Context) -> None:
        await anyio.sleep_forever()

    app.GET("/own", handler, thread=True)
    app.after("*", after)
    assert (await run(app)).answer.status == 503


async def test_the_time_that_a_handler_waits_for_a_thread_counts() -> None:
    app = App(on_error=lambda error, where: None)
    go = threading.Event()

    def handler(req: Request, res: Response, ctx: Context) -> None:
        begun.set()
        go.wait(PATIENCE)

    begun = threading.Event()
    app.GET("/own", handler, thread=True)
    engine = Engine(app, handler_time=SHORT, max_handler_threads=1)
    first, second = Call(engine, "/own"), Call(engine, "/own")
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(first.run)
            while not begun.is_set():
                await anyio.sleep(0.001)
            await second.run()
            go.set()
    assert (first.answer.status, second.answer.status) == (200, 503)
