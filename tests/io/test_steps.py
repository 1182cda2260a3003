"""How many steps of a sync iterable a thread takes at a time. The clock is the test's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.protocol.frozen_event import FrozenEvent
from heaven_io.steps import BATCH_BYTES, BATCH_ITEMS, FAST, Steps

SLOW = 2 * FAST


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def batches(steps: Steps) -> list[list[object]]:
    """What each `fill` took until the end."""
    taken: list[list[object]] = []
    while not steps.ended:
        steps.fill()
        taken.append(list(steps.items))
        steps.items.clear()
    return taken


def sizes(iterable: Iterable[object], clock: Clock | None = None) -> list[int]:
    return [len(batch) for batch in batches(Steps(iterable, clock or Clock()))]


class Closable:
    """An iterator that counts what is done to it."""

    def __init__(self, items: Iterable[object], error: BaseException | None = None) -> None:
        self._items = iter(items)
        self._error = error
        self.steps = 0
        self.closings = 0

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        self.steps += 1
        return next(self._items)

    def close(self) -> None:
        self.closings += 1
        if self._error is not None:
            raise self._error


class TestBatches:
    def test_a_batch_starts_with_one_item_and_grows_while_steps_are_fast(self) -> None:
        assert sizes(iter(range(50))) == [1, 2, 4, 8, 16, 16, 3]

    def test_no_step_runs_before_the_first_batch(self) -> None:
        source = Closable(range(5))
        steps = Steps(source)
        assert source.steps == 0
        steps.fill()
        assert source.steps == 1

    def test_a_slow_step_ends_its_batch_and_the_next_has_one_item(self) -> None:
        clock = Clock()

        def generate() -> Iterator[int]:
            for number in range(20):
                if number == 5:
                    clock.now += SLOW
                yield number

        assert sizes(generate(), clock) == [1, 2, 3, 1, 2, 4, 7]

    def test_slow_steps_are_taken_one_at_a_time(self) -> None:
        clock = Clock()

        def generate() -> Iterator[int]:
            for number in range(5):
                clock.now += SLOW
                yield number

        assert sizes(generate(), clock) == [1, 1, 1, 1, 1, 0]

    def test_steps_that_are_slow_together_end_a_batch_too(self) -> None:
        clock = Clock()

        def generate() -> Iterator[int]:
            for number in range(10):
                clock.now += FAST * 0.4
                yield number

        assert sizes(generate(), clock) == [1, 2, 3, 1, 2, 1]

    @pytest.mark.parametrize("item", [b"x" * 30_000, "x" * 30_000, bytearray(30_000)])
    def test_a_batch_has_64_kib_at_most(self, item: object) -> None:
        assert sizes(iter([item] * 8)) == [1, 2, 2, 2, 1]

    def test_events_count_as_what_they_take_on_the_wire(self) -> None:
        steps = Steps({"n": number} for number in range(100))
        steps.freeze = lambda item: FrozenEvent(bytes(30_000))
        taken: list[int] = []
        while not steps.ended:
            before = len(steps.items)
            steps.fill()
            taken.append(len(steps.items) - before)
        assert max(taken) == 2

    def test_an_item_is_frozen_in_its_step(self) -> None:
        buffer = bytearray(b"a")

        def items() -> Iterator[bytearray]:
            for letter in b"bc":
                yield buffer
                buffer[:] = bytes([letter])

        steps = Steps(items())
        steps.freeze = lambda item: bytes(item) if isinstance(item, bytearray) else item
        while not steps.ended:
            steps.fill()
        assert list(steps.items) == [b"a", b"b"]

    def test_what_freezing_raises_is_an_error_of_the_iterable(self) -> None:
        def refuse(item: object) -> object:
            raise TypeError("no such item")

        steps = Steps(iter([bytearray()]))
        steps.freeze = refuse
        steps.fill()
        assert steps.ended
        assert isinstance(steps.error, TypeError)

    def test_an_item_beyond_that_is_a_batch_of_its_own(self) -> None:
        assert sizes(iter([b"x" * (BATCH_BYTES + 1)] * 3)) == [1, 1, 1, 0]

    @given(st.lists(st.integers(0, 70_000)))
    def test_items_come_whole_and_in_order_whatever_their_sizes(self, lengths: list[int]) -> None:
        items = [bytes(length) for length in lengths]
        taken = batches(Steps(iter(items)))
        assert [item for batch in taken for item in batch] == items
        assert all(len(batch) <= BATCH_ITEMS for batch in taken)

    def test_the_owner_can_end_a_batch_after_the_running_step(self) -> None:
        def generate() -> Iterator[int]:
            for number in range(100):
                steps.enough = number == 20
                yield number

        steps = Steps(generate())
        for _ in range(6):
            steps.fill()
        assert list(steps.items) == list(range(21))

    def test_once_the_owner_has_enough_no_batch_begins(self) -> None:
        source = Closable(range(100))
        steps = Steps(source)
        steps.fill()
        steps.enough = True
        steps.fill()
        assert source.steps == 1


class TestErrors:
    def test_items_before_an_error_are_kept(self) -> None:
        def generate() -> Iterator[int]:
            yield from range(5)
            raise ValueError("broken")

        steps = Steps(generate())
        assert batches(steps) == [[0], [1, 2], [3, 4]]
        assert isinstance(steps.error, ValueError)

    def test_an_object_that_cannot_be_iterated_is_an_error_like_any(self) -> None:
        class Broken:
            def __iter__(self) -> Iterator[object]:
                raise LookupError("no items")

        steps = Steps(Broken())
        steps.fill()
        assert (steps.ended, list(steps.items)) == (True, [])
        assert isinstance(steps.error, LookupError)

    def test_the_end_is_no_error(self) -> None:
        steps = Steps(iter(()))
        steps.fill()
        assert (steps.ended, steps.error) == (True, None)

    def test_no_step_is_taken_after_the_end(self) -> None:
        source = Closable(())
        steps = Steps(source)
        steps.fill()
        steps.fill()
        assert source.steps == 1

    @pytest.mark.parametrize(
        "raised", [StopAsyncIteration(), asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1), GeneratorExit()]
    )
    def test_an_error_that_event_loops_misunderstand_comes_inside_a_runtime_error(self, raised: BaseException) -> None:
        def generate() -> Iterator[int]:
            yield 1
            raise raised

        steps = Steps(generate())
        batches(steps)
        assert isinstance(steps.error, RuntimeError)
        assert steps.error.__cause__ is raised
        assert type(raised).__name__ in str(steps.error)


class TestClosing:
    def test_a_generator_is_closed_where_it_is(self) -> None:
        seen: list[str] = []

        def generate() -> Iterator[int]:
            try:
                yield from range(10)
            finally:
                seen.append("closed")

        steps = Steps(generate())
        steps.fill()
        assert not steps.can_close_at_once
        steps.close()
        steps.close()
        assert seen == ["closed"]

    def test_closing_drops_what_was_taken_ahead(self) -> None:
        steps = Steps(Closable(range(10)))
        steps.fill()
        steps.close()
        steps.fill()
        assert (list(steps.items), steps.ended) == ([], True)

    def test_a_generator_that_never_ran_or_has_ended_needs_no_thread(self) -> None:
        def generate() -> Iterator[int]:
            yield 1

        steps = Steps(generate())
        assert steps.can_close_at_once
        batches(steps)
        assert steps.can_close_at_once
        steps.close()

    def test_a_generator_that_somebody_else_has_begun_needs_a_thread(self) -> None:
        def generate() -> Iterator[int]:
            yield 1
            yield 2

        begun = generate()
        next(begun)
        steps = Steps(begun)
        assert not steps.can_close_at_once
        steps.close()
        assert list(begun) == []

    @pytest.mark.parametrize("fills", [0, 1, 2])
    def test_any_iterator_that_can_be_closed_is_closed_once(self, fills: int) -> None:
        source = Closable([1])
        steps = Steps(source)
        for _ in range(fills):
            steps.fill()
        assert not steps.can_close_at_once
        steps.close()
        steps.close()
        assert source.closings == 1

    def test_the_iterator_is_closed_and_so_is_the_iterable(self) -> None:
        """SPEC 4, PEP 3333."""

        class Rows:
            def __init__(self) -> None:
                self.iterator = Closable(range(5))
                self.closed = False

            def __iter__(self) -> Iterator[object]:
                return self.iterator

            def close(self) -> None:
                self.closed = True

        never_begun, begun = Rows(), Rows()
        steps = Steps(never_begun)
        assert not steps.can_close_at_once
        steps.close()
        steps = Steps(begun)
        steps.fill()
        steps.close()
        assert (begun.iterator.closings, begun.closed, never_begun.closed) == (1, True, True)

    def test_an_iterator_that_cannot_be_closed_is_left_alone(self) -> None:
        steps = Steps(iter(range(5)))
        steps.fill()
        assert steps.can_close_at_once
        steps.close()

    def test_an_error_of_the_closing_is_raised(self) -> None:
        with pytest.raises(ValueError, match="broken"):
            Steps(Closable((), ValueError("broken"))).close()

    def test_or_comes_inside_a_runtime_error(self) -> None:
        with pytest.raises(RuntimeError, match="raised CancelledError"):
            Steps(Closable((), asyncio.CancelledError())).close()


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


def test_all_steps_and_the_closing_share_a_context_whatever_thread_they_run_in() -> None:
    """A `finally` that resets a context variable fails in any other context than the one it was set in."""
    seen: list[str] = []

    def generate() -> Iterator[int]:
        token = VARIABLE.set("set")
        try:
            for number in range(10):
                seen.append(VARIABLE.get())
                yield number
        finally:
            VARIABLE.reset(token)
            seen.append(VARIABLE.get())

    steps = Steps(generate())
    for work in (steps.fill, steps.fill, steps.close):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == ["set", "set", "set", "unset"]
    assert VARIABLE.get() == "unset"
