"""A request that is read while it is answered: what reads it and the watch for its client share one `receive`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App, ClientDisconnected, Context, Request, Response
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


# A request that is read while it is answered


def echo(app: App, prelude: bool) -> None:
    """Answers with what it reads, while it reads it."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            if prelude:
                yield b"<"
                await anyio.wait_all_tasks_blocked()  # the watch for the client has begun
            async for piece in req.stream():
                yield piece.upper()

        res.stream(items())

    app.POST("/echo", handler, stream=True)


def pieces(*texts: bytes, ends: bool = True) -> list[Message]:
    messages: list[Message] = [{"type": "http.request", "body": text, "more_body": True} for text in texts]
    return [*messages, {"type": "http.request", "body": b"", "more_body": False}] if ends else messages


UPLOAD = [("transfer-encoding", "chunked")]


@pytest.mark.parametrize("prelude", [False, True])
async def test_a_stream_may_read_the_request(prelude: bool, witness: Witness) -> None:
    """The watch for the client's leaving takes nothing away from it."""
    echo(witness.app, prelude)
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/echo", UPLOAD), pieces(b"a", b"b", b"c"))
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert (call.answer.body, call.answer.whole) == (b"<"[:prelude] + b"ABC", True)
    assert witness.outcome == "complete"


@pytest.mark.parametrize("prelude", [False, True])
async def test_a_stream_that_reads_the_request_learns_that_the_client_has_left(prelude: bool, witness: Witness) -> None:
    echo(witness.app, prelude)
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/echo", UPLOAD), pieces(b"a", b"b", ends=False))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(3 + prelude)
            call.leave()
    assert not call.answer.whole
    assert witness.outcome == "disconnected"
    assert witness.errors == []


async def test_a_body_that_nobody_reads_hides_no_leaving(witness: Witness) -> None:
    """However much of it there is."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await anyio.sleep_forever()
            finally:
                witness.notes.append("closed")

        res.stream(items())

    witness.app.POST("/unread", handler, stream=True)
    call = Call(
        ASGIAdapter(witness.app), scope_of("POST", "/unread", UPLOAD), pieces(*[b"x" * 50_000] * 10, ends=False)
    )
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            call.leave()
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


async def test_no_more_is_read_ahead_than_a_little(witness: Witness) -> None:
    """A reader that is slower than its client gets all of it, and the rest stays with the server meanwhile."""
    size = 50_000
    behind: list[int] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[str]:
            taken = 0
            async for piece in req.stream():
                taken += 1
                await anyio.wait_all_tasks_blocked()  # the watch goes as far as it likes
                behind.append(len(call.received) - taken)
                yield f"{len(piece)} "

        res.stream(items())

    witness.app.POST("/slow", handler, stream=True)
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/slow", UPLOAD), pieces(*[b"x" * size] * 10))
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.body == f"{size} ".encode() * 10
    assert max(behind) == 2  # of 50,000 bytes: the watch stops when it is 64 KiB ahead
    assert witness.outcome == "complete"


async def test_a_body_that_was_dropped_does_not_look_like_one_that_has_ended(witness: Witness) -> None:
    """Who begins to read too late is told so."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            yield b"first"
            await witness.go.wait()
            async for piece in req.stream():
                yield piece

        res.stream(items())

    witness.app.POST("/late", handler, stream=True)
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/late", UPLOAD), pieces(*[b"x" * 50_000] * 10))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            while len(call.received) < 11:
                await anyio.sleep(0)
            witness.go.set()
    assert (call.answer.body, call.answer.whole) == (b"first", False)
    assert witness.outcome == "failed"
    assert [type(error) for error in witness.errors] == [RuntimeError]


async def test_a_client_that_a_handler_has_seen_leave_is_sent_nothing(witness: Witness) -> None:
    """The response of a handler that goes on nevertheless never starts, and is not taken for a complete one."""
    started: list[str] = []

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            started.append("items")
            yield b"item"

        with pytest.raises(ClientDisconnected):
            async for _ in req.stream():
                pass
        res.stream(items())

    witness.app.POST("/left", handler, stream=True)
    messages: list[Message] = [*pieces(b"a", ends=False), {"type": "http.disconnect"}]
    call = Call(ASGIAdapter(witness.app), scope_of("POST", "/left", UPLOAD), messages)
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert (started, call.sent) == ([], [])
    assert witness.outcome == "disconnected"
