"""Deferred work: each on its own, in order, and none lost without a word."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Sequence

import anyio
import anyio.to_thread
import pytest

from heaven_core import App
from heaven_core.protocol.events import DeferredCall
from heaven_io.deferred import TaskGroupRunner, run_calls
from heaven_io.reporting import hand_over
from heaven_io.worker_threads import MAX_THREADS, WorkerThreads

pytestmark = pytest.mark.anyio

Func = Callable[[App], object]


def threads() -> WorkerThreads:
    return WorkerThreads(MAX_THREADS)


def calls(*funcs: Func) -> list[DeferredCall]:
    return [DeferredCall(func, "always") for func in funcs]


class Reports:
    """An `on_error` that remembers."""

    def __init__(self) -> None:
        self.got: list[tuple[BaseException, str]] = []

    def __call__(self, error: BaseException, where: str) -> None:
        self.got.append((error, where))


class Log:
    """Calls that write down that they ran, and in which thread."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.threads: dict[str, int] = {}
        self.apps: set[App] = set()

    def note(self, name: str, app: App) -> None:
        self.names.append(name)
        self.threads[name] = threading.get_ident()
        self.apps.add(app)

    def sync(self, name: str) -> Func:
        return functools.partial(self.note, name)

    def coroutine(self, name: str) -> Func:
        async def call(app: App) -> None:
            await anyio.sleep(0)
            self.note(name, app)

        return call


async def fail(app: App) -> None:
    raise ValueError("broken")


def fail_in_a_thread(app: App) -> None:
    raise ValueError("broken in a thread")


class TestRunning:
    async def test_in_order_of_registration_with_the_app(self) -> None:
        log, app, reports = Log(), App(), Reports()
        await run_calls(
            calls(log.sync("1"), log.coroutine("2"), log.sync("3"), log.coroutine("4")), app, reports, threads()
        )
        assert log.names == ["1", "2", "3", "4"]
        assert log.apps == {app}
        assert reports.got == []

    async def test_a_def_has_a_worker_thread_and_an_async_def_the_loop(self) -> None:
        log = Log()
        await run_calls(calls(log.sync("sync"), log.coroutine("async")), App(), Reports(), threads())
        assert log.threads["async"] == threading.get_ident() != log.threads["sync"]

    async def test_an_awaitable_that_a_def_returns_is_awaited(self) -> None:
        log = Log()
        body = log.coroutine("returned")

        def call(app: App) -> object:
            return body(app)

        await run_calls(calls(call), App(), Reports(), threads())
        assert log.threads == {"returned": threading.get_ident()}

    async def test_any_callable_will_do(self) -> None:
        log = Log()

        class Sync:
            def __call__(self, app: App) -> None:
                log.note("object", app)

            def method(self, app: App) -> None:
                log.note("method", app)

        class Async:
            async def __call__(self, app: App) -> None:
                log.note("async object", app)

            async def method(self, app: App, more: str = "") -> None:
                log.note(f"async method{more}", app)

        await run_calls(
            calls(Sync(), Sync().method, Async(), Async().method, functools.partial(Async().method, more="!")),
            App(),
            Reports(),
            threads(),
        )
        assert log.names == ["object", "method", "async object", "async method", "async method!"]


