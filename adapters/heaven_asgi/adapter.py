"""The ASGI application that a server calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Final, final
from weakref import WeakKeyDictionary

import anyio
from anyio.to_thread import run_sync as run_in_thread

from heaven_asgi.driver import Driver
from heaven_asgi.lifespan import run_lifespan
from heaven_asgi.open_streams import OpenStreams
from heaven_asgi.requests import HTTP1, Departure, Inbox, has_body, request_of
from heaven_asgi.types import Receive, Scope, Send
from heaven_core.app.app import App
from heaven_core.machine.fast_path import render
from heaven_core.machine.machine import Machine
from heaven_core.message.request import Request
from heaven_core.message.response import Response, draft_of
from heaven_core.protocol.events import DeferredCall
from heaven_core.protocol.outcome import OutcomeKind
from heaven_io.deferred import MAX_RUNNING, MAX_WAITING, TaskGroupRunner, hand_over, run_calls
from heaven_io.detached import begin
from heaven_io.runtime import system_runtime
from heaven_io.streams import Stream

__all__ = ["ASGIAdapter"]

# Servers write Date themselves; uvicorn does so once a second.
_DATE_LAG: Final = 2.0


@final
class ASGIAdapter:
    """`app` as an ASGI 3 application, for uvicorn, hypercorn, granian and the like.

    Serves http and lifespan; a websocket is refused.

    - `deferred_deadline`: seconds that deferred work gets at the shutdown; what is pending then is cancelled and logged
      by name;
    - `max_deferred`: of how many responses it runs at a time, and `max_deferred_waiting` of how many more it waits; of
      the next it is refused and logged by name;
    - `closing_limit`: seconds that a stream gets to close when it has ended or its client has gone; what is slower is
      given up and reported;
    - `stream_deadline`: seconds that streams get at the shutdown; what has not ended by then is broken off. Streams of
      events end at once, since they have no end of their own;
    - `signals`: whether SIGTERM and SIGINT begin the shutdown of the streams, before the server's own handlers run.
    """

    __slots__ = (
        "_closing_limit", "_deadline", "_make_runner", "_runners", "_runtime", "_signals", "_stream_deadline",
        "_streams", "app",
    )  # fmt: skip

    def __init__(
        self,
        app: App,
        *,
        deferred_deadline: float = 10.0,
        max_deferred: int = MAX_RUNNING,
        max_deferred_waiting: int = MAX_WAITING,
        closing_limit: float = 5.0,
        stream_deadline: float = 10.0,
        signals: bool = True,
    ) -> None:
        if max_deferred < 1 or max_deferred_waiting < 0:
            raise ValueError(
                f"max_deferred= must be 1 or more and max_deferred_waiting= 0 or more, "
                f"not {max_deferred} and {max_deferred_waiting}"
            )
        self.app: Final = app
        self._make_runner: Final = partial(
            TaskGroupRunner, report=self._report, max_running=max_deferred, max_waiting=max_deferred_waiting
        )
        self._deadline: Final = deferred_deadline
        self._closing_limit: Final = closing_limit
        self._runtime: Final = system_runtime(_spawn, date_lag=_DATE_LAG)
        # By event loop: a server may run several with one adapter, tests one after the other.
        self._runners: Final[WeakKeyDictionary[object, TaskGroupRunner]] = WeakKeyDictionary()
        self._streams: Final[WeakKeyDictionary[object, OpenStreams]] = WeakKeyDictionary()
        self._stream_deadline: Final = stream_deadline
        self._signals: Final = signals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the server calls for each request, and once for its lifespan."""
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        app = self.app
        inbox = Inbox(receive) if has_body(scope) else None
        request = request_of(scope, inbox)
        response = app.response(self._runtime)
        draft = draft_of(response)
        try:
            await app.respond(request, response, self._runtime, run_in_thread)
        except GeneratorExit:
            raise  # the event loop is closed already: nothing can be awaited any more
        except BaseException:
            # A cancellation. Nothing goes out, and what the response holds still has to be closed.
            draft.lose_client()
            with anyio.CancelScope(shield=True):
                await self._through_machine(request, response, inbox or Departure(receive), scope, send)
            raise
        rendered = None if app.observers else render(draft, request.method)
        if rendered is None:
            await self._through_machine(request, response, inbox or Departure(receive), scope, send)
            return
        fields, body = rendered
        if draft.options.close and scope["http_version"] in HTTP1:
            fields.append((b"connection", b"close"))
        sent = False
        try:
            await send({"type": "http.response.start", "status": draft.status, "headers": fields})
            await send({"type": "http.response.body", "body": body})
            sent = True
        except OSError:
            pass  # the client has gone, and there is nobody to tell
        finally:
            kind: OutcomeKind = "failed" if draft.failed else "complete" if sent else "disconnected"
            calls = draft.finish(kind, len(body) if sent else 0, self._runtime.monotonic())
            if calls:
                with anyio.CancelScope(shield=True):
                    await self._defer(calls)

    async def shutdown(self) -> None:
        """End the streams of this event loop, as a signal does, and return when the last one has ended.

        For servers that are embedded, and for those that tell an app nothing before its streams have ended. Streams
        that begin afterwards are ended by the next call, or by the next `lifespan.shutdown`.
        """
        await self._streams_here().finish()

    def _streams_here(self) -> OpenStreams:
        loop = _running_loop()
        streams = self._streams.get(loop)
        if streams is None:
            streams = self._streams[loop] = OpenStreams(self._stream_deadline)
        return streams

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            streams = self._streams[_running_loop()] = OpenStreams(self._stream_deadline)
            await run_lifespan(
                self.app,
                receive,
                send,
                self._make_runner,
                self._use,
                self._deadline,
                streams,
                self._signals,
                self._report,
            )
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": "no WebSocket here"})
        else:
            raise ValueError(f"an ASGI scope of type {kind!r}: this adapter serves http and lifespan")

    def _through_machine(
        self, request: Request[object], response: Response, inbox: Inbox | Departure, scope: Scope, send: Send
    ) -> Awaitable[None]:
        """The way of files and streams, through a machine."""
        machine = Machine(response, request, self._runtime, Stream)
        tell = partial(self.app.observers.tell, request, runtime=self._runtime) if self.app.observers else None
        driver = Driver(machine, scope, send, inbox, self._streams_here(), tell, self._closing_limit)
        return self._drive(driver) if _on_asyncio() else self._drive_on_trio(driver)

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
                with anyio.CancelScope(shield=True):
                    await self._defer(driver.calls)

    async def _drive_on_trio(self, driver: Driver) -> None:
        async with anyio.create_task_group() as driver.group:
            await self._drive(driver)

    async def _defer(self, calls: Sequence[DeferredCall]) -> None:
        """By the app's own runner, else in a task of the lifespan; where none came (mounted, switched off), here."""
        runner = self.app.defer_runner or self._runners.get(_running_loop())
        if runner is not None:
            hand_over(calls, self.app, runner, self._report)
        else:
            await run_calls(calls, self.app, self._report)

    def _report(self, error: BaseException, where: str) -> None:
        self.app.report(error, where, self._runtime)

    def _use(self, runner: TaskGroupRunner | None) -> None:
        if runner is not None:
            self._runners[_running_loop()] = runner
        else:
            self._runners.pop(_running_loop(), None)
            self._streams.pop(_running_loop(), None)


def _running_loop() -> object:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        from trio.lowlevel import current_trio_token  # noqa: PLC0415  (nobody on asyncio needs to have it)

        return current_trio_token()


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _spawn(awaitable: Awaitable[object]) -> None:
    async def wait() -> None:
        await awaitable

    begin(wait, "on_error").abandon(_nothing)


async def _nothing(_: None) -> None:
    """Nobody asks for the result of an `on_error`."""
