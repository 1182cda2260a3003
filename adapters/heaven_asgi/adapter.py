"""The ASGI application that a server calls."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Final, final

from heaven_asgi.inbox import Inbox
from heaven_asgi.lifespan import run_lifespan
from heaven_asgi.presence import Presence
from heaven_asgi.scope import has_body, request_of
from heaven_asgi.types import Receive, Scope, Send
from heaven_asgi.wire import CLOSE, HTTP1, PIECE, ASGIWire
from heaven_core import App
from heaven_core.app.dispatch import respond
from heaven_core.machine.fast_path import render
from heaven_core.message.draft import Draft
from heaven_driver.engine import Engine, on_asyncio
from heaven_driver.given import check_flag
from heaven_io.deferred import MAX_RUNNING, MAX_WAITING
from heaven_io.worker_threads import MAX_THREADS

__all__ = ["ASGIAdapter"]

# Servers write Date themselves; uvicorn does so once a second.
_DATE_LAG: Final = 2.0

# Bytes of a body that is sent by hand, as `__call__` does it: at most a piece, and never on trio, where what has been
# begun by hand can't be given up. Which event loop it is takes as long to ask as a send: the first request asks.
_UNKNOWN: Final = -1
_NEVER: Final = -2


@final
class ASGIAdapter:
    """`app` as an ASGI 3 application, for uvicorn, hypercorn, granian and the like.

    Serves http and lifespan; a websocket is refused.

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
    - `send_timeout`: seconds for which a client may take nothing of what it is sent, `None` for ever; then it counts as
      gone. What is large is sent in pieces of 128 KiB, each of which has so long;
    - `signals`: whether SIGTERM and SIGINT begin the shutdown of the streams, before the server's own handlers run;
    - `reraise`: raise what the application has failed at, after its 500 has gone out or its body was broken off, for
      what stands around the adapter and wants to see it: an error tracker, a test client.
    """

    __slots__ = ("_engine", "_in_thread", "_most_by_hand", "_observers", "_reraise", "_signals", "app")

    def __init__(  # noqa: PLR0913  # each has a name
        self,
        app: App,
        *,
        deferred_deadline: float = 10.0,
        max_deferred: int = MAX_RUNNING,
        max_deferred_waiting: int = MAX_WAITING,
        max_handler_threads: int = MAX_THREADS,
        max_stream_threads: int = MAX_THREADS,
        max_deferred_threads: int = MAX_THREADS,
        closing_limit: float = 5.0,
        stream_deadline: float = 10.0,
        send_timeout: float | None = 60.0,
        signals: bool = True,
        reraise: bool = False,
    ) -> None:
        self.app: Final = app
        self._engine: Final = Engine(
            app,
            date_lag=_DATE_LAG,
            deferred_deadline=deferred_deadline,
            max_deferred=max_deferred,
            max_deferred_waiting=max_deferred_waiting,
            max_handler_threads=max_handler_threads,
            max_stream_threads=max_stream_threads,
            max_deferred_threads=max_deferred_threads,
            closing_limit=closing_limit,
            stream_deadline=stream_deadline,
            send_timeout=send_timeout,
            signals=check_flag("signals", signals),
        )
        self._in_thread: Final = self._engine.handle_in_thread
        self._observers: Final = app.observers
        self._most_by_hand = _UNKNOWN
        self._signals: Final = signals
        self._reraise: Final = check_flag("reraise", reraise)

    async def __call__(  # noqa: C901, PLR0912, PLR0915  # one coroutine a request: a part of its own would be a call more
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request, or the lifespan: the server calls this once for each."""
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        # PERF: `Engine.serve`, but that a whole response takes no wire; see there.
        engine = self._engine
        inbox = Inbox(receive) if has_body(scope) else None
        request = request_of(scope, inbox, self.app)
        presence = request.presence = Presence(receive) if inbox is None else inbox
        draft = engine.begin()
        try:
            await respond(engine.registry, request, draft, engine.runtime, self._in_thread)
            if draft.deferred is not None and await presence.has_left():
                draft.lose_client()  # deferred work is told the truth; servers are silent about what they can't send
        except BaseException as error:
            presence.end()
            await engine.abandon(request, draft, error)
            raise
        rendered = None if self._observers.any else render(draft, request.method)
        if rendered is None:
            wire = ASGIWire(scope, presence, send, engine.sends())
            try:
                await engine.send(request, draft, wire, wire)
            finally:
                presence.end()
            if self._reraise:
                _raise_failure(draft)
            return
        fields, body = rendered
        sent = False
        try:
            if len(body) > self._most_by_hand:
                if self._most_by_hand == _UNKNOWN:
                    self._most_by_hand = PIECE if on_asyncio() else _NEVER
                wire = ASGIWire(scope, presence, send, engine.sends())
                await wire.send_whole(draft.status, fields, body, draft.options.close)
            else:
                if draft.options.close and scope["http_version"] in HTTP1:
                    fields.append(CLOSE)
                # By hand, since a timeout round each would take a tenth of all this: what ends in its first step, as
                # nearly always, needs none.
                steps = send({"type": "http.response.start", "status": draft.status, "headers": fields}).__await__()
                for waiting in steps:
                    await self._wait_on(steps, waiting, scope, presence, send)
                    break
                steps = send({"type": "http.response.body", "body": body}).__await__()
                for waiting in steps:
                    await self._wait_on(steps, waiting, scope, presence, send)
                    break
            sent = True
        except OSError:
            pass  # the client has gone, and there is nobody to tell
        finally:
            if presence.asked:
                presence.end()
            deferring = engine.finish(draft, len(body), sent)
            if deferring is not None:
                await deferring
        if self._reraise:
            _raise_failure(draft)

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """The life of the app, for where no server sends one: to be entered by the app that this one is mounted in.

        What is within it is served: the app's own lifespan is entered, deferred work has its tasks, streams are ended
        in order at the end, and by SIGTERM and SIGINT. Raises what the app's lifespan raises, and `ValueError` where
        `app.check()` does.
        """
        return self._engine.alive(signals=self._signals)

    async def shutdown(self) -> None:
        """End the streams of this event loop, as a signal does, and return when the last one has ended.

        For servers that are embedded, and for those that tell an app nothing before its streams have ended. Streams
        that begin afterwards are ended by the next call, or by the next `lifespan.shutdown`.
        """
        await self._engine.shutdown()

    def _wait_on(
        self,
        steps: Generator[object, object, None],
        waiting: object,
        scope: Scope,
        presence: Presence | Inbox,
        send: Send,
    ) -> Awaitable[None]:
        if not on_asyncio():  # one adapter for both: nobody does that but tests
            self._most_by_hand = _NEVER
        sends = self._engine.sends()
        return sends.wait_on(steps, waiting, ASGIWire(scope, presence, send, sends))

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await run_lifespan(self._engine, receive, send, self._signals)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": "no WebSocket here"})
        else:
            raise ValueError(f"an ASGI scope of type {kind!r}: this adapter serves http and lifespan")


def _raise_failure(draft: Draft) -> None:
    if draft.failed and draft.error is not None:
        raise draft.error