class TestErrors:
    async def test_a_call_that_raises_is_reported_by_name_and_the_next_still_runs(self) -> None:
        log, reports = Log(), Reports()
        await run_calls(calls(fail, log.sync("1"), fail_in_a_thread, log.coroutine("2")), App(), reports, threads())
        assert log.names == ["1", "2"]
        assert [(str(error), where) for error, where in reports.got] == [
            ("broken", "deferred call fail"),
            ("broken in a thread", "deferred call fail_in_a_thread"),
        ]

    async def test_a_timeout_of_the_application_is_an_error_like_any(self) -> None:
        async def too_slow(app: App) -> None:
            with anyio.fail_after(0):
                await anyio.sleep_forever()

        log, reports = Log(), Reports()
        await run_calls(calls(too_slow, log.sync("next")), App(), reports, threads())
        assert [type(error) for error, _ in reports.got] == [TimeoutError]
        assert log.names == ["next"]

    async def test_so_is_an_exception_that_is_no_exception_class(self) -> None:
        class Odd(BaseException):
            pass

        def odd(app: App) -> None:
            raise Odd

        log, reports = Log(), Reports()
        await run_calls(calls(odd, log.sync("next")), App(), reports, threads())
        assert [type(error) for error, _ in reports.got] == [Odd]
        assert log.names == ["next"]

    async def test_a_keyboard_interrupt_ends_the_process(self) -> None:
        def leave(app: App) -> None:
            raise KeyboardInterrupt

        log, reports = Log(), Reports()
        with pytest.raises(KeyboardInterrupt):
            await run_calls(calls(leave, log.sync("next")), App(), reports, threads())
        assert (log.names, reports.got) == ([], [])

    @pytest.mark.parametrize("asynchronous", [False, True])
    async def test_an_exit_is_an_error_like_any(self, asynchronous: bool) -> None:
        """SPEC 5: the end of a command line's main is not that of the server."""

        def leave(app: App) -> None:
            raise SystemExit(3)

        async def leave_async(app: App) -> None:
            raise SystemExit(3)

        log, reports = Log(), Reports()
        await run_calls(calls(leave_async if asynchronous else leave, log.sync("next")), App(), reports, threads())
        assert [type(error) for error, _ in reports.got] == [SystemExit]
        assert log.names == ["next"]

    async def test_a_cancelled_owner_stops_and_logs_by_name_what_is_lost(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        log, reports = Log(), Reports()

        async def forever(app: App) -> None:
            log.note("forever", app)
            await anyio.sleep_forever()

        async with anyio.create_task_group() as group:
            group.start_soon(run_calls, calls(forever, log.sync("next")), App(), reports, threads())
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        assert (log.names, reports.got) == (["forever"], [])
        lost = [record.getMessage() for record in caplog.records]
        assert len(lost) == 2
        assert all(line.endswith("is lost: its task was cancelled") for line in lost)


def test_a_cancellation_of_something_that_a_call_waited_for_is_its_error() -> None:
    """On asyncio, where the task that one awaits may be cancelled by somebody else."""
    log, reports = Log(), Reports()

    async def waits_for_a_cancelled_task(app: App) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    async def test() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(run_calls, calls(waits_for_a_cancelled_task, log.sync("next")), App(), reports, threads())

    asyncio.run(test())
    assert [type(error) for error, _ in reports.got] == [asyncio.CancelledError]
    assert log.names == ["next"]


def test_a_native_cancellation_of_the_owner_is_none() -> None:
    log, reports = Log(), Reports()

    async def forever(app: App) -> None:
        await anyio.sleep_forever()

    async def test() -> None:
        task = asyncio.create_task(run_calls(calls(forever, log.sync("next")), App(), reports, threads()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(test())
    assert (log.names, reports.got) == ([], [])


class Blocking:
    """A call that waits until it is let through."""

    def __init__(self) -> None:
        self.open = anyio.Event()

    async def wait(self, app: App) -> None:
        await self.open.wait()


class TestRunner:
    async def test_starting_waits_for_nothing(self) -> None:
        log, blocking = Log(), Blocking()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads())
            runner.start(calls(blocking.wait, log.sync("after")), App())
            runner.start(calls(log.coroutine("other response")), App())
            await anyio.wait_all_tasks_blocked()
            assert log.names == ["other response"]
            blocking.open.set()
        assert log.names == ["other response", "after"]

    async def test_errors_are_reported(self) -> None:
        reports = Reports()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, reports, threads())
            runner.start(calls(fail), App())
            await runner.drain(10)
        assert [where for _, where in reports.got] == ["deferred call fail"]

    async def test_draining_waits_for_what_is_pending_and_what_comes_meanwhile(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        log, blocking = Log(), Blocking()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads())

            async def let_through() -> None:
                await anyio.wait_all_tasks_blocked()
                runner.start(calls(log.sync("meanwhile")), App())
                blocking.open.set()

            runner.start(calls(blocking.wait, log.sync("pending")), App())
            group.start_soon(let_through)
            await runner.drain(10)
            assert sorted(log.names) == ["meanwhile", "pending"]
        assert caplog.records == []

    async def test_draining_nothing_is_done_at_once(self, caplog: pytest.LogCaptureFixture) -> None:
        async with anyio.create_task_group() as group:
            await TaskGroupRunner(group, Reports(), threads()).drain(0)
        assert caplog.records == []

    async def test_calls_left_at_the_deadline_are_cancelled_and_logged_by_name(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        log, cleaned = Log(), list[str]()

        async def send_mail(app: App) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                cleaned.append("send_mail")

        async def count_visit(app: App) -> None:
            log.note("count_visit", app)

        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads())
            runner.start(calls(log.coroutine("ran"), send_mail, count_visit), App())
            await runner.drain(0.05)
        assert (log.names, cleaned) == (["ran"], ["send_mail"])
        assert [message.partition(" is lost: ")[0].rpartition(".")[2] for message in caplog.messages] == [
            "send_mail",
            "count_visit",
        ]
        assert caplog.messages[0].endswith("it had not ended 0.05 s after the shutdown began")

    async def test_a_def_that_hangs_does_not_hold_up_the_shutdown(self, caplog: pytest.LogCaptureFixture) -> None:
        begun, release, left = threading.Event(), threading.Event(), threading.Event()

        def hang(app: App) -> None:
            begun.set()
            release.wait(10)
            left.set()

        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads())
            runner.start(calls(hang), App())
            assert await anyio.to_thread.run_sync(begun.wait, 10)
            await runner.drain(0.01)
        assert not left.is_set()
        assert len(caplog.records) == 1
        release.set()
        assert await anyio.to_thread.run_sync(left.wait, 10)

    async def test_a_cleanup_that_hangs_does_not_hold_up_the_deadline(self) -> None:
        blocking = Blocking()

        async def stubborn(app: App) -> None:
            with anyio.CancelScope(shield=True):
                await blocking.wait(app)

        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads())
            runner.start(calls(stubborn), App())
            await runner.drain(0.01)
            blocking.open.set()

    async def test_calls_that_come_after_the_drain_are_lost_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        log = Log()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads())
            await runner.drain(0)
            runner.start(calls(fail, fail_in_a_thread), App())
        assert log.names == []
        assert caplog.messages == [
            "deferred call fail is lost: the server has shut down",
            "deferred call fail_in_a_thread is lost: the server has shut down",
        ]

    async def test_calls_that_a_cancelled_group_takes_along_are_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        blocking = Blocking()
        async with anyio.create_task_group() as group:
            TaskGroupRunner(group, Reports(), threads()).start(calls(blocking.wait, fail), App())
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        assert [message.rpartition(" is lost: ")[2] for message in caplog.messages] == ["its task was cancelled"] * 2


