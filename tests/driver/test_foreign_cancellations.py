"""SPEC 2, "A handler or hook that fails": so does one that awaits something which somebody has cancelled.

It is asyncio's matter: on trio nobody but a scope round it cancels a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaven_core import App, Context, Request, Response
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call
from tests.driver.witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


async def await_what_is_cancelled(req: Request, res: Response, ctx: Context) -> None:
    helper = asyncio.create_task(asyncio.sleep(1000))
    helper.cancel()
    await helper


def note(res: Response, calls: list[str]) -> None:
    res.defer(lambda app: calls.append("always"))
    res.defer(lambda app: calls.append("failed"), "failed")


async def run(app: App, path: str = "/own") -> Call:
    call = Call(Engine(app), path)
    async with asyncio.timeout(PATIENCE):
        await call.run()
    return call


def causes(witness: Witness) -> list[type]:
    return [type(error.__cause__) for error in witness.errors]


async def test_it_is_a_500_of_ours_with_the_fields_of_the_hooks(witness: Witness) -> None:
    calls: list[str] = []

    def before(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Hook", "set"

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Handler", "set"
        note(res, calls)
        await await_what_is_cancelled(req, res, ctx)

    witness.app.before("*", before)
    witness.app.GET("/own", handler)
    call = await run(witness.app)
    fields = dict(call.answer.fields)
    assert (call.answer.status, call.answer.body) == (500, b"500 Internal Server Error\n")
    assert (fields[b"x-hook"], fields[b"cache-control"]) == (b"set", b"no-store")
    assert b"x-handler" not in fields
    assert calls == ["failed"]
    assert witness.outcome == "failed"
    assert [str(error) for error in witness.errors] == ["hooks or handler awaited something that was cancelled"]
    assert causes(witness) == [asyncio.CancelledError]


@pytest.mark.parametrize("place", ["before", "after"])
async def test_so_it_is_in_a_hook(witness: Witness, place: str) -> None:
    register = witness.app.before if place == "before" else witness.app.after
    register("/own", await_what_is_cancelled)
    witness.app.GET("/own", lambda req, res, ctx: None)
    call = await run(witness.app)
    assert call.answer.status == 500
    assert causes(witness) == [asyncio.CancelledError]


async def test_so_it_is_in_an_error_page(witness: Witness) -> None:
    witness.app.errors(404, await_what_is_cancelled)
    call = await run(witness.app, "/nowhere")
    assert call.answer.status == 500
    assert causes(witness)[0] is asyncio.CancelledError


async def test_an_error_page_shows_it_as_a_500(witness: Witness) -> None:
    def page(req: Request, res: Response, ctx: Context) -> None:
        res.body = "sorry"

    witness.app.errors(500, page)
    witness.app.GET("/own", await_what_is_cancelled)
    call = await run(witness.app)
    assert (call.answer.status, call.answer.body) == (500, b"sorry")


async def test_what_was_aborted_goes_out_all_the_same(witness: Witness) -> None:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        try:
            res.abort("stopped")
        finally:
            await await_what_is_cancelled(req, res, ctx)

    witness.app.GET("/own", handler)
    call = await run(witness.app)
    assert call.answer.body == b"stopped"
    assert causes(witness) == [asyncio.CancelledError]


async def test_so_it_is_in_the_first_step_of_a_stream(witness: Witness) -> None:
    async def items() -> AsyncIterator[bytes]:
        await await_what_is_cancelled(Request("GET", "/"), Response(), Context())
        yield b"never"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items())

    witness.app.GET("/own", handler)
    call = await run(witness.app)
    assert call.answer.status == 500
    assert witness.outcome == "failed"


async def test_a_cancellation_of_the_request_is_none(witness: Witness) -> None:
    waiting = asyncio.Event()

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        waiting.set()
        await asyncio.sleep(1000)

    witness.app.GET("/own", handler)
    call = Call(Engine(witness.app), "/own")
    task = asyncio.create_task(call.run())
    async with asyncio.timeout(PATIENCE):
        await waiting.wait()
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()
    assert call.sent == []
    assert (witness.outcome, witness.errors) == ("disconnected", [])


async def test_one_that_ends_a_helper_is_still_the_requests(witness: Witness) -> None:
    """A handler that is cancelled while it awaits a task cancels that, too."""
    waiting = asyncio.Event()

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        helper = asyncio.create_task(asyncio.sleep(1000))
        waiting.set()
        await helper

    witness.app.GET("/own", handler)
    task = asyncio.create_task(Call(Engine(witness.app), "/own").run())
    async with asyncio.timeout(PATIENCE):
        await waiting.wait()
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()
    assert witness.errors == []
