"""A client that leaves, before, while and after; and generators that take it badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App, Context, Request, Response
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.asgi.witness import Witness

pytestmark = pytest.mark.anyio


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def streaming(witness: Witness, items: Callable[[], AsyncIterator[object]], **named: float | None) -> Call:
    """A call of a route with this stream of events."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True, heartbeat=named.get("heartbeat"), head_timeout=named.get("head_timeout"))

    witness.app.GET("/own", handler)
    return Call(ASGIAdapter(witness.app, closing_limit=named.get("closing_limit") or 5.0), scope_of(path="/own"))


async def test_before_the_first_item(witness: Witness) -> None:
    """A stream that waits for its first item is woken."""
    entered = anyio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            entered.set()
            await anyio.sleep_forever()
            yield b""
        finally:
            witness.notes.append("closed")

    call = streaming(witness, items)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await entered.wait()
            call.leave()
    assert call.sent == []
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


async def test_before_it_is_asked(witness: Witness) -> None:
    """A client that has left already: no more than one step of the stream."""
    call = Call(ASGIAdapter(witness.app), scope_of(path="/waiting"))
    call.leave()
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"
    assert witness.notes == ["closed", "always"]


@pytest.mark.parametrize("name", ["waiting", "waiting-sync"])
async def test_while_the_stream_waits(name: str, witness: Witness) -> None:
    """An async one is woken; a sync one is closed when its running step returns."""
    call = Call(ASGIAdapter(witness.app), scope_of(path=f"/{name}"))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            call.leave()
            witness.go_threads.set()
    assert len(call.sent) == 2
    assert witness.notes == ["closed", "always"]
    assert witness.outcome == "disconnected"


async def test_while_it_is_sent(witness: Witness) -> None:
    """A server whose `send` is silent for a client that has left: the next item is not even asked for."""
    call = Call(ASGIAdapter(witness.app), scope_of(path="/stream"))

    async def leave(number: int, message: Message) -> None:
        if number == 1:
            call.leave()
            await anyio.wait_all_tasks_blocked()  # so that it is known by the time that send returns

    call.at_send = leave
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert len(call.sent) == 2
    assert witness.notes == ["closed", "always"]
    assert witness.outcome == "disconnected"


async def test_while_a_large_file_is_sent(witness: Witness) -> None:
    (witness.directory / "large.bin").write_bytes(b"x" * 1_000_000)
    call = Call(ASGIAdapter(witness.app), scope_of(path="/large-file"))

    async def leave(number: int, message: Message) -> None:
        if number == 1:
            call.leave()
            await anyio.wait_all_tasks_blocked()

    call.at_send = leave
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert len(call.sent) == 2
    assert witness.open_files == []
    assert witness.outcome == "disconnected"


async def test_after_the_last_message(witness: Witness) -> None:
    """Too late to matter."""
    call = Call(ASGIAdapter(witness.app), scope_of(path="/stream"))

    async def leave(number: int, message: Message) -> None:
        if not message.get("more_body", True):
            call.leave()
            await anyio.wait_all_tasks_blocked()

    call.at_send = leave
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.whole
    assert witness.outcome == "complete"


async def test_receive_that_raises_is_a_client_that_has_left(witness: Witness) -> None:
    call = Call(ASGIAdapter(witness.app), scope_of(path="/waiting"))

    async def fail() -> None:
        raise ConnectionResetError

    call.at_receive = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"


async def test_a_client_that_stays_sees_all(witness: Witness) -> None:
    call = Call(ASGIAdapter(witness.app), scope_of(path="/waiting"))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            witness.go.set()
    assert (call.answer.body, call.answer.whole) == (b"onetwo", True)


# Generators that take it badly


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_finally_that_awaits_gets_what_it_awaits(witness: Witness) -> None:
    """On asyncio it is woken once, and is then left alone; on trio what it awaits needs a shield."""

    async def items() -> AsyncIterator[object]:
        try:
            yield "first"
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            witness.notes.append("closed")

    call = streaming(witness, items)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            call.leave()
    assert witness.notes == ["closed"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("then", ["goes on", "ends", "raises"])
async def test_a_generator_that_swallows_the_cancellation(then: str, witness: Witness) -> None:
    """It is closed all the same, and the task is not left cancelled."""

    async def items() -> AsyncIterator[object]:
        try:
            yield "first"
            try:
                await anyio.sleep_forever()
            except asyncio.CancelledError:
                witness.notes.append("swallowed")
            if then == "raises":
                raise ZeroDivisionError
            while then == "goes on":
                yield "more"
        finally:
            witness.notes.append("closed")

    call = streaming(witness, items)
    cancelling: list[int] = []

    async def run() -> None:
        await call.run()
        task = asyncio.current_task()
        assert task is not None
        cancelling.append(task.cancelling())

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await call.until_sent(2)
            call.leave()
    assert len(call.sent) == 2
    assert witness.notes == ["swallowed", "closed"]
    assert witness.outcome == "disconnected"
    assert cancelling == [0]
    assert [type(error) for error in witness.errors] == ([ZeroDivisionError] if then == "raises" else [])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_stream_cancelled_by_what_it_awaits_has_failed(witness: Witness) -> None:
    """Nobody has cancelled the request: it is an error like any other."""

    async def items() -> AsyncIterator[object]:
        yield "first"
        raise asyncio.CancelledError

    call = streaming(witness, items)
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert not call.answer.whole
    assert witness.outcome == "failed"
    assert [type(error) for error in witness.errors] == [RuntimeError]


async def test_a_finally_that_hangs_is_given_up(witness: Witness) -> None:
    """It holds up neither the deferred work nor the server, and is reported."""
    call = streaming(witness, lambda: hanging(witness), closing_limit=0.01)

    async def fail(number: int, message: Message) -> None:
        if number == 1:
            raise ConnectionResetError

    call.at_send = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"
    assert [str(error) for error in witness.errors] == ["closing it took more than 0.01 s and was given up"]


async def hanging(witness: Witness) -> AsyncIterator[object]:
    try:
        while True:
            yield "item"
    finally:
        await anyio.sleep_forever()


async def test_a_finally_that_raises_is_reported(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        try:
            yield "first"
            await anyio.sleep(0)
            yield "second"
        finally:
            raise ZeroDivisionError

    call = streaming(witness, items)

    async def fail(number: int, message: Message) -> None:
        if number == 2:
            raise ConnectionResetError

    call.at_send = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"
    assert [type(error) for error in witness.errors] == [ZeroDivisionError]


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


async def test_a_producer_that_never_suspends_starves_nobody(witness: Witness) -> None:
    """Neither the generator nor this server's send ever waits: the client's leaving is heard of all the same."""

    async def items() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items())

    witness.app.GET("/endless", handler)
    call = Call(ASGIAdapter(witness.app), scope_of(path="/endless"))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(10)
            call.leave()
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
