"""Work that outlives those who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest

from heaven_io.detached import Job, begin

pytestmark = pytest.mark.anyio


class Work:
    """Waits to be let through, then returns 42 or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.open = anyio.Event()
        self.error = error

    async def __call__(self) -> int:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return 42


class Late:
    """Takes a result that came too late."""

    def __init__(self, error: Exception | None = None) -> None:
        self.got: list[int] = []
        self.came = anyio.Event()
        self.error = error

    async def __call__(self, result: int) -> None:
        self.got.append(result)
        self.came.set()
        if self.error is not None:
            raise self.error


async def abandon(job: Job[int], late: Callable[[int], Awaitable[None]]) -> None:
    """Wait for the job, be cancelled, and say so."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            await job.result()
        except anyio.get_cancelled_exc_class():
            job.abandon(late)
            raise


async def test_the_result_is_what_the_work_returned() -> None:
    work = Work()
    job = begin(work, "work")
    assert not job.finished
    work.open.set()
    assert [await job.result(), await job.result()] == [42, 42]
    assert job.finished


async def test_an_error_is_raised_where_the_result_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(ValueError("broken"))
    job = begin(work, "work")
    work.open.set()
    with pytest.raises(ValueError, match="broken"):
        await job.result()
    assert caplog.records == []


async def test_a_cancelled_wait_leaves_the_work_alone() -> None:
    work = Work()
    job = begin(work, "work")
    with anyio.move_on_after(0):
        await job.result()
    work.open.set()
    assert await job.result() == 42


async def test_a_result_that_comes_too_late_is_handed_over() -> None:
    work, late = Work(), Late()
    job = begin(work, "work")
    await abandon(job, late)
    work.open.set()
    await late.came.wait()
    assert late.got == [42]


async def test_a_result_that_was_there_already_is_handed_over_too() -> None:
    work, late = Work(), Late()
    job = begin(work, "work")
    work.open.set()
    await job.result()
    job.abandon(late)
    await late.came.wait()
    assert late.got == [42]


async def test_a_late_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    work, late = Work(ValueError("broken")), Late()
    job = begin(work, "the work")
    await abandon(job, late)
    work.open.set()
    await anyio.wait_all_tasks_blocked()
    assert late.got == []
    assert caplog.messages == ["error in the work"]


async def test_so_is_one_of_the_taker(caplog: pytest.LogCaptureFixture) -> None:
    work, late = Work(), Late(ValueError("broken"))
    job = begin(work, "the work")
    await abandon(job, late)
    work.open.set()
    await late.came.wait()
    await anyio.wait_all_tasks_blocked()
    assert caplog.messages == ["error in the work"]


async def test_abandoning_a_job_whose_error_was_raised_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    work, late = Work(ValueError("broken")), Late()
    job = begin(work, "work")
    work.open.set()
    with pytest.raises(ValueError, match="broken"):
        await job.result()
    job.abandon(late)
    await anyio.wait_all_tasks_blocked()
    assert (late.got, caplog.records) == ([], [])


async def test_an_error_that_was_there_already_and_nobody_has_heard_of_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work, late = Work(ValueError("broken")), Late()
    job = begin(work, "work")
    work.open.set()
    while not job.finished:
        await anyio.sleep(0)
    job.abandon(late)
    assert (late.got, [record.getMessage() for record in caplog.records]) == ([], ["error in work"])


def test_when_the_loop_closes_nobody_is_left_waiting() -> None:
    async def never() -> int:
        await asyncio.Event().wait()
        return 42

    async def test() -> None:
        job = begin(never, "the work")
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with pytest.raises(RuntimeError, match="the work was cut short: the event loop is closing"):
            await job.result()

    asyncio.run(test())
