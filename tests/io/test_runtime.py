"""The clocks, the chance and the tracebacks that the core is given."""

from __future__ import annotations

import asyncio
import time

import pytest

from heaven_io.runtime import system_runtime


def test_the_clocks_are_those_of_the_system() -> None:
    runtime = system_runtime()
    before = time.time(), time.monotonic()
    now = runtime.wall(), runtime.monotonic()
    after = time.time(), time.monotonic()
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_a_token_is_128_bits_of_letters_and_digits_and_never_the_same() -> None:
    tokens = {system_runtime().token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(token) == 32 and token.isascii() and token.isalnum() for token in tokens)


def test_an_error_is_described_with_traceback_and_cause() -> None:
    def fail() -> None:
        raise ValueError("outer") from KeyError("inner")

    with pytest.raises(ValueError, match="outer") as caught:
        fail()
    text = system_runtime().describe(caught.value)
    assert "KeyError: 'inner'" in text
    assert "in fail" in text
    assert text.endswith("ValueError: outer\n")


def test_where_no_event_loop_runs_each_cancellation_is_foreign() -> None:
    """A `def` handler under WSGI may have asked a loop of its own."""
    runtime = system_runtime()
    assert runtime.is_foreign(asyncio.CancelledError())
    assert not runtime.is_foreign(SystemExit())


def test_in_a_task_it_is_foreign_until_somebody_cancels_that() -> None:
    told: list[bool] = []

    async def ask() -> None:
        task = asyncio.current_task()
        assert task is not None
        told.append(system_runtime().is_foreign(asyncio.CancelledError()))
        task.cancel()
        told.append(system_runtime().is_foreign(asyncio.CancelledError()))

    async def main() -> None:
        await asyncio.wait({asyncio.create_task(ask())})

    asyncio.run(main())
    assert told == [True, False]


def test_outside_of_any_task_nobody_can_tell_so_that_it_is_none() -> None:
    """A loop may run coroutines without a task of asyncio's."""

    async def main() -> bool:
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def tell() -> None:
            told.set_result(system_runtime().is_foreign(asyncio.CancelledError()))

        asyncio.get_running_loop().call_soon(tell)
        return await told

    assert asyncio.run(main()) is False
