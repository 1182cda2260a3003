"""Small chunks that come without a pause go out together, and nothing waits because of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from heaven_core import Context, Outcome, Request, Response
from heaven_core.protocol.events import Chunk, Event
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call, Sent
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])  # tasks are cancelled there, or turns counted

Items = Callable[[], AsyncIterator[object]]


@pytest.fixture(autouse=True)
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is slow here, however busy the machine is."""
    monkeypatch.setattr("heaven_driver.outbox.monotonic", lambda: 0.0)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def streaming(witness: Witness, items: Items, *, heartbeat: float | None = None) -> Call:
    """A call of a route with this stream, of events if they have a heartbeat."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        if heartbeat is None:
            res.stream(items())
        else:
            res.stream(items(), sse=True, heartbeat=heartbeat)

    witness.app.GET("/own", handler)
    return Call(Engine(witness.app, closing_limit=0.5), "/own")


async def run(call: Call) -> list[bytes]:
    """The bodies of its messages."""
    with anyio.fail_after(PATIENCE):
        await call.run()
    return bodies(call)


def bodies(call: Call) -> list[bytes]:
    return [sent.data for sent in call.sent[1:]]


async def counting(count: int) -> AsyncIterator[object]:
    for number in range(count):
        yield f"{number},"


async def test_chunks_that_come_without_a_pause_go_out_together(witness: Witness) -> None:
    call = streaming(witness, lambda: counting(100))
    sent = await run(call)
    together = "".join(f"{number}," for number in range(1, 100)).encode()
    assert sent == [b"0,", together]
    assert call.answer.body == b"0," + together
    assert call.answer.whole


async def test_no_chunk_is_kept_while_the_producer_waits(witness: Witness) -> None:
    """Whatever it waits for, and also where nothing else ever wakes the response."""
    go = anyio.Event()

    async def items() -> AsyncIterator[object]:
        yield "a"
        yield "b"
        yield "c"
        await go.wait()
        yield "d"

    call = streaming(witness, items)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(3)
            assert bodies(call) == [b"a", b"bc"]
            go.set()
    assert bodies(call) == [b"a", b"bc", b"d", b""]


@on_asyncio
async def test_a_producer_that_never_waits_lets_others_have_their_turn(witness: Witness) -> None:
    turns = 0
    sizes: list[int] = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    call = streaming(witness, lambda: counting(100_000))
    counter = asyncio.create_task(count_turns())
    await asyncio.sleep(0)
    sizes += [len(body) for body in await run(call)]
    counter.cancel()
    assert max(sizes) <= 64 * 1024
    assert turns > sum(sizes) / (256 * 1024)
    assert len(sizes) < 1000


async def test_no_chunk_is_kept_of_a_producer_that_computes(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never waits for anything, and takes a second for each item."""
    now = [0.0]
    monkeypatch.setattr("heaven_driver.outbox.monotonic", lambda: now[0])

    async def items() -> AsyncIterator[object]:
        for number in range(4):
            now[0] += 1.0
            yield f"{number},"

    assert await run(streaming(witness, items)) == [b"0,", b"1,", b"2,", b"3,", b""]


async def test_large_chunks_are_not_copied(witness: Witness) -> None:
    large = b"x" * 64 * 1024

    async def items() -> AsyncIterator[object]:
        yield "a"
        yield "b"
        yield large
        yield large

    sent = await run(streaming(witness, items))
    assert [len(body) for body in sent] == [1, 1, len(large), len(large), 0]
    assert sent[2] is large
    assert sent[3] is large


