"""Sync iterables on an event loop: nothing blocks it, nothing is lost, everything is closed."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from contextvars import ContextVar

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from heaven_io.batches import BatchedIterator
from heaven_io.steps import BATCH_ITEMS
from heaven_io.worker_threads import MAX_THREADS, WorkerThreads

pytestmark = pytest.mark.anyio

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


async def everything(iterator: BatchedIterator) -> list[object]:
    items: list[object] = []
    while True:
        try:
            items.append(await iterator.next())
        except StopAsyncIteration:
            return items


async def suspended(step: Coroutine[object, object, object]) -> bool:
    """Whether awaiting `step` gave the event loop a turn."""
    had_a_turn = False

    class Watching:
        def __await__(self) -> Generator[object, object, None]:
            nonlocal had_a_turn
            try:
                wanted = step.send(None)
                while True:
                    had_a_turn = True
                    wanted = step.send((yield wanted))
            except StopIteration:
                return

    await Watching()
    return had_a_turn


def batched(iterable: Iterable[object], limit: int = MAX_THREADS) -> BatchedIterator:
    return BatchedIterator(iterable, WorkerThreads(limit))


class Gated:
    """A generator whose step number `gate` waits until it is let through; it says when it is there, and closed."""

    def __init__(self, gate: int, count: int = 10) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()
        self.closed_in: list[int] = []
        self.taken = 0
        self.items = self._generate(gate, count)

    def _generate(self, gate: int, count: int) -> Iterator[int]:
        try:
            for number in range(count):
                if number == gate:
                    self.reached.set()
                    assert self.open.wait(10)
                self.taken += 1
                yield number
        finally:
            self.closed_in.append(threading.get_ident())


async def until(event: threading.Event) -> None:
    assert await anyio.to_thread.run_sync(event.wait, 10)


class TestItems:
    @pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 100])
    async def test_all_items_come_in_order(self, count: int) -> None:
        iterator = batched(iter(range(count)))
        assert await everything(iterator) == list(range(count))
        assert await everything(iterator) == []

    @pytest.mark.parametrize("items", [[1, None, 3], (1, None, 3), [], ()])
    async def test_a_list_or_tuple_gives_its_items_too(self, items: Iterable[object]) -> None:
        iterator = batched(items)
        assert await everything(iterator) == list(items)
        await iterator.aclose()

    async def test_steps_run_in_threads_but_not_each_in_one_of_its_own(self) -> None:
        """What is counted is how often the loop had a turn in between."""
        threads: set[int] = set()
        turns = 0

        def generate() -> Iterator[int]:
            for number in range(160):
                threads.add(threading.get_ident())
                yield number

        iterator = batched(generate())
        for _ in range(160):
            step = iterator.next()
            if await suspended(step):
                turns += 1
        assert threading.get_ident() not in threads
        assert turns < 40

    async def test_a_source_runs_ahead_by_one_batch_at_most(self) -> None:
        source = Gated(gate=-1, count=200)
        iterator = batched(source.items)
        for handed_on in range(1, 101):
            await iterator.next()
            assert source.taken <= handed_on + BATCH_ITEMS
        await iterator.aclose()

    async def test_a_blocking_step_does_not_block_the_loop(self) -> None:
        source = Gated(gate=0)
        iterator = batched(source.items)
        async with anyio.create_task_group() as group:
            group.start_soon(everything, iterator)
            await until(source.reached)
            source.open.set()  # nobody else could
        assert source.taken == 10

    async def test_an_item_that_is_ready_does_not_wait_for_a_slow_step_after_it(self) -> None:
        source = Gated(gate=6)
        iterator = batched(source.items)
        assert [await iterator.next() for _ in range(6)] == [0, 1, 2, 3, 4, 5]
        await until(source.reached)
        source.open.set()
        assert await everything(iterator) == [6, 7, 8, 9]

    async def test_the_steps_see_the_context_variables_of_the_request(self) -> None:
        def generate() -> Iterator[str]:
            yield VARIABLE.get()

        token = VARIABLE.set("request")
        iterator = batched(generate())
        assert await iterator.next() == "request"
        VARIABLE.reset(token)

    async def test_a_step_may_call_the_loop_however_long_it_takes(self) -> None:
        async def answer() -> str:
            await anyio.sleep(0)
            return "from the loop"

        def generate() -> Iterator[str]:
            for _ in range(5):
                yield anyio.from_thread.run(answer)

        assert await everything(batched(generate())) == ["from the loop"] * 5


class TestErrors:
    async def test_items_before_an_error_are_handed_on_first(self) -> None:
        def generate() -> Iterator[int]:
            yield from range(5)
            raise TimeoutError("the application's own")

        iterator = batched(generate())
        assert [await iterator.next() for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(TimeoutError, match="own"):
            await iterator.next()
        with pytest.raises(StopAsyncIteration):
            await iterator.next()

    async def test_a_cancellation_that_the_application_raises_cancels_nobody(self) -> None:
        def generate() -> Iterator[int]:
            yield 1
            raise asyncio.CancelledError

        iterator = batched(generate())
        assert await iterator.next() == 1
        with pytest.raises(RuntimeError, match="raised CancelledError"):
            await iterator.next()

    async def test_a_stop_async_iteration_is_not_the_end(self) -> None:
        def generate() -> Iterator[int]:
            yield 1
            raise StopAsyncIteration

        iterator = batched(generate())
        assert await iterator.next() == 1
        with pytest.raises(RuntimeError, match="raised StopAsyncIteration"):
            await iterator.next()


class TestCancellation:
    async def test_a_cancelled_wait_loses_no_item(self) -> None:
        source = Gated(gate=1)
        iterator = batched(source.items)
        assert await iterator.next() == 0
        async with anyio.create_task_group() as group:
            group.start_soon(everything, iterator)
            await until(source.reached)
            group.cancel_scope.cancel()
        source.open.set()
        assert await everything(iterator) == list(range(1, 10))

    async def test_closing_waits_for_the_running_step(self) -> None:
        source = Gated(gate=3)
        iterator = batched(source.items)
        async with anyio.create_task_group() as group:
            group.start_soon(everything, iterator)
            await until(source.reached)
            group.cancel_scope.cancel()
        async with anyio.create_task_group() as group:
            group.start_soon(iterator.aclose)
            await anyio.wait_all_tasks_blocked()
            assert source.closed_in == []
            source.open.set()
        assert len(source.closed_in) == 1
        assert source.taken == 4  # the rest of its batch was not taken

    async def test_closing_may_be_given_up_and_happens_all_the_same(self, caplog: pytest.LogCaptureFixture) -> None:
        source = Gated(gate=3)
        logged = threading.Event()

        def keep(record: logging.LogRecord) -> bool:
            if record.exc_info is not None:
                logged.set()
            return True

        caplog.handler.addFilter(keep)

        def generate() -> Iterator[int]:
            try:
                yield from source.items
            finally:
                raise ValueError("broken closing")

        iterator = batched(generate())
        async with anyio.create_task_group() as group:
            group.start_soon(everything, iterator)
            await until(source.reached)
            group.cancel_scope.cancel()
        with anyio.move_on_after(0.01) as scope:
            await iterator.aclose()
        assert scope.cancelled_caught
        assert source.closed_in == []
        source.open.set()
        await until(logged)
        assert len(source.closed_in) == 1
        assert "broken closing" in caplog.text

    async def test_closing_begins_even_if_its_owner_is_cancelled_already(self) -> None:
        closed = threading.Event()

        def generate() -> Iterator[int]:
            try:
                yield 1
            finally:
                closed.set()

        iterator = batched(generate())
        await iterator.next()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await iterator.aclose()
        await until(closed)

    async def test_closing_needs_no_thread_that_slow_streams_have_taken(self) -> None:
        threads = WorkerThreads(1)
        source, slow = Gated(gate=-1), Gated(gate=0)
        iterator = BatchedIterator(source.items, threads)
        await iterator.next()
        async with anyio.create_task_group() as group:
            group.start_soon(everything, BatchedIterator(slow.items, threads))
            await until(slow.reached)
            await iterator.aclose()
            slow.open.set()
        assert len(source.closed_in) == 1

    async def test_a_step_that_was_given_up_no_longer_counts(self, caplog: pytest.LogCaptureFixture) -> None:
        """SPEC 5; it is left behind, which the log says by its name, and closed when it returns after all."""
        threads = WorkerThreads(1)
        hangs = Gated(gate=0)
        iterator = BatchedIterator(hangs.items, threads)
        async with anyio.create_task_group() as group:
            group.start_soon(everything, iterator)
            await until(hangs.reached)
            group.cancel_scope.cancel()
        with anyio.move_on_after(0.01) as scope:
            await iterator.aclose()
        assert scope.cancelled_caught
        with anyio.fail_after(20):
            assert await everything(BatchedIterator(iter([1, 2]), threads)) == [1, 2]
        assert caplog.messages == [
            "a step of Gated._generate has not returned: nobody waits for it any more, its thread is left behind"
        ]
        hangs.open.set()
        with anyio.fail_after(20):
            while not hangs.closed_in:
                await anyio.sleep(0.001)

    async def test_a_step_that_has_no_thread_when_its_owner_leaves_is_not_taken(self) -> None:
        threads = WorkerThreads(1)
        slow, waiting = Gated(gate=0), Gated(gate=-1)
        iterator = BatchedIterator(waiting.items, threads)
        async with anyio.create_task_group() as group:
            group.start_soon(everything, BatchedIterator(slow.items, threads))
            await until(slow.reached)
            with anyio.move_on_after(0.01):
                await iterator.next()
            with anyio.fail_after(20):
                await iterator.aclose()
            assert not slow.open.is_set()
            slow.open.set()
        assert waiting.taken == 0


class TestClosing:
    async def test_a_generator_is_closed_once_in_a_thread(self) -> None:
        source = Gated(gate=-1)
        iterator = batched(source.items)
        await iterator.next()
        await iterator.next()
        async with anyio.create_task_group() as group:
            group.start_soon(iterator.aclose)
            group.start_soon(iterator.aclose)
        await iterator.aclose()
        assert len(source.closed_in) == 1
        assert source.closed_in != [threading.get_ident()]

    async def test_no_item_comes_after_the_closing(self) -> None:
        for iterable in ([1, 2, 3], Gated(gate=-1).items):
            iterator = batched(iterable)
            await iterator.next()
            await iterator.aclose()
            assert await everything(iterator) == []

    async def test_closing_a_generator_that_never_ran_runs_nothing(self) -> None:
        source = Gated(gate=-1)
        await batched(source.items).aclose()
        assert (list(source.items), source.closed_in) == ([], [])

    async def test_an_error_of_the_closing_is_raised(self) -> None:
        def generate() -> Iterator[int]:
            try:
                yield 1
                yield 2
            finally:
                raise ValueError("broken")

        iterator = batched(generate())
        await iterator.next()
        with pytest.raises(ValueError, match="broken"):
            await iterator.aclose()


@pytest.mark.parametrize("items", [[1, 2], (1, 2)])
def test_a_list_or_tuple_is_iterated_in_place_without_an_event_loop(items: Iterable[object]) -> None:
    iterator = batched(items)
    for expected in (1, 2):
        with pytest.raises(StopIteration) as ended:
            iterator.next().send(None)
        assert ended.value.value == expected
    with pytest.raises(StopIteration):
        iterator.aclose().send(None)


class TestNativeCancellation:
    """asyncio's `task.cancel()` goes through every shield that anyio can put up."""

    def run(self, test: Callable[[], Coroutine[object, object, None]]) -> None:
        asyncio.run(test())
        gc.collect()  # so that what was never retrieved is complained about here

    def test_a_cancelled_wait_loses_no_item(self) -> None:
        async def test() -> None:
            source = Gated(gate=1)
            iterator = batched(source.items)
            assert await iterator.next() == 0
            for _ in range(3):
                task = asyncio.create_task(everything(iterator))
                await until(source.reached)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            source.open.set()
            assert await everything(iterator) == list(range(1, 10))

        self.run(test)

    def test_closing_waits_for_the_running_step(self) -> None:
        async def test() -> None:
            source = Gated(gate=3)
            iterator = batched(source.items)
            task = asyncio.create_task(everything(iterator))
            await until(source.reached)
            task.cancel()
            closing = asyncio.create_task(iterator.aclose())
            with pytest.raises(asyncio.CancelledError):
                await task
            assert source.closed_in == []
            source.open.set()
            await closing
            assert len(source.closed_in) == 1

        self.run(test)

    def test_a_cancelled_closing_goes_on(self) -> None:
        async def test() -> None:
            source = Gated(gate=3)
            iterator = batched(source.items)
            waiting = asyncio.create_task(everything(iterator))
            await until(source.reached)
            closing = asyncio.create_task(iterator.aclose())
            await asyncio.sleep(0)
            for task in (waiting, closing):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            source.open.set()
            await iterator.aclose()
            assert len(source.closed_in) == 1

        self.run(test)
