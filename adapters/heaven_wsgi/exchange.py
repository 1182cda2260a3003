"""One request whose response a machine drives: a file, a stream, and whatever takes a decision."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from contextvars import Context
from errno import ECONNRESET
from functools import partial
from typing import Final, final
from wsgiref.types import StartResponse, WSGIEnvironment

from heaven_core import AnyIterable, Machine, Request, Response, Runtime, Start
from heaven_core.message.bodies import FileSource, StreamSource
from heaven_core.message.draft import Draft
from heaven_driver.blocking import BlockingFile, BlockingStream, FileToSend, Stream, drive
from heaven_wsgi.event_steps import EventSteps
from heaven_wsgi.file_wrapper import FileWrapper, wrapper_of
from heaven_wsgi.head import STATUS_LINES, native_fields
from heaven_wsgi.life import Life
from heaven_wsgi.process import this_process
from heaven_wsgi.response_body import DrivenBody, FileBody, Steps
from heaven_wsgi.running import run_in_this_context
from heaven_wsgi.waiting import ServerThread

__all__ = ["Exchange"]

# Bytes that a server reads of a file at a time, where it can't have the kernel send it.
_READ_SIZE: Final = 128 * 1024


@final
class Exchange:
    """A response on its way to a server. All of it runs in `context`, but for what is async.

    `on_end` is called when the response has ended.
    """

    __slots__ = (
        "_context", "_draft", "_events", "_length", "_life", "_on_end", "_request", "_runtime", "_thread", "_wrapper",
    )  # fmt: skip

    def __init__(
        self,
        request: Request[object],
        draft: Draft,
        runtime: Runtime,
        context: Context,
        life: Life,
        thread: ServerThread,
        on_end: Callable[[], None],
    ) -> None:
        self._request: Final = request
        self._draft: Final = draft
        self._runtime: Final = runtime
        self._context: Final = context.copy() if thread.left_behind else context
        self._life: Final = life
        self._thread: Final = thread
        self._on_end: Final = on_end
        self._events: Final = isinstance(draft.source, StreamSource) and draft.source.sse
        self._wrapper: FileWrapper | None = None
        self._length: int | None = None  # of the body, in bytes

    def begin(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Begin the response, and give what the server is to iterate over.

        Raises `ConnectionResetError` where the client has left already, and what `start_response` raises.
        """
        run = self._context.run
        source = self._draft.source
        if isinstance(source, FileSource):
            self._wrapper = wrapper_of(environ)
        if self._events:
            self._life.join(self._thread)
        steps = self._steps()
        waiting = None
        try:
            start = run(next, steps)
            assert isinstance(start, Start)
            self._length = start.length
            start_response(STATUS_LINES[start.status], native_fields(start.fields))
            # What a server would not ask for: it must be told at once that it may send the file, and where there is no
            # body it may never iterate.
            if self._wrapper is not None or start.length == 0:
                waiting = run(next, steps, None)
        except StopIteration:
            self._end()
            # By its number gunicorn knows that this is nothing to be logged.
            raise ConnectionResetError(ECONNRESET, "the client went away before its request had come") from None
        except BaseException:
            try:
                run(steps.close)
            finally:
                self._end()
            raise
        if isinstance(waiting, FileToSend) and self._wrapper is not None:
            return self._wrapper(FileBody(waiting, steps, self._context, self._end), _READ_SIZE)
        return DrivenBody(steps, self._context, waiting, self._end)

    def abandon(self) -> None:
        """End a response whose handler was ended from outside: nothing goes out, and what it holds is closed."""
        self._draft.lose_client()
        steps = self._steps()
        try:
            self._context.run(next, steps, None)
        finally:
            self._end()

    def _steps(self) -> Steps:
        machine = Machine(Response(self._draft), self._request, self._runtime, self._adopt)
        observers = self._life.app.observers
        tell = partial(observers.tell, self._request, runtime=self._runtime) if observers.any else None
        run = partial(run_in_this_context, thread=self._thread)
        return drive(machine, self._life.defer, hand_out=self._hand_out, tell=tell, run=run)

    def _hand_out(self, file: BlockingFile, offset: int, count: int) -> bool:
        """Whether the server sends this itself: only what is the whole file and the whole body."""
        return self._wrapper is not None and offset == 0 and count == file.info.size == self._length

    def _adopt(self, iterable: AnyIterable) -> Stream:
        if isinstance(iterable, AsyncIterable):
            from heaven_wsgi.async_stream import AsyncStream  # noqa: PLC0415  (sync applications don't need asyncio)

            interrupted = self._life.is_told if self._events else None
            return AsyncStream(iterable, this_process().get_loop, self._thread, interrupted, self._life.closing_limit)
        return EventSteps(iterable, self._life.is_told) if self._events else BlockingStream(iterable)

    def _end(self) -> None:
        self._life.leave(self._thread)
        self._on_end()
        self._thread.end()