async def test_chunks_yielded_before_a_failure_go_out_before_the_end(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        yield "one"
        yield "two"
        yield "three"
        raise ZeroDivisionError

    call = streaming(witness, items)
    assert await run(call) == [b"one", b"twothree"]
    assert not call.answer.whole
    [outcome] = witness.outcomes
    assert (outcome.kind, outcome.body_bytes) == ("failed", len("onetwothree"))


@pytest.mark.parametrize("pausing", [False, True])
async def test_chunks_that_could_not_be_sent_do_not_count(pausing: bool, witness: Witness) -> None:
    """Whether the owner sends what was kept, or it is sent while the owner waits for an item."""

    async def items() -> AsyncIterator[object]:
        try:
            yield "one"
            yield "two"
            yield "three"
            if pausing:
                await anyio.sleep_forever()
        finally:
            witness.notes.append("closed")

    call = streaming(witness, items)

    async def at_send(number: int, sent: Sent) -> None:
        if number == 2:
            raise ConnectionResetError

    call.at_send = at_send
    assert await run(call) == [b"one"]
    [outcome] = witness.outcomes
    assert (outcome.kind, outcome.body_bytes) == ("disconnected", len("one"))
    assert witness.notes == ["closed"]


async def test_chunks_being_sent_when_the_client_leaves_do_not_count(witness: Witness) -> None:
    stuck = anyio.Event()

    async def items() -> AsyncIterator[object]:
        yield "one"
        yield "two"
        yield "three"
        await anyio.sleep_forever()

    call = streaming(witness, items)

    async def at_send(number: int, sent: Sent) -> None:
        if number == 2:
            stuck.set()
            await anyio.sleep(0.05)  # a server lets go when the client has gone

    call.at_send = at_send
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await stuck.wait()
            call.leave()
    [outcome] = witness.outcomes
    assert (outcome.kind, outcome.body_bytes) == ("disconnected", len("one"))


@on_asyncio
async def test_a_server_that_fails_while_the_producer_waits_is_heard(witness: Witness) -> None:
    """It is not the stream's failure: the error comes out of the application, as with any other message."""

    async def items() -> AsyncIterator[object]:
        yield "one"
        yield "two"
        await anyio.sleep_forever()

    call = streaming(witness, items)

    async def at_send(number: int, sent: Sent) -> None:
        if number == 2:
            raise RuntimeError("the server is broken")

    call.at_send = at_send
    with pytest.raises(RuntimeError, match="the server is broken"), anyio.fail_after(PATIENCE):
        await call.run()
    assert witness.outcome == "disconnected"
    assert witness.errors == []


async def test_a_heartbeat_does_not_overtake_what_is_being_sent(witness: Witness) -> None:
    stuck, go = anyio.Event(), anyio.Event()

    async def items() -> AsyncIterator[object]:
        yield "one"
        yield "two"
        await anyio.sleep_forever()

    call = streaming(witness, items, heartbeat=0.01)

    async def at_send(number: int, sent: Sent) -> None:
        if number == 2:
            stuck.set()
            await go.wait()

    call.at_send = at_send
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await stuck.wait()
            await anyio.sleep(0.1)
            go.set()
            await call.until_sent(5)
            call.leave()
    assert bodies(call)[:4] == [b"data: one\n\n", b"data: two\n\n", b":\n\n", b":\n\n"]


@on_asyncio
async def test_a_client_that_takes_nothing_does_not_hold_up_a_cancellation(witness: Witness) -> None:
    stuck = anyio.Event()

    async def items() -> AsyncIterator[object]:
        try:
            yield "one"
            yield "two"
            await anyio.sleep_forever()
        finally:
            witness.notes.append("closed")

    call = streaming(witness, items)

    async def at_send(number: int, sent: Sent) -> None:
        if number == 2:
            stuck.set()
            await anyio.sleep_forever()

    call.at_send = at_send
    task = asyncio.create_task(call.run())
    with anyio.fail_after(PATIENCE):
        await stuck.wait()
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()
    assert witness.notes == ["closed"]
    [outcome] = witness.outcomes
    assert (outcome.kind, outcome.body_bytes) == ("disconnected", len("one"))


async def test_an_observer_is_told_of_each_chunk_when_it_has_gone(witness: Witness) -> None:
    told: list[bytes] = []
    call = streaming(witness, lambda: counting(5))

    def observe(req: Request[object], what: Event | Outcome) -> None:
        if type(what) is Chunk:
            told.append(what.data)

    async def at_send(number: int, sent: Sent) -> None:
        assert b"".join(told) == b"".join(bodies(call))

    witness.app.on_event(observe)
    call.at_send = at_send
    assert await run(call) == [b"0,", b"1,2,3,4,"]
    assert told == [b"0,", b"1,", b"2,", b"3,", b"4,"]


@on_asyncio
@pytest.mark.parametrize("how", ["an error of the server", "a cancellation"])
async def test_a_kept_chunk_that_a_large_one_was_to_follow_does_not_count_either(how: str, witness: Witness) -> None:
    """What was kept goes out first, by itself; when that fails, neither has gone."""

    async def items() -> AsyncIterator[object]:
        yield "a" * 10
        yield "b" * 10_000
        yield "c" * 50_000

    call = streaming(witness, items)
    stuck = anyio.Event()

    async def at_send(number: int, sent: Sent) -> None:
        if number == 2:
            if how == "an error of the server":
                raise RuntimeError("the server is broken")
            stuck.set()
            await anyio.sleep_forever()

    call.at_send = at_send
    task = asyncio.create_task(call.run())
    with anyio.fail_after(PATIENCE):
        if how == "a cancellation":
            await stuck.wait()
            task.cancel()
        await asyncio.wait({task})
    assert task.cancelled() or type(task.exception()) is RuntimeError
    [outcome] = witness.outcomes
    assert (outcome.kind, outcome.body_bytes) == ("disconnected", 10)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), ("asyncio", {"use_uvloop": False})])
async def test_a_heartbeat_that_is_due_at_once_sends_nothing_twice(witness: Witness) -> None:
    """A generator that blocks the event loop for longer than a heartbeat; uvloop takes timers first."""

    async def items() -> AsyncIterator[object]:
        yield "one"
        yield "two"
        time.sleep(0.1)
        await anyio.sleep(0.2)
        yield "three"

    call = streaming(witness, items, heartbeat=0.05)

    async def at_send(number: int, sent: Sent) -> None:
        if number >= 2:
            await anyio.sleep(0.01)

    call.at_send = at_send
    sent = b"".join(await run(call))
    assert sent.replace(b":\n\n", b"") == b"data: one\n\ndata: two\n\ndata: three\n\n"
