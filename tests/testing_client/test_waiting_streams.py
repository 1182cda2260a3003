"""A stream that waits, in a test: who leaves it, what ends it, and how its heartbeats come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import NoReturn, TypeAlias

import anyio
import pytest
import trio

from heaven_core import App, Chunk, Context, Request, Response, ServerSentEvent, Start
from heaven_core.testing import Client, Result
from heaven_core.testing.waiting import Stopped

Wait: TypeAlias = Callable[[], Awaitable[object]]

HEARTBEAT = b":\n\n"


class Never:
    """What waits for an event loop that nobody runs."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def never_on_a_loop() -> None:
    await anyio.Event().wait()


def silent_after(*items: str, wait: Wait = never_on_a_loop, notes: list[str] | None = None) -> App:
    """An app with a stream of events that has these items, and then no more."""
    heard = [] if notes is None else notes

    async def events() -> AsyncIterator[str]:
        try:
            for item in items:
                yield item
            await wait()
        finally:
            heard.append("left")

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(events(), sse=True, at_shutdown=ServerSentEvent(event="bye"))
        res.defer(lambda app: heard.append("deferred"))

    app = App()
    app.GET("/", handler)
    return app


def fail() -> None:
    raise LookupError("clean-up")


def kind_of(answer: Result) -> str:
    assert answer.outcome is not None
    return answer.outcome.kind


@pytest.mark.anyio
async def test_the_client_leaves_a_stream_that_waits() -> None:
    notes: list[str] = []
    answer = await Client(silent_after("a", notes=notes)).aget("/", leave_after=2)
    assert (answer.body, answer.ended, kind_of(answer)) == (b"data: a\n\n", False, "disconnected")
    assert notes == ["left", "deferred"]


@pytest.mark.anyio
async def test_also_one_that_never_had_an_item() -> None:
    answer = await Client(silent_after()).aget("/", leave_after=1)
    assert [type(event) for event in answer.events[:-1]] == [Start]
    assert kind_of(answer) == "disconnected"


@pytest.mark.anyio
async def test_also_before_the_head() -> None:
    answer = await Client(silent_after()).aget("/", leave_after=0)
    assert (answer.status, kind_of(answer)) == (0, "disconnected")


@pytest.mark.anyio
async def test_the_server_ends_a_stream_that_waits() -> None:
    notes: list[str] = []
    answer = await Client(silent_after("a", notes=notes)).aget("/", shut_down_after=2)
    assert (answer.body, answer.ended) == (b"data: a\n\nevent: bye\ndata:\n\n", True)
    assert (kind_of(answer), notes) == ("complete", ["left", "deferred"])


@pytest.mark.anyio
async def test_also_one_that_has_not_begun() -> None:
    answer = await Client(silent_after()).aget("/", shut_down_after=1)
    assert (answer.body, answer.ended) == (b"event: bye\ndata:\n\n", True)


@pytest.mark.anyio
async def test_patience_lets_heartbeats_come_and_then_leaves() -> None:
    client = Client(silent_after("a"))
    answer = await client.aget("/", patience=31.0)
    assert answer.body == b"data: a\n\n" + 2 * HEARTBEAT
    assert (kind_of(answer), client.clock.elapsed) == ("disconnected", 31.0)


@pytest.mark.anyio
async def test_less_patience_than_a_heartbeat_takes() -> None:
    answer = await Client(silent_after("a")).aget("/", patience=14.9)
    assert answer.body == b"data: a\n\n"


@pytest.mark.anyio
async def test_patience_also_lets_the_head_come() -> None:
    answer = await Client(silent_after()).aget("/", patience=15.2)
    assert [type(event) for event in answer.events[:-1]] == [Start, Chunk]
    assert answer.body == HEARTBEAT


@pytest.mark.anyio
async def test_a_count_within_the_patience_decides_and_the_outcome_knows_when() -> None:
    answer = await Client(silent_after("a")).aget("/", patience=100.0, leave_after=3)
    assert answer.body == b"data: a\n\n" + HEARTBEAT
    assert answer.outcome is not None
    assert answer.outcome.duration == 15.0


@pytest.mark.anyio
async def test_a_shutdown_within_the_patience_does_too() -> None:
    answer = await Client(silent_after("a")).aget("/", patience=100.0, shut_down_after=3)
    assert answer.body == b"data: a\n\n" + HEARTBEAT + b"event: bye\ndata:\n\n"
    assert answer.ended


