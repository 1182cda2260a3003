"""Every message fails, and every step is cancelled, in turn: clean-up, outcome and deferred work are right."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_io.files import READ_SIZE
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio

# How many messages each takes.
MESSAGES: Final = {"text": 2, "stream": 4, "sync-stream": 4, "events": 4, "file": 3, "large-file": 5}
STREAMS: Final = {"stream", "sync-stream", "events"}
STEPS: Final = [(name, step) for name, count in MESSAGES.items() for step in range(count)]


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    (tmp_path / "small.txt").write_bytes(b"small")
    (tmp_path / "large.bin").write_bytes(b"x" * (2 * READ_SIZE + 1))
    return Witness(tmp_path)


def call_of(witness: Witness, name: str) -> Call:
    return Call(ASGIAdapter(witness.app), scope_of(path=f"/{name}"))


def check_left(witness: Witness, name: str) -> None:
    """What holds however a client was lost."""
    assert witness.outcome == "disconnected"
    assert witness.notes == (["closed", "always"] if name in STREAMS else ["always"])
    assert witness.errors == []
    assert witness.open_files == []


@pytest.mark.parametrize("name", MESSAGES)
async def test_an_exchange_in_which_nothing_fails_is_complete(name: str, witness: Witness) -> None:
    call = call_of(witness, name)
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert len(call.sent) == MESSAGES[name]
    assert witness.outcome == "complete"
    assert witness.notes == ["closed", "always", "complete"][name not in STREAMS :]
    assert witness.outcomes[0].body_bytes == len(call.answer.body)
    assert witness.open_files == []


@pytest.mark.parametrize(("name", "step"), STEPS)
async def test_send_raises_oserror(name: str, step: int, witness: Witness) -> None:
    """By the ASGI specification (2.4) that is a client that has left: no error of anybody's."""
    call = call_of(witness, name)

    async def fail(number: int, message: Message) -> None:
        if number == step:
            raise ConnectionResetError

    call.at_send = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert len(call.sent) == step
    check_left(witness, name)


@pytest.mark.parametrize(("name", "step"), STEPS)
async def test_cancelled_while_it_sends(name: str, step: int, witness: Witness) -> None:
    """A server that gives up a request."""
    call = call_of(witness, name)
    stuck = anyio.Event()

    async def hang(number: int, message: Message) -> None:
        if number == step:
            stuck.set()
            await anyio.sleep_forever()

    call.at_send = hang
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await stuck.wait()
            group.cancel_scope.cancel()
    assert len(call.sent) == step
    check_left(witness, name)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(("name", "step"), STEPS)
async def test_task_cancelled_while_it_sends(name: str, step: int, witness: Witness) -> None:
    """As servers on asyncio do it: by one `cancel()` of the task, which must come out of it."""
    call = call_of(witness, name)
    stuck = anyio.Event()

    async def hang(number: int, message: Message) -> None:
        if number == step:
            stuck.set()
            await anyio.sleep_forever()

    call.at_send = hang
    task = asyncio.ensure_future(call.run())
    await stuck.wait()
    task.cancel()
    with anyio.fail_after(PATIENCE), pytest.raises(asyncio.CancelledError):
        await task
    check_left(witness, name)


@pytest.mark.parametrize("name", MESSAGES)
async def test_cancelled_from_the_start(name: str, witness: Witness) -> None:
    """Wherever it first waits: an open that is under way leaves nothing open."""
    call = call_of(witness, name)
    with anyio.fail_after(PATIENCE):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await call.run()
        while witness.open_files:
            await anyio.sleep(0.001)
    assert len(witness.outcomes) == 1


async def test_cancelled_in_the_handler(witness: Witness) -> None:
    """Nothing goes out; what the response holds is closed, and its deferred work runs."""
    call = call_of(witness, "waiting-handler")
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await witness.waiting.wait()
            group.cancel_scope.cancel()
    assert call.sent == []
    check_left(witness, "stream")


@pytest.mark.parametrize("name", ["waiting", "waiting-sync"])
async def test_cancelled_in_a_stream(name: str, witness: Witness) -> None:
    call = call_of(witness, name)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            await wait_until_it_waits(witness, name)
            group.cancel_scope.cancel()
            witness.go_threads.set()
    check_left(witness, "stream")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_task_cancelled_in_a_stream(witness: Witness) -> None:
    """One `cancel()`, which is not ours, comes out of the request."""
    call = call_of(witness, "waiting")
    task = asyncio.ensure_future(call.run())
    await call.until_sent(2)
    await witness.waiting.wait()
    task.cancel()
    with anyio.fail_after(PATIENCE), pytest.raises(asyncio.CancelledError):
        await task
    check_left(witness, "stream")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_task_cancelled_and_left_at_once(witness: Witness) -> None:
    """Both at a time: the server's cancellation is not taken for ours."""
    call = call_of(witness, "waiting")
    task = asyncio.ensure_future(call.run())
    await call.until_sent(2)
    await witness.waiting.wait()
    call.leave()
    task.cancel()
    with anyio.fail_after(PATIENCE), pytest.raises(asyncio.CancelledError):
        await task
    check_left(witness, "stream")


async def test_cancelled_in_an_upload(witness: Witness) -> None:
    """The handler never runs."""
    scope = scope_of("POST", "/upload", [("content-length", "100")])
    call = Call(ASGIAdapter(witness.app), scope, [{"type": "http.request", "body": b"some", "more_body": True}])
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            while not call.received:
                await anyio.sleep(0)
            group.cancel_scope.cancel()
    assert call.sent == []
    assert witness.notes == []
    assert witness.outcome == "disconnected"


async def test_another_error_of_send_is_the_servers(witness: Witness) -> None:
    """It comes out, when everything has been closed."""
    for name in ("text", "stream", "file"):
        call = call_of(witness, name)

        async def fail(number: int, message: Message) -> None:
            raise RuntimeError("a bug of the server")

        call.at_send = fail
        with anyio.fail_after(PATIENCE), pytest.raises((RuntimeError, ExceptionGroup)):
            await call.run()
        assert witness.outcomes[-1].kind == "disconnected"
        assert witness.open_files == []
    assert witness.notes == ["always", "closed", "always", "always"]


async def wait_until_it_waits(witness: Witness, name: str) -> None:
    if name == "waiting":
        await witness.waiting.wait()
    else:
        await anyio.to_thread.run_sync(witness.waiting_thread.wait, 10)
