"""The server shuts down while streams are open: events end in order, any other stream gets its time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from heaven_core import Context, Request, Response
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call, Sent
from tests.driver.witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

BYE = b"data: bye\n\n"
Items = Callable[[], AsyncIterator[object] | Iterator[object]]


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def events(witness: Witness, items: Items, deadline: float = 10.0, heartbeat: float | None = None) -> Call:
    """A call of a route with this stream of events."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True, heartbeat=heartbeat, at_shutdown="bye")

    witness.app.GET("/own", handler)
    return Call(Engine(witness.app, stream_deadline=deadline, closing_limit=0.2), "/own")


def plain(witness: Witness, items: Items, deadline: float) -> Call:
    """A call of a route with this stream of text."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items())

    witness.app.GET("/own", handler)
    return Call(Engine(witness.app, stream_deadline=deadline, closing_limit=0.2), "/own")


def waiting(witness: Witness) -> Items:
    """One item, and then nothing more."""

    async def items() -> AsyncIterator[object]:
        try:
            yield "one"
            await anyio.sleep_forever()
        finally:
            witness.notes.append("closed")

    return items


async def shut_down_when_stuck(call: Call) -> None:
    """Run it for a client that takes the head and one message, and shut down when it takes no more."""
    stuck = anyio.Event()

    async def at_send(number: int, sent: Sent) -> None:
        if number >= 2:
            stuck.set()
            await anyio.sleep_forever()

    call.at_send = at_send
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await stuck.wait()
            await call.engine.shutdown()


async def shut_down(call: Call, sent: int = 2) -> None:
    """Run it, and when so much has been sent shut down."""
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(sent)
            await call.engine.shutdown()


async def test_events_that_wait_end_in_order_with_the_last_one(witness: Witness) -> None:
    call = events(witness, waiting(witness))
    await shut_down(call)
    assert call.answer.body == b"data: one\n\n" + BYE
    assert call.answer.whole
    assert witness.notes == ["closed"]
    assert witness.outcome == "complete"
    assert witness.errors == []


async def test_before_the_first_event_the_head_goes_out_too(witness: Witness) -> None:
    """After its time it has gone by itself; no client is left without an answer."""

    async def items() -> AsyncIterator[object]:
        await anyio.sleep_forever()
        yield "never"

    call = events(witness, items)
    await shut_down(call, sent=1)
    assert call.answer.body == BYE
    assert call.answer.whole


async def test_events_that_are_on_their_way_go_out_first(witness: Witness) -> None:
    """A queue of events is emptied, although each step waits a little."""
    put, get = anyio.create_memory_object_stream[int](100)
    held = anyio.Event()

    async def items() -> AsyncIterator[object]:
        with get:
            async for number in get:
                yield str(number)

    call = events(witness, items)

    async def at_send(number: int, sent: Sent) -> None:
        if number == 2:
            await held.wait()

    call.at_send = at_send
    with put, anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            for number in range(100):
                put.send_nowait(number)
            await call.until_sent(2)
            group.start_soon(call.engine.shutdown)
            await anyio.sleep(0.3)  # the client is slow to take the second one
            held.set()
    assert call.answer.body == b"".join(b"data: %d\n\n" % number for number in range(100)) + BYE
    assert call.answer.whole


async def test_events_that_never_pause_are_ended_after_a_while(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        while True:
            yield "again"
            await anyio.sleep(0.001)

    call = events(witness, items)
    await shut_down(call)
    assert call.answer.body.endswith(b"data: again\n\n" + BYE)
    assert call.answer.whole


async def test_sync_events_end_when_their_step_returns(witness: Witness) -> None:
    def items() -> Iterator[object]:
        try:
            yield "one"
            witness.go_threads.wait(PATIENCE)
            yield "two"
        finally:
            witness.notes.append("closed")

    call = events(witness, items)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await call.until_sent(2)
            group.start_soon(call.engine.shutdown)
            await call.until_sent(3)  # and so before the step has returned
            witness.go_threads.set()
    assert call.answer.body == b"data: one\n\n" + BYE
    assert call.answer.whole
    assert witness.notes == ["closed"]


async def test_a_generator_may_say_good_bye_itself(witness: Witness) -> None:
    """What it yields when it is woken still goes out; then it has ended by itself."""

    async def items() -> AsyncIterator[object]:
        yield "one"
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            yield "my own"

    call = events(witness, items)
    await shut_down(call)
    assert call.answer.body == b"data: one\n\ndata: my own\n\n"
    assert call.answer.whole


async def test_any_other_stream_gets_time_for_its_end(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        yield "one"
        await anyio.sleep(0.4)
        yield "two"

    call = plain(witness, items, deadline=10.0)
    await shut_down(call)
    assert call.answer.body == b"onetwo"
    assert call.answer.whole
    assert witness.outcome == "complete"


async def test_a_stream_that_has_not_ended_by_the_deadline_is_visibly_cut(witness: Witness) -> None:
    call = plain(witness, waiting(witness), deadline=0.1)
    await shut_down(call)
    assert call.answer.body == b"one"
    assert not call.answer.whole
    assert witness.notes == ["closed"]
    assert witness.outcome == "failed"
    assert [type(error) for error in witness.errors] == [TimeoutError]


@pytest.mark.parametrize("kind", ["events", "text"])
async def test_a_client_that_takes_nothing_holds_it_up_until_the_deadline(kind: str, witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        try:
            yield "one"
            yield "two"
        finally:
            witness.notes.append("closed")

    call = events(witness, items, deadline=0.2) if kind == "events" else plain(witness, items, deadline=0.2)
    await shut_down_when_stuck(call)
    assert not call.answer.whole
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"
    assert witness.errors == []


async def test_nor_does_a_heartbeat_that_nobody_takes(witness: Witness) -> None:
    call = events(witness, waiting(witness), deadline=0.2, heartbeat=0.01)
    await shut_down_when_stuck(call)
    assert not call.answer.whole
    assert witness.notes == ["closed"]
    assert witness.outcome == "disconnected"


@pytest.mark.parametrize("kind", ["events", "text"])
async def test_a_stream_that_is_always_sending_is_not_taken_for_a_client_that_takes_nothing(
    kind: str, witness: Witness
) -> None:
    """Its client is slow, and takes everything in the end."""

    async def items() -> AsyncIterator[object]:
        while True:
            yield "again"

    call = events(witness, items, deadline=0.3) if kind == "events" else plain(witness, items, deadline=0.3)

    async def at_send(number: int, sent: Sent) -> None:
        await anyio.sleep(0.03)

    call.at_send = at_send
    await shut_down(call)
    assert call.answer.whole == (kind == "events")
    assert witness.outcome == ("complete" if kind == "events" else "failed")
    assert [type(error) for error in witness.errors] == ([] if kind == "events" else [TimeoutError])


async def test_chunks_sent_while_the_generator_waits_may_be_cut_without_a_word(witness: Witness) -> None:
    """What was kept goes out beside a generator that waits, to a client that takes nothing: nobody has failed."""

    async def items() -> AsyncIterator[object]:
        yield "one"
        yield "two"
        await anyio.sleep_forever()

    call = plain(witness, items, deadline=0.2)
    await shut_down_when_stuck(call)
    assert witness.outcome == "disconnected"
    assert witness.errors == []


async def test_the_deadline_begins_anew_with_each_shutdown(witness: Witness) -> None:
    """A stream that began after one shutdown has the whole time at the next."""

    async def items() -> AsyncIterator[object]:
        yield "one"
        await anyio.sleep(0.3)
        yield "two"

    call = plain(witness, items, deadline=0.6)
    await call.engine.shutdown()
    await anyio.sleep(0.7)
    await shut_down(call)
    assert call.answer.body == b"onetwo"
    assert call.answer.whole


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_finally_that_hangs_is_given_up(witness: Witness) -> None:
    async def items() -> AsyncIterator[object]:
        try:
            yield "one"
            await anyio.sleep_forever()
        finally:
            await anyio.sleep_forever()

    call = events(witness, items)
    await shut_down(call)
    assert call.answer.body.endswith(BYE)
    assert call.answer.whole
    assert [str(error) for error in witness.errors] == ["closing it took more than 0.2 s and was given up"]


async def test_a_shutdown_with_nothing_to_end_does_not_wait(witness: Witness) -> None:
    with anyio.fail_after(PATIENCE):
        await Engine(witness.app).shutdown()
