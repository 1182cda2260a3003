"""SPEC 3 and 5: threads that run the application's code: daemons, so many of a kind, with a way back to the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Final, final

import anyio
import anyio.from_thread
import pytest

from heaven_core import ResponseStarted
from heaven_io import worker_threads
from heaven_io.threads import Threads
from heaven_io.worker_threads import Work, WorkerThreads
from tests.io.python_program import PATIENCE, printed_by

pytestmark = pytest.mark.anyio

POOLS: Final = pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def threads_of(own: bool) -> WorkerThreads:
    return WorkerThreads(1, Threads("heaven-core test", 1)) if own else WorkerThreads(1)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.001)


async def answer() -> str:
    await anyio.sleep(0)
    return "from the loop"


@POOLS
async def test_what_a_call_returns_and_raises(own: bool) -> None:
    assert await Work(threads_of(own), lambda: 7).run() == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await Work(threads_of(own), lambda: int("seven")).run()


@POOLS
async def test_a_call_that_raises_stop_iteration_has_failed(own: bool) -> None:
    with anyio.fail_after(PATIENCE), pytest.raises(RuntimeError, match="StopIteration"):
        await Work(threads_of(own), lambda: next(iter(()))).run()


@POOLS
async def test_it_may_return_a_coroutine(own: bool) -> None:
    """As a `lambda` does that calls an `async def`."""
    coroutine = await Work(threads_of(own), answer).run()
    assert await coroutine == "from the loop"


@POOLS
async def test_its_thread_is_a_daemon(own: bool) -> None:
    assert await Work(threads_of(own), lambda: threading.current_thread().daemon).run()


async def test_it_may_call_the_event_loop() -> None:
    def call() -> str:
        return anyio.from_thread.run(answer) + anyio.from_thread.run_sync(str.upper, ", and again")

    with anyio.fail_after(PATIENCE):
        assert await Work(WorkerThreads(1), call).run() == "from the loop, AND AGAIN"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_so_may_it_in_a_thread_of_its_own(anyio_backend: str) -> None:
    """On trio it needs `token=` there."""
    with anyio.fail_after(PATIENCE):
        assert await Work(threads_of(own=True), lambda: anyio.from_thread.run(answer)).run() == "from the loop"


@POOLS
async def test_no_event_loop_runs_in_it(own: bool) -> None:
    """So that it may run one."""
    with anyio.fail_after(PATIENCE):
        assert await Work(threads_of(own), lambda: anyio.run(answer)).run() == "from the loop"


async def test_it_may_ask_whether_its_request_was_cancelled(gate: threading.Event) -> None:
    seen: list[str] = []

    def call() -> None:
        anyio.from_thread.check_cancelled()
        seen.append("not yet")
        gate.wait(PATIENCE)
        try:
            anyio.from_thread.check_cancelled()
        except BaseException as error:
            seen.append(type(error).__name__)

    async with anyio.create_task_group() as group:
        group.start_soon(Work(WorkerThreads(1), call).run)
        await until(lambda: seen == ["not yet"])
        group.cancel_scope.cancel()
    gate.set()
    await until(lambda: len(seen) == 2)
    assert seen[1] in ("CancelledError", "Cancelled")


async def test_no_more_than_the_limit_run_at_once(gate: threading.Event) -> None:
    threads = WorkerThreads(2)
    begun: list[int] = []

    def call() -> None:
        begun.append(0)
        gate.wait(PATIENCE)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(Work(threads, call).run)
        await until(lambda: len(begun) == 2)
        await anyio.wait_all_tasks_blocked()
        assert len(begun) == 2
        gate.set()
    assert len(begun) == 5


@final
class Held:
    """A call that waits at `gate`, and then does `last`. `begun` and `ended` say how far it has come."""

    def __init__(self, gate: threading.Event, last: Callable[[], object] = int) -> None:
        self._gate: Final = gate
        self._last: Final = last
        self.begun: Final = threading.Event()
        self.ended: Final = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        self._gate.wait(PATIENCE)
        try:
            self._last()
        finally:
            self.ended.set()


async def cancelled(held: Held, threads: WorkerThreads, patience: float = 0.0) -> None:
    """Have it called, and cancel whoever waits for it."""
    async with anyio.create_task_group() as group:
        group.start_soon(Work(threads, held, "handler report", patience=patience).run)
        await until(held.begun.is_set)
        group.cancel_scope.cancel()


def too_late() -> None:
    raise ValueError("too late")


def answer_to_nobody() -> None:
    raise ResponseStarted("the client has left")


class TestLeftBehind:
    async def test_nobody_waits_for_it_it_no_longer_counts_and_the_log_names_it(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        threads = WorkerThreads(1)
        await cancelled(Held(gate), threads)
        assert caplog.messages == [
            "handler report has not returned: nobody waits for it any more, its thread is left behind"
        ]
        with anyio.fail_after(PATIENCE):
            assert await Work(threads, lambda: "next").run() == "next"

    async def test_what_it_still_raises_is_logged(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        await cancelled(Held(gate, too_late), WorkerThreads(1))
        gate.set()
        await until(lambda: len(caplog.records) == 2)
        assert caplog.messages[1] == "error in handler report, whose thread was left behind"
        assert "too late" in caplog.text

    @pytest.mark.parametrize("last", [anyio.from_thread.check_cancelled, answer_to_nobody])
    async def test_but_not_that_it_was_told_to_end_nor_that_its_answer_goes_nowhere(
        self, last: Callable[[], object], gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        held = Held(gate, last)
        threads = WorkerThreads(1)
        await cancelled(held, threads)
        gate.set()
        await until(lambda: held.ended.is_set() and not threads.left)
        assert len(caplog.messages) == 1

    async def test_one_that_waits_for_a_thread_is_dropped(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        threads = WorkerThreads(1)
        done: list[str] = []
        async with anyio.create_task_group() as outer:
            outer.start_soon(Work(threads, lambda: gate.wait(PATIENCE)).run)
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as group:
                group.start_soon(Work(threads, lambda: done.append("done"), "handler report").run)
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            gate.set()
        await Work(threads, lambda: done.append("next")).run()
        assert (done, caplog.messages) == (["next"], [])

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_one_that_is_cancelled_natively_in_its_first_turn_gives_its_turn_back(
        self, anyio_backend: str
    ) -> None:
        threads = WorkerThreads(1)
        for _ in range(3):
            task = asyncio.get_running_loop().create_task(Work(threads, int).run())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        with anyio.fail_after(PATIENCE):
            assert await Work(threads, int).run() == 0

    async def test_who_waits_in_the_queue_and_gets_a_turn_as_he_is_cancelled_hands_it_on(
        self, gate: threading.Event
    ) -> None:
        threads = WorkerThreads(1)
        turn = threads.take()
        assert turn is None
        waiting = Work(threads, int)
        async with anyio.create_task_group() as group:
            group.start_soon(waiting.run)
            await anyio.wait_all_tasks_blocked()
            threads.give_back()
            group.cancel_scope.cancel()
        with anyio.fail_after(PATIENCE):
            assert await Work(threads, int).run() == 0

    async def test_it_has_a_while_to_come_to_its_end(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What is round its call, a session of the database say, is closed then."""
        notes: list[str] = []

        def call() -> None:
            notes.append("begun")
            gate.wait(PATIENCE)
            notes.append("ended")

        async def session() -> None:
            try:
                await Work(WorkerThreads(1), call, "handler report", patience=PATIENCE).run()
            finally:
                notes.append("session closed")

        async with anyio.create_task_group() as group:
            group.start_soon(session)
            await until(lambda: notes == ["begun"])
            group.cancel_scope.cancel()
            gate.set()
        assert notes == ["begun", "ended", "session closed"]
        assert caplog.messages == []

    async def test_but_not_for_ever(self, gate: threading.Event) -> None:
        held = Held(gate)
        await cancelled(held, WorkerThreads(1), patience=0.01)
        assert not held.ended.is_set()

    async def test_when_there_are_very_many_they_count(
        self, gate: threading.Event, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Clients who come and go again must not take all the threads of the machine."""
        monkeypatch.setattr(worker_threads, "MOST_LEFT", 1)
        threads = WorkerThreads(1)
        for _ in range(2):
            await cancelled(Held(gate), threads)
        assert caplog.messages[-1] == "2 threads are left behind: this one still counts among those that may run"
        assert threads.take() is not None
        gate.set()
        await until(lambda: not threads.left)


def test_where_anyio_tells_other_threads_nothing_its_own_do_the_work() -> None:
    """Those are no daemons, but the way back to the loop is there."""
    program = (
        "import threading, anyio\n"
        "from anyio._core import _eventloop\n"
        "import anyio._backends._asyncio\n"  # which has it already
        "del _eventloop.claim_worker_thread\n"
        "from heaven_io.worker_threads import Work, WorkerThreads\n"
        "async def answer():\n"
        "    return 'from the loop'\n"
        "async def main():\n"
        "    print(await Work(WorkerThreads(1), lambda: anyio.from_thread.run(answer)).run())\n"
        "    print(await Work(WorkerThreads(1), lambda: threading.current_thread().name).run())\n"
        "anyio.run(main)\n"
    )
    assert printed_by(program).splitlines() == ["from the loop", "AnyIO worker thread"]
