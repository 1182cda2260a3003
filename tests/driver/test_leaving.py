"""A client that leaves, before, while and after; and generators that take it badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from heaven_core import App, Context, Request, Response
from heaven_driver.engine import Engine
from heaven_io.files import READ_SIZE
from tests.driver.memory import PATIENCE, Call, Sent
from tests.driver.witness import Witness, pause

pytestmark = pytest.mark.anyio


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def streaming(witness: Witness, items: Callable[[], AsyncIterator[object]], **named: float | None) -> Call:
    """A call of a route with this stream of events."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True, heartbeat=named.get("heartbeat"), head_timeout=named.get("head_timeout"))

    witness.app.GET("/own", handler)
    return Call(Engine(witness.app, closing_limit=named.get("closing_limit") or 5.0), "/own")


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
    call = Call(Engine(witness.app), "/waiting")
    call.leave()
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"
    assert witness.notes == ["closed", "always"]


@pytest.mark.parametrize("name", ["waiting", "waiting-sync"])
async def test_while_the_stream_waits(name: str, witness: Witness) -> None:
    """An async one is woken; a sync one is closed when its running step returns."""
    call = Call(Engine(witness.app), f"/{name}")
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
    call = Call(Engine(witness.app), "/stream")

    async def leave(number: int, sent: Sent) -> None:
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
    call = Call(Engine(witness.app), "/large-file")

    async def leave(number: int, sent: Sent) -> None:
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
    call = Call(Engine(witness.app), "/stream")

    async def leave(number: int, sent: Sent) -> None:
        if sent.ended:
            call.leave()
            await anyio.wait_all_tasks_blocked()

    call.at_send = leave
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.whole
    assert witness.outcome == "complete"


async def test_a_peer_that_can_not_be_watched_has_left(witness: Witness) -> None:
    call = Call(Engine(witness.app), "/waiting")

    async def fail() -> None:
        raise ConnectionResetError

    call.at_watch = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"


async def test_a_client_that_stays_sees_all(witness: Witness) -> None:
    call = Call(Engine(witness.app), "/waiting")
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

    async def fail(number: int, sent: Sent) -> None:
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
            await pause()
            yield "second"
        finally:
            raise ZeroDivisionError

    call = streaming(witness, items)

    async def fail(number: int, sent: Sent) -> None:
        if number == 2:
            raise ConnectionResetError

    call.at_send = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"
    assert [type(error) for error in witness.errors] == [ZeroDivisionError]


async def test_a_producer_that_never_suspends_starves_nobody(witness: Witness) -> None:
    """Neither the generator nor this server's send ever waits: the client's leaving is heard of all the same."""

    async def items() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items())

    witness.app.GET("/endless", handler)
    call = Call(Engine(witness.app), "/endless")
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(10)
            call.leave()
    assert witness.outcome == "disconnected"


@pytest.mark.parametrize(("path", "streaming"), [("/waiting", True), ("/large-file", False)])
async def test_a_peer_is_told_whether_it_is_a_stream(path: str, streaming: bool, witness: Witness) -> None:
    """A client that has ended its sending, and no more, still wants a file; of a stream it has had enough."""
    (witness.directory / "large.bin").write_bytes(b"x" * 3 * READ_SIZE)
    call = Call(Engine(witness.app), path)
    witness.go.set()
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.streaming is streaming


async def test_a_peer_that_hears_of_it_without_a_watch(witness: Witness) -> None:
    """The generator is woken by the peer itself, and nothing runs beside it."""
    call = Call(Engine(witness.app), "/waiting")
    call.hears_by_itself = True
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await witness.waiting.wait()
            assert "heaven_driver watch" not in [task.name for task in anyio.get_running_tasks()]
            call.leave()
    assert "closed" in witness.notes
    assert witness.outcome == "disconnected"


@pytest.mark.parametrize(("confirmed", "kind"), [(None, "complete"), (True, "complete"), (False, "disconnected")])
async def test_a_small_response_is_confirmed_for_deferred_work(
    confirmed: bool | None, kind: str, witness: Witness
) -> None:
    """SPEC 5: exact also for a client that left before it was sent, as far as the peer can tell."""
    call = Call(Engine(witness.app), "/text")
    call.confirmed = confirmed
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == kind
    assert witness.outcomes[0].body_bytes == (4 if kind == "complete" else 0)


async def test_a_small_response_without_deferred_work_is_not_confirmed() -> None:
    """Asking may take a round trip."""
    app = App()
    app.GET("/", lambda req, res, ctx: setattr(res, "body", "text"))
    call = Call(Engine(app), "/")
    call.confirmed = False
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.asked_to_confirm == 0