def lost(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The name of each call that was lost, and why."""
    found = [message.removeprefix("deferred call ").partition(" is lost: ") for message in caplog.messages]
    return [(name.rpartition(".")[2], why) for name, _, why in found]


class TestLimits:
    async def test_only_so_many_run_at_once_and_the_others_wait_in_order(self) -> None:
        log, blocking = Log(), Blocking()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads(), max_running=2, max_waiting=3)
            runner.start(calls(blocking.wait), App())
            runner.start(calls(log.coroutine("first")), App())
            for name in ("second", "third"):
                runner.start(calls(log.coroutine(name), log.coroutine(f"{name}, too")), App())
            assert log.names == []
            await anyio.wait_all_tasks_blocked()
            assert log.names == ["first", "second", "second, too", "third", "third, too"]
            blocking.open.set()

    async def test_when_too_many_wait_the_next_is_refused_and_logged_by_name(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        log, blocking = Log(), Blocking()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads(), max_running=1, max_waiting=1)
            runner.start(calls(blocking.wait), App())
            runner.start(calls(log.coroutine("waits")), App())
            runner.start(calls(fail, fail_in_a_thread), App())
            why = "those of 1 responses run and of 1 wait already"
            assert lost(caplog) == [("fail", why), ("fail_in_a_thread", why)]
            blocking.open.set()
        assert log.names == ["waits"]

    async def test_draining_waits_for_those_that_wait(self, caplog: pytest.LogCaptureFixture) -> None:
        log = Log()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads(), max_running=1)
            for number in range(5):
                runner.start(calls(log.coroutine(str(number))), App())
            await runner.drain(10)
            assert log.names == ["0", "1", "2", "3", "4"]
        assert caplog.records == []

    async def test_calls_that_still_wait_at_the_deadline_are_logged_by_name(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        blocking = Blocking()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads(), max_running=1)
            runner.start(calls(blocking.wait), App())
            runner.start(calls(fail), App())
            await runner.drain(0.01)
        why = "it had not ended 0.01 s after the shutdown began"
        assert lost(caplog) == [("wait", why), ("fail", why)]

    async def test_calls_that_wait_when_the_group_is_cancelled_are_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        blocking = Blocking()
        async with anyio.create_task_group() as group:
            runner = TaskGroupRunner(group, Reports(), threads(), max_running=1)
            runner.start(calls(blocking.wait), App())
            for _ in range(3):
                runner.start(calls(blocking.wait), App())
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        assert lost(caplog) == [("wait", "its task was cancelled")] * 4


class TestRunnersOfOnesOwn:
    async def test_a_runner_is_given_the_calls_and_the_app(self) -> None:
        given: list[tuple[list[str], object]] = []

        class Queue:
            def start(self, calls: Sequence[DeferredCall], app: object, /) -> None:
                given.append(([call.name for call in calls], app))

        app = App()
        hand_over(calls(fail), app, Queue(), Reports())
        assert given == [(["fail"], app)]

    async def test_a_runner_that_fails_is_reported_and_the_calls_are_logged_as_lost(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken:
            def start(self, calls: Sequence[DeferredCall], app: object, /) -> None:
                raise ConnectionError("no queue")

        reports = Reports()
        hand_over(calls(fail, fail_in_a_thread), App(), Broken(), reports)
        assert [(type(error), where) for error, where in reports.got] == [
            (ConnectionError, "the runner of deferred calls")
        ]
        assert lost(caplog) == [("fail", "its runner has failed"), ("fail_in_a_thread", "its runner has failed")]
