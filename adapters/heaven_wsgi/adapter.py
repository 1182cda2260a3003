"""The WSGI application that a server calls."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterable
from contextvars import Context, copy_context
from functools import partial
from typing import Final, final
from wsgiref.types import StartResponse, WSGIEnvironment

from heaven_core import App, Request
from heaven_core.app.dispatch import respond
from heaven_core.machine.fast_path import render
from heaven_core.message.draft import Draft
from heaven_core.protocol.outcome import OutcomeKind
from heaven_driver.blocking import system_runtime
from heaven_driver.given import check_app
from heaven_io.reporting import log_error
from heaven_io.telling import Telling
from heaven_wsgi.deferred import MAX_WAITING
from heaven_wsgi.environ import body_of, has_body, request_of
from heaven_wsgi.exchange import Exchange
from heaven_wsgi.head import STATUS_LINES, native_fields
from heaven_wsgi.life import Life, Limits
from heaven_wsgi.process import Process, this_process
from heaven_wsgi.request_body import InputReader, UnreadableBody
from heaven_wsgi.response_body import NOTHING, WholeBody
from heaven_wsgi.running import go_on
from heaven_wsgi.waiting import Answer, OnLoop, ServerThread

__all__ = ["WSGIAdapter"]

# Servers write Date themselves, some of them with a clock of their own.
_DATE_LAG: Final = 2.0


@final
class WSGIAdapter:
    """`app` as a WSGI application, for gunicorn, waitress, uWSGI, mod_wsgi and the like.

    What is `def` runs in the server's thread; what is `async def` on one event loop that each process has for it. The
    lifespan is entered by the first request, or by `start`, and left when the process ends, or by `stop`.

    - `deferred_deadline`: seconds that deferred work gets at the end; what is pending then is cancelled and logged by
      name;
    - `max_deferred_waiting`: of how many responses it runs or waits; of the next it is refused and logged by name;
    - `closing_limit`: seconds that an async stream gets to close when it has ended or its client has gone; what is
      slower is given up and reported;
    - `stream_deadline`: seconds that event streams get at the end;
    - `signals`: whether the signals that end a process end event streams, before the server's own handlers run. That
      takes the main thread: it is `start` that is called there, or the first event stream.
    """

    __slots__ = ("_anywhere", "_life", "_limits", "_lives", "_runtime", "app")

    def __init__(
        self,
        app: App,
        *,
        deferred_deadline: float = 10.0,
        max_deferred_waiting: int = MAX_WAITING,
        closing_limit: float = 5.0,
        stream_deadline: float = 10.0,
        signals: bool = True,
    ) -> None:
        self.app: Final = check_app(app, "WSGIAdapter")
        self._limits: Final = Limits(deferred_deadline, max_deferred_waiting, closing_limit, stream_deadline, signals)
        self._runtime: Final = system_runtime(partial(_spawn, Telling()), date_lag=_DATE_LAG, on_loop=OnLoop)
        # What a fork leaves as it is: only a lifespan has to be entered in each process.
        self._anywhere: Final = app.lifespan is None
        self._lives: Final[dict[Process, Life]] = {}
        self._life: Life | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request (PEP 3333). Raises what the lifespan raises, and the exits of handlers."""
        life = self._life
        if life is None or not life.is_open or not (self._anywhere or life.process.pid == os.getpid()):
            self._begin_with_request()
        runtime = self._runtime
        thread = ServerThread() if has_body(environ) else None
        reader = None if thread is None else body_of(environ, self.app.registry.max_body_size, thread)
        request = request_of(environ, reader, self.app)
        draft = Draft(self.app, runtime)
        # Variables that a request sets are its own, whichever requests the thread has served before.
        context = copy_context()
        responding = respond(self.app.registry, request, draft, runtime)
        try:
            try:
                asked = context.run(responding.send, None)
            except StopIteration:
                pass  # nothing was async
            else:
                thread = ServerThread() if thread is None else thread
                go_on(responding, asked, context, thread)
        except BaseException:
            self._exchange(request, draft, context, thread, reader).abandon()
            raise
        rendered = None if self.app.observers.any else render(draft, request.method)
        if rendered is None:
            return self._exchange(request, draft, context, thread, reader).begin(environ, start_response)
        if thread is not None:
            _end_request(thread, reader)
        fields, body = rendered
        try:
            start_response(STATUS_LINES[draft.status], native_fields(fields))
        except BaseException:
            self._finish(draft, context, 0, False)
            raise
        if draft.deferred is None:
            draft.finish("failed" if draft.failed else "complete", len(body), runtime.monotonic())
            return [body] if body else iter(NOTHING)
        return WholeBody(body, partial(self._finish, draft, context, len(body)))

    def start(self) -> None:
        """Enter the lifespan now, and hear signals, where this is called in the main thread.

        To be called in the process that serves: gunicorn's `post_worker_init`, uWSGI's `postfork`. Without it the first
        request does so. Raises what the lifespan raises, `ValueError` where `app.check()` does, `TypeError` where
        `App(lifespan=)` gives no context manager, and `RuntimeError` after `stop`.
        """
        life = self._life_here()
        life.begin()
        life.listen()

    def stop(self) -> None:
        """End the event streams, wait for deferred work, and leave the lifespan, as the end of the process does.

        For servers that end without Python's knowing, and for tests. Nothing is served afterwards in this process.
        Raises `RuntimeError` on the event loop and in deferred work, which it waits for.
        """
        self._life_here().end()

    def _begin_with_request(self) -> None:
        try:
            self._life_here().begin()
        except OSError as error:  # which a server would take for the leaving of its client, and say nothing
            raise RuntimeError(f"the app did not start: {type(error).__name__}: {error}") from error

    def _life_here(self) -> Life:
        """What the app has in this process: a child begins anew."""
        process = this_process()
        life = self._life
        if life is None or life.process is not process:
            life = self._lives.get(process)
            if life is None:
                life = self._lives.setdefault(process, Life(self.app, process, self._report, self._limits))
            self._life = life
        return life

    def _exchange(
        self,
        request: Request[object],
        draft: Draft,
        context: Context,
        thread: ServerThread | None,
        reader: InputReader | UnreadableBody | None,
    ) -> Exchange:
        thread = ServerThread() if thread is None else thread
        end = partial(_end_request, thread, reader)
        life = self._life_here()
        life.use()
        return Exchange(request, draft, self._runtime, context, life, thread, end)

    def _finish(self, draft: Draft, context: Context, size: int, sent: bool) -> None:
        """End a response that needed no machine. Its deferred calls are handed over."""
        kind: OutcomeKind = "failed" if draft.failed else "complete" if sent else "disconnected"
        calls = draft.finish(kind, size if sent else 0, self._runtime.monotonic())
        if calls:
            life = self._life_here()
            life.use()
            context.run(life.defer, calls)

    def _report(self, error: BaseException, where: str) -> None:
        self.app.report(error, where, self._runtime)


def _end_request(thread: ServerThread, reader: InputReader | UnreadableBody | None) -> None:
    """Read no more of the request: its response has ended, or is on its way."""
    if reader is not None:
        reader.end()
    thread.end()


def _spawn(telling: Telling, awaitable: Awaitable[object]) -> None:
    """Have an async `on_error` run on the event loop, where nobody waits for it."""
    if telling.may_begin(awaitable):
        this_process().begin(copy_context(), awaitable, Answer(), partial(_end, telling))


def _end(telling: Telling, answer: Answer) -> None:
    telling.end()
    if answer.error is not None:
        log_error(answer.error, "on_error")
