"""SPEC 3: threads of a kind. So many at most, daemons, and whoever waits for one gets one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final

import anyio
import pytest

from heaven_core._typing import override
from heaven_io import threads as threads_module
from heaven_io.in_threads import run_in
from heaven_io.soon import soon
from heaven_io.threads import Threads
from tests.io.python_program import PATIENCE, printed_by

NAME: Final = "heaven-core test"


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def alive(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


class TestThreads:
    def test_what_a_function_returns_and_raises(self) -> None:
        threads = Threads(NAME, 1)

        def fail(text: str) -> None:
            raise SystemExit(text)

        assert threads.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
        with pytest.raises(SystemExit, match="no end of the process"):
            threads.submit(fail, text="no end of the process").result(PATIENCE)
        assert threads.submit(int).result(PATIENCE) == 0

    def test_no_more_than_the_limit_run_at_once(self, gate: threading.Event) -> None:
        threads = Threads(f"{NAME} limit", 3)
        begun: list[int] = []

        def hold(number: int) -> None:
            begun.append(number)
            gate.wait(PATIENCE)

        futures = [threads.submit(hold, number) for number in range(10)]
        until(lambda: len(begun) == 3)
        assert len(alive(f"{NAME} limit")) == 3
        gate.set()
        for future in futures:
            future.result(PATIENCE)
        assert sorted(begun) == list(range(10))
        assert len(alive(f"{NAME} limit")) == 3

    def test_what_waits_has_its_turn_in_order(self, gate: threading.Event) -> None:
        threads = Threads(NAME, 1)
        done: list[int] = []
        threads.submit(gate.wait, PATIENCE)
        futures = [threads.submit(done.append, number) for number in range(20)]
        gate.set()
        for future in futures:
            future.result(PATIENCE)
        assert done == list(range(20))

    def test_a_thread_that_is_idle_is_used_again(self) -> None:
        threads = Threads(f"{NAME} again", 5)
        seen: set[int] = set()
        for _ in range(10):
            seen.add(threads.submit(threading.get_ident).result(PATIENCE))
            until(lambda: threads.idle == 1)
        assert len(seen) == 1

    def test_it_ends_when_there_is_nothing_to_do(self) -> None:
        threads = Threads(f"{NAME} idle", 5, idle=0.001)
        threads.submit(int).result(PATIENCE)
        until(lambda: not alive(f"{NAME} idle"))
        assert threads.submit(int).result(PATIENCE) == 0

    def test_work_that_was_cancelled_before_its_turn_is_not_done(self, gate: threading.Event) -> None:
        threads = Threads(NAME, 1)
        done: list[str] = []
        threads.submit(gate.wait, PATIENCE)
        cancelled = threads.submit(done.append, "cancelled")
        assert cancelled.cancel()
        last = threads.submit(done.append, "last")
        gate.set()
        last.result(PATIENCE)
        assert done == ["last"]

    def test_after_the_shutdown_what_waits_is_done_and_nothing_is_taken(self, gate: threading.Event) -> None:
        threads = Threads(f"{NAME} shutdown", 1, idle=None)
        threads.submit(gate.wait, PATIENCE)
        waiting = threads.submit(lambda: "done")
        threads.shutdown()
        with pytest.raises(RuntimeError, match="no work is taken any more"):
            threads.submit(int)
        gate.set()
        assert waiting.result(PATIENCE) == "done"
        until(lambda: not alive(f"{NAME} shutdown"))

    def test_or_it_is_dropped(self, gate: threading.Event) -> None:
        threads = Threads(f"{NAME} dropped", 1)
        threads.submit(gate.wait, PATIENCE)
        waiting = threads.submit(int)
        threads.shutdown(cancel_futures=True)
        gate.set()
        until(lambda: not alive(f"{NAME} dropped"))
        assert waiting.cancelled()

    def test_where_no_thread_can_begin_the_ones_that_there_are_do_it(
        self, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        threads = Threads(NAME, 2)
        threads.submit(gate.wait, PATIENCE)

        class Refused(threading.Thread):
            @override
            def start(self) -> None:
                raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threads_module, "Thread", Refused)
        waiting: Future[int] = threads.submit(int)
        gate.set()
        assert waiting.result(PATIENCE) == 0
        with pytest.raises(RuntimeError, match="can't start new thread"):
            Threads(NAME, 1).submit(int)

    def test_they_don_t_keep_the_process_from_ending(self) -> None:
        program = (
            "import threading\n"
            "from heaven_io.threads import Threads\n"
            "begun = threading.Event()\n"
            "Threads('hangs', 1).submit(lambda: (begun.set(), threading.Event().wait()))\n"
            "begun.wait()\n"
        )
        printed_by(program)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
    def test_a_child_has_threads_of_its_own(self) -> None:
        """It has none of its parent's."""
        program = (
            "import os, threading\n"
            "from heaven_io.threads import Threads\n"
            "threads = Threads('forked', 1)\n"
            "gate = threading.Event()\n"
            "threads.submit(gate.wait)\n"
            "child = os.fork()\n"
            "if not child:\n"
            "    os._exit(threads.submit(lambda: 7).result(10))\n"
            "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        )
        printed_by(program)


@pytest.mark.anyio
class TestOnALoop:
    async def test_what_a_function_returns_and_raises(self) -> None:
        threads = Threads(NAME, 1)
        assert await run_in(threads, divmod, 7, 2) == (3, 1)
        with pytest.raises(ValueError, match="invalid literal"):
            await run_in(threads, int, "seven")

    async def test_the_loop_goes_on_meanwhile(self, gate: threading.Event) -> None:
        threads = Threads(NAME, 1)
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(run_in, threads, gate.wait, PATIENCE)
                await anyio.sleep(0)
                gate.set()

    async def test_a_stop_iteration_comes_inside_another_error(self) -> None:
        """asyncio would let whoever awaits it wait for ever."""
        with anyio.fail_after(PATIENCE), pytest.raises(RuntimeError, match="raised StopIteration"):
            await run_in(Threads(NAME, 1), next, iter(()))

    async def test_who_is_cancelled_does_not_wait_for_what_has_begun(self, gate: threading.Event) -> None:
        begun = threading.Event()
        done: list[str] = []

        def work() -> None:
            begun.set()
            gate.wait(PATIENCE)
            done.append("done")

        async with anyio.create_task_group() as group:
            group.start_soon(run_in, Threads(NAME, 1), work)
            while not begun.is_set():
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
        assert done == []
        gate.set()
        until(lambda: done == ["done"])

    async def test_what_has_not_begun_by_then_never_does(self, gate: threading.Event) -> None:
        threads = Threads(NAME, 1)
        done: list[str] = []
        first = threads.submit(gate.wait, PATIENCE)
        async with anyio.create_task_group() as group:
            group.start_soon(run_in, threads, done.append, "cancelled")
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        gate.set()
        first.result(PATIENCE)
        await run_in(threads, done.append, "last")
        assert done == ["last"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_that_comes_after_the_end_of_its_loop_is_dropped(backend: str) -> None:
    called: list[str] = []

    async def main() -> Callable[[], None]:
        return soon(lambda: called.append("called"))

    tell = anyio.run(main, backend=backend)
    tell()
    assert called == []
