"""SPEC 4, under ASGI: a client that takes nothing for `send_timeout` is gone, whatever it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App, Context, Request, Response
from heaven_io.files import READ_SIZE
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio

SHORT: Final = 0.2

# How many messages each takes.
MESSAGES: Final = {"text": 2, "stream": 4, "sync-stream": 4, "events": 4, "file": 3, "large-file": 5}
STREAMS: Final = {"stream", "sync-stream", "events"}
STEPS: Final = [(name, step) for name, count in MESSAGES.items() for step in range(count)]
PIECES: Final = 3
LARGE: Final = bytes(READ_SIZE) + b"x" * READ_SIZE + b"end"


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    (tmp_path / "small.txt").write_bytes(b"small")
    (tmp_path / "large.bin").write_bytes(b"x" * (2 * READ_SIZE + 1))
    return Witness(tmp_path)


def held_up_at(step: int, call: Call) -> Call:
    """The client of `call` takes nothing from this message on."""

    async def hold(number: int, message: Message) -> None:
        if number == step:
            await anyio.sleep_forever()

    call.at_send = hold
    return call


@pytest.mark.parametrize(("name", "step"), STEPS)
async def test_each_message_has_an_end(name: str, step: int, witness: Witness) -> None:
    """Generators and files are closed, deferred work runs, and it is nobody's error."""
    call = held_up_at(step, Call(ASGIAdapter(witness.app, send_timeout=SHORT), scope_of(path=f"/{name}")))
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert len(call.sent) == step
    assert witness.outcome == "disconnected"
    assert witness.notes == (["closed", "always"] if name in STREAMS else ["always"])
    assert witness.errors == []
    assert witness.open_files == []


@pytest.mark.parametrize("step", [0, 1])
async def test_also_of_a_small_response_that_is_not_the_first(step: int, witness: Witness) -> None:
    """Its messages are sent by hand."""
    adapter = ASGIAdapter(witness.app, send_timeout=SHORT)
    await Call(adapter, scope_of(path="/text")).run()
    call = held_up_at(step, Call(adapter, scope_of(path="/text")))
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert [outcome.kind for outcome in witness.outcomes] == ["complete", "disconnected"]


@pytest.mark.parametrize("step", [1, 2])
async def test_what_waits_beside_the_stream_has_an_end(step: int) -> None:
    """The head and the heartbeats of events that nobody yields."""
    closed: list[str] = []

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[str]:
            try:
                await anyio.sleep_forever()
                yield ""
            finally:
                closed.append("closed")

        res.stream(items(), sse=True, heartbeat=0.01)
        res.defer(lambda app: closed.append(res.outcome.kind if res.outcome else ""))

    app = App()
    app.GET("/", handler)
    call = held_up_at(step, Call(ASGIAdapter(app, send_timeout=SHORT), scope_of()))
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert closed == ["closed", "disconnected"]


def large(kind: str) -> App:
    """A body of three pieces, in one."""
    app = App()

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            yield LARGE

        if kind == "buffered":
            res.body = LARGE
        else:
            res.stream(items())

    app.GET("/", handler)
    return app


@pytest.mark.parametrize("kind", ["buffered", "streamed"])
async def test_what_is_large_goes_in_pieces(kind: str) -> None:
    """So that a slow client need not take all of it within the time."""
    call = Call(ASGIAdapter(large(kind)), scope_of())
    await call.run()
    sizes = [len(message["body"]) for message in call.sent if message["type"] == "http.response.body"]
    assert sizes[:PIECES] == [READ_SIZE, READ_SIZE, 3]
    assert call.answer.body == LARGE
    assert call.answer.whole


@pytest.mark.parametrize("kind", ["buffered", "streamed"])
async def test_a_piece_that_is_not_taken_is_the_last(kind: str) -> None:
    call = held_up_at(2, Call(ASGIAdapter(large(kind), send_timeout=SHORT), scope_of()))
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert len(call.sent) == 2
    assert not call.answer.whole


async def test_what_is_not_large_is_one_message() -> None:
    app = App()
    app.GET("/", lambda req, res, ctx: setattr(res, "body", bytes(READ_SIZE)))
    call = Call(ASGIAdapter(app), scope_of())
    await call.run()
    assert len(call.sent) == 2


@pytest.mark.parametrize("none", [None, float("inf")])
async def test_there_may_be_none(none: float | None) -> None:
    """Then a client may take as long as it likes."""
    app = App()
    app.GET("/", lambda req, res, ctx: setattr(res, "body", "text"))
    room = anyio.Event()

    async def hold(number: int, message: Message) -> None:
        await room.wait()

    call = Call(ASGIAdapter(app, send_timeout=none), scope_of())
    call.at_send = hold
    async with anyio.create_task_group() as group:
        group.start_soon(call.run)
        await anyio.sleep(0)
        room.set()
    assert call.answer.whole