@pytest.mark.anyio
async def test_time_that_another_task_lets_go_by_sends_heartbeats() -> None:
    going_on = anyio.Event()
    client = Client(silent_after("a", wait=going_on.wait))
    answers: list[Result] = []

    async def ask() -> None:
        answers.append(await client.aget("/"))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        while not client.clock.timers:
            await anyio.sleep(0)
        client.clock.advance(14.0)
        client.clock.advance(16.0)
        assert client.last.body == b"data: a\n\n" + 2 * HEARTBEAT
        going_on.set()
    assert answers[0].ended
    assert client.clock.timers == []


def test_time_of_another_task_may_end_a_stream_on_asyncio() -> None:
    async def ask() -> Result:
        client = Client(silent_after("a"))
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(client.aget("/", leave_after=3))
            while not client.clock.timers:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            client.clock.advance(15.0)
        return asked.result()

    answer = asyncio.run(ask())
    assert (answer.body, kind_of(answer)) == (b"data: a\n\n" + HEARTBEAT, "disconnected")


def test_on_trio_that_is_refused_with_what_to_do_instead() -> None:
    async def ask() -> None:
        client = Client(silent_after("a"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.aget("/", leave_after=3))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="patience="):
                client.clock.advance(15.0)
            nursery.cancel_scope.cancel()

    trio.run(ask)


def test_the_stream_is_cancelled_where_it_waits_on_asyncio() -> None:
    seen: list[BaseException] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            await asyncio.sleep(0.001)  # a clean-up may wait
            raise

    answer = asyncio.run(Client(silent_after("a", wait=wait)).aget("/", leave_after=2))
    assert ([type(error) for error in seen], kind_of(answer)) == ([asyncio.CancelledError], "disconnected")


def test_a_task_that_it_awaits_is_cancelled_and_waited_for() -> None:
    notes: list[str] = []

    async def work() -> None:
        client.clock.advance(15.0)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.001)
            notes.append("work has ended")

    async def wait() -> None:
        await asyncio.create_task(work())

    client = Client(silent_after("a", wait=wait, notes=notes))
    asyncio.run(client.aget("/", leave_after=3))
    assert notes == ["work has ended", "left", "deferred"]


def test_what_its_clean_up_raises_is_reported() -> None:
    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Client(silent_after("a", wait=wait)).aget("/", leave_after=2))


def test_also_beside_the_cancellation_in_a_group() -> None:
    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError

    async def wait() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            await trio.sleep_forever()

    client = Client(silent_after("a", wait=wait))
    with pytest.raises(ExceptionGroup) as raised:
        trio.run(lambda: client.aget("/", leave_after=2))
    assert [type(error) for error in raised.value.exceptions] == [ZeroDivisionError]
    assert kind_of(client.last) == "disconnected"


def test_an_item_in_place_of_the_cancellation_goes_nowhere() -> None:
    async def events() -> AsyncIterator[str]:
        yield "a"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield "late"

    app = App()
    app.GET("/", lambda req, res, ctx: res.stream(events(), sse=True))
    answer = asyncio.run(Client(app).aget("/", leave_after=2))
    assert (answer.body, kind_of(answer)) == (b"data: a\n\n", "disconnected")


@pytest.mark.anyio
async def test_a_stream_that_only_lets_others_run_is_left_too() -> None:
    async def poll() -> None:
        while True:
            await anyio.sleep(0)

    answer = await Client(silent_after("a", wait=poll)).aget("/", leave_after=2)
    assert kind_of(answer) == "disconnected"


def test_what_trio_cannot_take_back_is_waited_for() -> None:
    notes: list[str] = []

    def abort(raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        with pytest.raises(Stopped):  # as a thread does that asks whether it has been cancelled
            raise_cancel()
        return trio.lowlevel.Abort.FAILED

    async def wait() -> None:
        trio.lowlevel.current_trio_token().run_sync_soon(trio.lowlevel.reschedule, trio.lowlevel.current_task())
        await trio.lowlevel.wait_task_rescheduled(abort)
        notes.append("has come to its end")
        await trio.sleep_forever()

    answer = trio.run(lambda: Client(silent_after("a", wait=wait, notes=notes)).aget("/", leave_after=2))
    assert (kind_of(answer), notes) == ("disconnected", ["has come to its end", "left", "deferred"])


def test_a_future_that_is_done_already_is_waited_for() -> None:
    async def wait() -> None:
        await asyncio.sleep(0.001)  # the first that it waits for
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda _: client.clock.advance(15.0))
        asyncio.get_running_loop().call_soon(done.set_result, None)
        await done
        await asyncio.Event().wait()

    client = Client(silent_after("a", wait=wait))
    answer = asyncio.run(client.aget("/", leave_after=3))
    assert (answer.body, kind_of(answer)) == (b"data: a\n\n" + HEARTBEAT, "disconnected")


