"""Many timeouts behind few timers of the event loop."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Final

import pytest
from typing_extensions import override

from heaven_driver.timers import Timers
from tests.driver.memory import PATIENCE

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


class Waiter:
    """Notes its name when its time is over."""

    def __init__(self, name: str, elapsed: list[str]) -> None:
        self.name: Final = name
        self.elapsed: Final = elapsed
        self.at = 0.0

    def elapse(self) -> None:
        self.at = asyncio.get_running_loop().time()
        self.elapsed.append(self.name)


async def until(elapsed: list[str], count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(elapsed) < count:
            await asyncio.sleep(0.001)


async def test_each_timeout_elapses_once_in_order_and_never_early() -> None:
    timers, elapsed = Timers(), list[str]()
    waiters = [Waiter(str(number), elapsed) for number in range(5)]
    began = list[float]()
    for waiter in waiters:
        began.append(asyncio.get_running_loop().time())
        timers.set(0.05, waiter)
        await asyncio.sleep(0.005)
    await until(elapsed, 5)
    await asyncio.sleep(0.06)
    assert elapsed == ["0", "1", "2", "3", "4"]
    assert all(waiter.at >= start + 0.05 for waiter, start in zip(waiters, began, strict=True))


async def test_lengths_have_nothing_to_do_with_each_other() -> None:
    timers, elapsed = Timers(), list[str]()
    timers.set(0.1, Waiter("long", elapsed))
    timers.set(0.01, Waiter("short", elapsed))
    await until(elapsed, 2)
    assert elapsed == ["short", "long"]


async def test_a_timeout_that_is_cleared_does_not_elapse() -> None:
    timers, elapsed = Timers(), list[str]()
    first, second = Waiter("first", elapsed), Waiter("second", elapsed)
    timers.set(0.02, first)
    timers.set(0.02, second)
    timers.clear(0.02, first)
    timers.clear(0.02, first)
    timers.clear(0.5, second)
    await until(elapsed, 1)
    assert elapsed == ["second"]


async def test_a_timeout_that_is_set_again_begins_anew() -> None:
    timers, elapsed = Timers(), list[str]()
    again, other = Waiter("again", elapsed), Waiter("other", elapsed)
    timers.set(0.03, again)
    timers.set(0.03, other)
    timers.clear(0.03, again)
    timers.set(0.03, again)
    await until(elapsed, 2)
    assert elapsed == ["other", "again"]


async def test_a_timeout_may_be_set_while_another_elapses() -> None:
    timers, elapsed = Timers(), list[str]()

    class Chain(Waiter):
        @override
        def elapse(self) -> None:
            super().elapse()
            if len(self.elapsed) < 3:
                timers.set(0.01, self)

    timers.set(0.01, Chain("again", elapsed))
    await until(elapsed, 3)


async def test_a_timeout_that_has_been_cleared_leaves_nothing_behind() -> None:
    timers, elapsed = Timers(), list[str]()
    waiter = Waiter("gone", elapsed)
    timers.set(10.0, waiter)
    timers.clear(10.0, waiter)
    gone = weakref.ref(waiter)
    del waiter
    gc.collect()
    assert gone() is None
