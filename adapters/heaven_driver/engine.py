"""Serves an app on any wire: each request to its response, and what there is between the first and the last of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import Final, final
from weakref import WeakKeyDictionary

import anyio

from heaven_core._callable_name import callable_name
from heaven_core.app.app import App
from heaven_core.app.dispatch import respond, time_out
from heaven_core.http.headers import Field
from heaven_core.machine.fast_path import render
from heaven_core.machine.machine import Machine
from heaven_core.message.draft import Draft
from heaven_core.message.request import Request
from heaven_core.message.response import Response
from heaven_core.protocol.events import DeferredCall
from heaven_core.protocol.outcome import OutcomeKind
from heaven_driver.driver import Driver
from heaven_driver.given import check_app, check_count, check_seconds, check_timeout, lifespan_of
from heaven_driver.send_timeout import SendTimeout
from heaven_driver.shutdown import OpenStreams
from heaven_driver.signals import heard_first
from heaven_driver.wire import Peer, Wakeable, Wire
from heaven_io.cancelling import is_own_cancellation
from heaven_io.deferred import MAX_RUNNING, MAX_WAITING, TaskGroupRunner, run_calls
from heaven_io.detached import begin
from heaven_io.files import ReadableFile
from heaven_io.reporting import hand_over, log_error, log_warning
from heaven_io.runtime import system_runtime
from heaven_io.soon import soon
from heaven_io.streams import Stream
from heaven_io.telling import Telling
from heaven_io.worker_threads import MAX_THREADS, Work, WorkerThreads

__all__ = ["Engine", "on_asyncio", "running_loop"]


@final
class _Nowhere:
    """The wire and the peer of a request that was cancelled."""

    __slots__ = ()

    @property
    def gone(self) -> bool:
        return True

    def watch(self, waiting: Wakeable, streaming: bool) -> None:
        waiting.wake()

    def confirm(self) -> None:
        pass

    def send_whole(self, status: int, fields: list[Field], body: bytes, close: bool) -> None:
        raise BrokenPipeError

    def send_head(self, status: int, fields: list[Field], length: int | None, close: bool, more: bool) -> None:
        raise BrokenPipeError

    def send_body(self, chunks: Sequence[bytes], ended: bool) -> None:
        raise BrokenPipeError

    def send_file(self, file: ReadableFile, offset: int, count: int, whole: bool) -> None:
        raise BrokenPipeError

    def reset(self) -> None:
        pass


_NOWHERE: Final = _Nowhere()
_NO_LIFESPAN: Final = (
    "App(lifespan=) has not been entered, and requests come: the server sends no lifespan (it may be switched off), or "
    "the app that this one is mounted in keeps it to itself. There enter it: async with adapter.lifespan(): ..."
)


@final
class _Loop:
    """What the requests of one event loop share: its open streams, threads, and the runner of deferred work."""

    __slots__ = ("adopt", "deferred", "handlers", "runner", "sends", "streams")

    def __init__(self, streams: OpenStreams, send_timeout: float | None, threads: tuple[int, int, int]) -> None:
        self.streams: Final = streams
        self.sends: Final = SendTimeout(send_timeout, streams.timers, on_asyncio())
        handlers, steps, deferred = threads
        self.handlers: Final = WorkerThreads(handlers)
        self.adopt: Final = partial(Stream, threads=WorkerThreads(steps))
        self.deferred: Final = WorkerThreads(deferred)
        self.runner: TaskGroupRunner | None = None


@final
class Engine:
    """Serves `app`, on asyncio and on trio, in one event loop or in several.

    - `date_lag`: seconds by which the Date field may be late; see `Runtime`;
    - `deferred_deadline`: seconds that deferred work gets at the shutdown; what is pending then is cancelled and logged
      by name;
    - `max_deferred`: of how many responses it runs at a time, and `max_deferred_waiting` of how many more it waits; of
      the next it is refused and logged by name;
    - `max_handler_threads`, `max_stream_threads`, `max_deferred_threads`: in how many threads at a time handlers of
      `thread=True` routes run, sync streams, and deferred `def` calls, in one event loop; the next wait for their turn;
    - `closing_limit`: seconds that a stream gets to close when it has ended or its client has gone; what is slower is
      given up and reported;
    - `stream_deadline`: seconds that streams get at the shutdown; what has not ended by then is broken off. Streams of
      events end at once, since they have no end of their own;
    - `send_timeout`: seconds after which a client that takes nothing is gone, `None` for never. The wire sees to it, as
      it knows its transport; for one that can't tell what has been taken there is `sends`;
    - `handler_time`: seconds that hooks and handler get, in `serve`; then they are cancelled, which is a failure and a
      503. What runs in a thread can't be cancelled;
    - `signals`: whether streams hear SIGTERM and SIGINT themselves where `live` was not called.
    """

    __slots__ = (
        "_closing_limit", "_deferred_deadline", "_handler_time",
        "_loops", "_max_deferred", "_max_deferred_waiting", "_signals",
        "_stream_deadline", "_threads", "_waits_for_life", "app", "registry", "runtime", "send_timeout",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  # each has a name
        self,
        app: App,
        *,
        date_lag: float = 0.0,
        deferred_deadline: float = 10.0,
        max_deferred: int = MAX_RUNNING,
        max_deferred_waiting: int = MAX_WAITING,
        max_handler_threads: int = MAX_THREADS,
        max_stream_threads: int = MAX_THREADS,
        max_deferred_threads: int = MAX_THREADS,
        closing_limit: float = 5.0,
        stream_deadline: float = 10.0,
        send_timeout: float | None = 60.0,
        handler_time: float | None = None,
        signals: bool = False,
    ) -> None:
        if max_deferred < 1 or max_deferred_waiting < 0:
            raise ValueError(
                f"max_deferred= must be 1 or more and max_deferred_waiting= 0 or more, "
                f"not {max_deferred} and {max_deferred_waiting}"
            )
        self.app: Final = check_app(app, "an adapter")
        self.registry: Final = app.registry
        self.runtime: Final = system_runtime(partial(_spawn, Telling()), date_lag=date_lag)
        self._deferred_deadline: Final = check_seconds("deferred_deadline", deferred_deadline)
        self._max_deferred: Final = max_deferred
        self._max_deferred_waiting: Final = max_deferred_waiting
        self._threads: Final = (
            check_count("max_handler_threads", max_handler_threads),
            check_count("max_stream_threads", max_stream_threads),
            check_count("max_deferred_threads", max_deferred_threads),
        )
        self._closing_limit: Final = check_seconds("closing_limit", closing_limit)
        self._stream_deadline: Final = check_seconds("stream_deadline", stream_deadline)
        self.send_timeout: Final = check_timeout("send_timeout", send_timeout)
        self._handler_time: Final = handler_time
        self._signals: Final = signals
        self._waits_for_life = app.lifespan is not None
        # A server may run several with one engine, tests one after the other.
        self._loops: Final[WeakKeyDictionary[object, _Loop]] = WeakKeyDictionary()

    async def serve(self, request: Request[object], wire: Wire, peer: Peer) -> None:
        """Have the app answer one request, and send that.

        Raises what the wire raises but `OSError`, and a cancellation; whatever comes, what is open is closed, and the
        deferred work handed over.
        """
        draft = self.begin()
        try:
            if self._handler_time is None:
                await self.respond(request, draft)
            else:
                await self._respond_within(self._handler_time, request, draft)
        except BaseException as error:
            await self.abandon(request, draft, error)
            raise
        rendered = self.render(request, draft)
        if rendered is None:
            await self.send(request, draft, wire, peer)
            return
        fields, body = rendered
        sent = False
        try:
            sending = wire.send_whole(draft.status, fields, body, draft.options.close)
            if sending is not None:
                await sending
            sent = True
            if draft.deferred is not None:  # which wants to know for certain
                confirming = peer.confirm()
                if confirming is not None:
                    sent = await confirming
        except OSError:
            pass  # the client has gone, and there is nobody to tell
        finally:
            deferring = self.finish(draft, len(body), sent)
            if deferring is not None:
                await deferring

    # The parts of `serve`, for an adapter that sends a whole response itself: under ASGI a wire, its calls and one more
    # coroutine cost a small response an eighth (benchmarks/dispatch.py).

    def begin(self) -> Draft:
        """Begin a response, at the arrival of its request. The first one shows whether a lifespan has come."""
        if self._waits_for_life:
            self._waits_for_life = False
            if self._here().runner is None:
                log_warning(_NO_LIFESPAN)
        return Draft(self.app, self.runtime)

    def respond(self, request: Request[object], draft: Draft) -> Awaitable[None]:
        """Run hooks and handler. What is raised is for `abandon`; then it passes on."""
        request.app = self.app
        return respond(self.registry, request, draft, self.runtime, self.handle_in_thread)

    async def _respond_within(self, seconds: float, request: Request[object], draft: Draft) -> None:
        request.app = self.app
        with anyio.move_on_after(seconds) as scope:
            await respond(self.registry, request, draft, self.runtime, partial(self._handle_untimed, scope))
        if scope.cancelled_caught:
            await time_out(self.registry, request, draft, self.runtime, seconds)

    async def handle_in_thread(self, handling: Callable[[], object]) -> object:
        """Call the handler of a `thread=True` route in a thread.

        Where its request is cancelled it has `closing_limit` seconds to return, since what is round it is left then.
        """
        return await self._in_thread(handling).run()

    def _in_thread(self, handling: Callable[[], object]) -> Work[object]:
        name = f"handler {callable_name(handling)}"
        return Work(self._here().handlers, handling, name, patience=self._closing_limit)

    async def _handle_untimed(self, scope: anyio.CancelScope, handling: Callable[[], object]) -> object:
        """As `handle_in_thread`; once it runs, to its end: it can't be cancelled, and the response is in its hands."""
        work = self._in_thread(handling)
        await work.wait_for_turn()
        deadline, scope.deadline = scope.deadline, math.inf
        try:
            return await work.run()
        finally:
            scope.deadline = deadline

    async def abandon(self, request: Request[object], draft: Draft, error: BaseException) -> None:
        """End a response whose request `error` has ended: nothing goes out, and what it holds is closed.

        Where that is no cancellation of the request, the application has failed.
        """
        if isinstance(error, GeneratorExit):
            return  # the event loop is closed already: nothing can be awaited any more
        if not is_own_cancellation(error):
            draft.fail(error, self.runtime.describe)
            self.report(error, f"{request.method} {request.path!r}")
        draft.lose_client()
        with anyio.CancelScope(shield=True):
            await self.send(request, draft, _NOWHERE, _NOWHERE)

    def render(self, request: Request[object], draft: Draft) -> tuple[list[Field], bytes] | None:
        """The field lines and the body of a response that can be sent at once; then call `finish`, else `send`."""
        return None if self.app.observers.any else render(draft, request.method)

    def finish(self, draft: Draft, size: int, sent: bool) -> Awaitable[None] | None:
        """End a response whose `size` bytes were sent, or could not be. What it returns hands over deferred work."""
        kind: OutcomeKind = "failed" if draft.failed else "complete" if sent else "disconnected"
        draft.ending = (kind, size if sent else 0, self.runtime.monotonic())
        if draft.deferred is None:
            return None
        calls = draft.due(kind)
        return self._defer_in_the_end(calls) if calls else None

    def send(self, request: Request[object], draft: Draft, wire: Wire, peer: Peer) -> Awaitable[None]:
        """Send a response through a machine: files and streams, and whatever takes a decision."""
        loop = self._here()
        machine = Machine(Response(draft), request, self.runtime, loop.adopt)
        observers = self.app.observers
        tell = partial(observers.tell, request, runtime=self.runtime) if observers.any else None
        driver = Driver(machine, wire, peer, loop.streams, tell)
        return self._drive(driver) if on_asyncio() else self._drive_on_trio(driver)

    async def live(
        self, serving: Callable[[], Awaitable[None]], *, signals: bool = False, lifespan: bool = True
    ) -> None:
        """Enter the app's lifespan, await `serving`, which ends when no request comes any more, and leave it.

        Before it is left the open streams are ended, and deferred work is awaited. `signals` has SIGTERM and SIGINT
        begin the end of the streams, before whatever has handled them until now. Without `lifespan` that is left alone.
        Raises what a lifespan or `serving` raises, and `ValueError` where `app.check()` does.
        """
        async with self.alive(signals=signals, lifespan=lifespan):
            await serving()

    @asynccontextmanager
    async def alive(self, *, signals: bool = False, lifespan: bool = True) -> AsyncGenerator[None]:
        """As `live`, round what is done within it. What that raises comes out when all is ended in order."""
        app = self.app
        app.check()
        loop = self._loops[running_loop()] = self._new_loop(False)
        streams = loop.streams
        async with AsyncExitStack() as stack:
            manager = lifespan_of(app) if lifespan else None
            if isinstance(manager, AbstractAsyncContextManager):
                await stack.enter_async_context(manager)
            elif manager is not None:
                stack.enter_context(manager)  # it may block: the startup is nobody's turn but its own
            failure: Exception | None = None
            async with anyio.create_task_group() as group:
                loop.runner = TaskGroupRunner(
                    group, self.report, loop.deferred, self._max_deferred, self._max_deferred_waiting
                )
                group.start_soon(streams.wait_until_told)
                try:
                    with heard_first(soon(streams.tell)) if signals else nullcontext():
                        try:
                            yield
                        except Exception as error:
                            failure = error
                        await streams.finish()
                        await loop.runner.drain(self._deferred_deadline)
                    streams.stop()
                finally:
                    self._loops.pop(running_loop(), None)
            if failure is not None:
                raise failure

    def end_streams(self) -> None:
        """Begin to end the streams of this event loop, those that begin until `live` ends, too; don't wait for it."""
        self._here().streams.tell()

    async def shutdown(self) -> None:
        """End the streams of this event loop, as a signal does, and return when the last one has ended.

        Streams that begin afterwards are ended by the next call, or at the end of `live`.
        """
        await self._here().streams.finish()

    def sends(self) -> SendTimeout:
        """The timeout of the sends of this event loop, for a wire over a transport that has none."""
        return self._here().sends

    def report(self, error: BaseException, where: str) -> None:
        """Tell the application of an error, and the log."""
        self.app.report(error, where, self.runtime)

    def _here(self) -> _Loop:
        key = running_loop()
        loop = self._loops.get(key)
        if loop is None:
            loop = self._loops[key] = self._new_loop(self._signals)
        return loop

    def _new_loop(self, hear: bool) -> _Loop:
        return _Loop(OpenStreams(self._stream_deadline, self._closing_limit, hear), self.send_timeout, self._threads)

    async def _drive(self, driver: Driver) -> None:
        # There is one of this as long as a stream is open: the fewer such frames and the smaller, the better.
        try:
            await driver.drive()
        except BaseException as error:
            if not await driver.give_up(error):
                raise
        finally:
            driver.stop()
            if driver.calls:
                await self._defer_in_the_end(driver.calls)

    async def _drive_on_trio(self, driver: Driver) -> None:
        async with anyio.create_task_group() as driver.group:
            await self._drive(driver)

    async def _defer_in_the_end(self, calls: Sequence[DeferredCall]) -> None:
        """Hand over to the app's own runner, else to a task of the lifespan; run the calls here where none came.

        None comes where the app is mounted in another, or the server's lifespan is switched off.
        """
        runner = self.app.defer_runner or self._here().runner
        with anyio.CancelScope(shield=True):  # also where the request is being cancelled
            if runner is not None:
                hand_over(calls, self.app, runner, self.report)
            else:
                await run_calls(calls, self.app, self.report, self._here().deferred, self._deferred_deadline)


def running_loop() -> object:
    """What stands for the event loop that runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        from trio.lowlevel import current_trio_token  # noqa: PLC0415  (nobody on asyncio needs to have it)

        return current_trio_token()


def on_asyncio() -> bool:
    """Whether the event loop that runs is asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _spawn(telling: Telling, awaitable: Awaitable[object]) -> None:
    async def wait() -> None:
        try:
            await awaitable
        except SystemExit as error:  # it would end the event loop
            log_error(error, "on_error")
        finally:
            telling.end()

    if telling.may_begin(awaitable):
        begin(wait, "on_error").abandon(_nothing)


async def _nothing(_: None) -> None:
    """Drop the result of an `on_error`, for which nobody asks."""