def test_a_cancellation_of_the_test_itself_passes() -> None:
    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    async def ask(**options: int) -> None:
        await asyncio.wait_for(Client(silent_after("a", wait=linger)).aget("/", leave_after=options.get("n")), 0.05)

    async def wait() -> None:
        await asyncio.wait_for(Client(silent_after("a")).aget("/"), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())
    with pytest.raises(TimeoutError):
        asyncio.run(ask(n=2))


def test_without_a_loop_it_is_left_too() -> None:
    notes: list[str] = []
    answer = Client(silent_after("a", wait=Never, notes=notes)).get("/", leave_after=2)
    assert (answer.body, kind_of(answer)) == (b"data: a\n\n", "disconnected")
    assert notes == ["left", "deferred"]


def test_without_a_loop_it_has_heartbeats_too() -> None:
    answer = Client(silent_after("a", wait=Never)).get("/", patience=15.0)
    assert answer.body == b"data: a\n\n" + HEARTBEAT


def test_without_a_loop_one_that_nobody_leaves_is_told_what_there_is() -> None:
    with pytest.raises(RuntimeError, match=r"aget\(\).* patience="):
        Client(silent_after("a", wait=Never)).get("/")


def test_the_steps_of_a_stream_may_let_time_go_by() -> None:
    def events() -> Iterator[str]:
        yield "a"
        client.clock.advance(31.0)
        yield "b"

    app = App()
    app.GET("/", lambda req, res, ctx: res.stream(events(), sse=True))
    client = Client(app)
    assert client.get("/").body == b"data: a\n\n" + 2 * HEARTBEAT + b"data: b\n\n"


def test_a_client_that_leaves_in_such_a_step_gets_no_more_of_it() -> None:
    def events() -> Iterator[str]:
        yield "a"
        client.clock.advance(100.0)
        yield "b"

    app = App()
    app.GET("/", lambda req, res, ctx: res.stream(events(), sse=True))
    client = Client(app)
    answer = client.get("/", leave_after=3)
    assert (answer.body, kind_of(answer)) == (b"data: a\n\n" + HEARTBEAT, "disconnected")


def test_a_stream_without_a_heartbeat_stays_silent() -> None:
    async def events() -> AsyncIterator[str]:
        yield "a"
        await Never()

    app = App()
    app.GET("/", lambda req, res, ctx: res.stream(events(), sse=True, heartbeat=None))
    assert Client(app).get("/", patience=1000.0).body == b"data: a\n\n"


def test_a_stream_that_is_none_of_events_is_left_but_not_shut_down() -> None:
    async def rows() -> AsyncIterator[str]:
        yield "a"
        await Never()

    app = App()
    app.GET("/", lambda req, res, ctx: res.stream(rows()))
    assert Client(app).get("/", leave_after=2).body == b"a"
    answer = Client(app).get("/", shut_down_after=2, patience=1.0)
    assert kind_of(answer) == "disconnected"


def test_a_head_that_turns_out_impossible_while_the_stream_waits_is_a_500() -> None:
    """RFC 9110 §7.8 wants 426 beside Upgrade."""
    notes: list[str] = []

    async def rows() -> AsyncIterator[str]:
        try:
            await Never()
        finally:
            notes.append("left")
        yield "never"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "Upgrade", "h3"
        res.stream(rows())

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/", patience=2.0)
    assert (answer.status, answer.ended, kind_of(answer)) == (500, True, "failed")
    assert [type(error) for error, _ in answer.errors] == [ValueError]
    assert notes == ["left"]


def test_what_its_clean_up_raises_then_is_reported_beside_it() -> None:
    async def rows() -> AsyncIterator[str]:
        try:
            await Never()
        finally:
            fail()
        yield "never"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "Upgrade", "h3"
        res.stream(rows())

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/", patience=2.0)
    assert answer.status == 500
    assert [type(error) for error, _ in answer.errors] == [ValueError, LookupError]
