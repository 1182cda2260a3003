"""Time while a stream is silent: the head goes out without an item, heartbeats go between them, no step is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from threading import Event

import anyio
import pytest

from heaven_core import Context, Request, Response
from heaven_core.message.bodies import AnyIterable
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call, Sent
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio

SOON = 0.002
HEARTBEAT = b":\n\n"


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def call_of(
    witness: Witness,
    body: Callable[[], AnyIterable],
    *,
    sse: bool = True,
    heartbeat: float | None = None,
    head_timeout: float | None = None,
    line: tuple[str, str] = ("X-A", "1"),
) -> Call:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = line
        res.stream(body(), sse=sse, heartbeat=heartbeat, head_timeout=head_timeout)

    witness.app.GET("/ticks", handler)
    return Call(Engine(witness.app), "/ticks")


def waiting(witness: Witness, *items: str) -> Callable[[], AsyncIterator[str]]:
    """Gives these items, then waits until it may go on, and gives one more."""

    async def generate() -> AsyncIterator[str]:
        try:
            for item in items:
                yield item
            witness.waiting.set()
            await witness.go.wait()
            yield "last"
        finally:
            witness.notes.append("closed")

    return generate


@pytest.mark.parametrize("sse", [False, True])
async def test_the_head_waits_no_longer_than_head_timeout(sse: bool, witness: Witness) -> None:
    """And the item that it waited for still comes."""
    call = call_of(witness, waiting(witness), sse=sse, head_timeout=SOON)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(1)
            assert [sent.is_head for sent in call.sent] == [True]
            witness.go.set()
    assert call.answer.body == (b"data: last\n\n" if sse else b"last")
    assert call.answer.whole
    assert witness.outcome == "complete"


@pytest.mark.parametrize("items", [(), ("first",)])
async def test_heartbeats_go_out_as_long_as_it_is_silent(items: tuple[str, ...], witness: Witness) -> None:
    """The step that is awaited is left alone."""
    call = call_of(witness, waiting(witness, *items), heartbeat=SOON, head_timeout=SOON)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(4)
            witness.go.set()
    body = call.answer.body
    assert body.startswith(b"data: first\n\n" if items else HEARTBEAT)
    assert body.count(HEARTBEAT) >= 2
    assert body.endswith(HEARTBEAT + b"data: last\n\n")
    assert witness.outcome == "complete"
    assert witness.outcomes[0].body_bytes == len(body)


async def test_a_sync_stream_has_heartbeats_too(witness: Witness) -> None:
    """Its step goes on in its thread."""
    go = Event()

    def generate() -> Iterator[str]:
        yield "first"
        go.wait(PATIENCE)
        yield "last"

    call = call_of(witness, generate, heartbeat=SOON)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(4)
            go.set()
    assert call.answer.body.startswith(b"data: first\n\n" + HEARTBEAT)
    assert call.answer.body.endswith(b"data: last\n\n")


async def test_no_heartbeat_without_silence(witness: Witness) -> None:
    async def generate() -> AsyncIterator[str]:
        for number in range(5):
            yield str(number)

    call = call_of(witness, generate, heartbeat=PATIENCE)
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert HEARTBEAT not in call.answer.body


async def test_a_plain_stream_has_none(witness: Witness) -> None:
    """After its head there is no timer at all."""
    call = call_of(witness, waiting(witness, "first"), sse=False, head_timeout=SOON)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            await witness.waiting.wait()
            witness.go.set()
    assert call.answer.body == b"firstlast"


async def test_the_client_leaves_between_heartbeats(witness: Witness) -> None:
    call = call_of(witness, waiting(witness, "first"), heartbeat=SOON)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(3)
            call.leave()
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


async def test_the_client_leaves_while_a_heartbeat_is_sent(witness: Witness) -> None:
    call = call_of(witness, waiting(witness, "first"), heartbeat=SOON)

    async def leave(number: int, sent: Sent) -> None:
        if number == 2:
            call.leave()
            await anyio.wait_all_tasks_blocked()

    call.at_send = leave
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


async def test_an_item_comes_while_a_heartbeat_is_sent(witness: Witness) -> None:
    """Messages are never mixed: it waits until the heartbeat is out."""
    call = call_of(witness, waiting(witness, "first"), heartbeat=SOON)
    sending: list[int] = []

    async def let_go(number: int, sent: Sent) -> None:
        assert sending == []
        sending.append(number)
        if number == 2:
            witness.go.set()
            await anyio.wait_all_tasks_blocked()
        sending.remove(number)

    call.at_send = let_go
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.body == b"data: first\n\n" + HEARTBEAT + b"data: last\n\n"


class Queue:
    """An async iterator that is no generator: to be cancelled in a step does not end it."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.first = True

    def __aiter__(self) -> Queue:
        return self

    async def __anext__(self) -> str:
        if self.first:
            self.first = False
            return "first"
        await anyio.sleep_forever()
        raise AssertionError

    async def aclose(self) -> None:
        self.witness.notes.append("closed")


@pytest.mark.parametrize("kind", ["generator", "iterator"])
async def test_send_raises_oserror_for_a_heartbeat(kind: str, witness: Witness) -> None:
    """The client has gone, though nothing else says so."""
    call = call_of(
        witness, waiting(witness, "first") if kind == "generator" else lambda: Queue(witness), heartbeat=SOON
    )
    failed: list[int] = []

    async def fail(number: int, sent: Sent) -> None:
        if number == 2:
            failed.append(number)
            raise BrokenPipeError

    call.at_send = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert failed == [2]
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


async def test_send_raises_oserror_for_the_head_alone(witness: Witness) -> None:
    call = call_of(witness, waiting(witness), head_timeout=SOON)

    async def fail(number: int, sent: Sent) -> None:
        raise BrokenPipeError

    call.at_send = fail
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


async def test_another_error_of_send_for_a_heartbeat_is_the_servers(witness: Witness) -> None:
    """It comes out at once, and the stream is closed."""
    call = call_of(witness, waiting(witness, "first"), heartbeat=SOON)

    async def fail(number: int, sent: Sent) -> None:
        if number == 2:
            raise RuntimeError("a bug of the server")

    call.at_send = fail
    with anyio.fail_after(PATIENCE), pytest.raises((RuntimeError, ExceptionGroup)):
        await call.run()
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


@pytest.mark.parametrize("item", [False, True])
async def test_an_impossible_head_that_goes_out_alone_is_a_500(item: bool, witness: Witness) -> None:
    """Then the item does not matter any more, even one that comes at that moment."""
    call = call_of(witness, waiting(witness), head_timeout=SOON, line=("Upgrade", "h2c"))

    async def let_go(number: int, sent: Sent) -> None:
        if item and number == 0:
            witness.go.set()
            await anyio.wait_all_tasks_blocked()

    call.at_send = let_go
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.status == 500
    assert call.answer.whole
    assert witness.notes == ["closed"]
    assert witness.outcome == "failed"


async def test_a_stream_that_fails_while_a_500_for_its_head_goes_out(witness: Witness) -> None:
    """Its error is reported as well."""

    async def generate() -> AsyncIterator[str]:
        await witness.go.wait()
        if witness.notes:
            yield "never"
        raise ZeroDivisionError

    call = call_of(witness, generate, head_timeout=SOON, line=("Upgrade", "h2c"))

    async def let_go(number: int, sent: Sent) -> None:
        if number == 0:
            witness.go.set()
            await anyio.wait_all_tasks_blocked()

    call.at_send = let_go
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.status == 500
    assert witness.outcome == "failed"
