"""The machine: a response goes in, the events that put it on a wire come out, and between them the driver's answers.

It awaits different kinds of things, so what it awaits is a typed value: read `need`, do it, call the method that
answers it, perform the events that come back, and read `need` again. `machine.states` says what may follow what,
docs/drivers.md shows a whole driver.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, final

from heaven_core._typing import override
from heaven_core.http.event_stream import HEARTBEAT
from heaven_core.http.framing import has_content
from heaven_core.http.headers import Field
from heaven_core.machine import states
from heaven_core.machine.ending import Events, RequestHead
from heaven_core.machine.opening import Opening
from heaven_core.machine.trace import Recorder
from heaven_core.message.bodies import AnyIterable, FileSource, StreamSource, held_by
from heaven_core.message.draft import NO_FIELDS, Answer, encode_item
from heaven_core.protocol.events import Chunk, End, Reset
from heaven_core.protocol.needs import Deliver, NextItem
from heaven_core.runtime import Runtime

__all__ = ["Machine"]

S = TypeVar("S")

_EVENT_STREAM_FIELDS: Final[tuple[Field, ...]] = (
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


@final
class Machine(Opening[S]):
    """One response on its way.

    `adopt` turns a body into the kind of stream that this driver can iterate and close; it must not run the user's
    code. `record`, if given, hears why each decision was taken. A call out of turn raises `LocalProtocolError` and
    poisons the machine: then only what is open is still asked to be closed.
    """

    __slots__ = ("_adopt", "_stream", "_stream_lines")

    def __init__(
        self,
        response: Answer,
        request: RequestHead,
        runtime: Runtime,
        adopt: Callable[[AnyIterable], S],
        record: Recorder | None = None,
    ) -> None:
        super().__init__(response, request, runtime, record)
        self._adopt: Final = adopt
        self._stream: StreamSource | None = None
        self._stream_lines: list[Field] = NO_FIELDS

    def start(self) -> Events:
        """Begin. Raises `LocalProtocolError` the second time, as each method does out of turn."""
        state = self._state
        if state != states.IDLE and state != states.IDLE_LEFT:
            self._out_of_turn("start")
        response = self._response
        # From here on the decisions are taken: what a step of the stream, or a task that is still about, would change
        # now could no longer be honoured, and an abort in a step would end the driver. The head itself follows later.
        response.start()
        source = response.source
        held = None if source is None else held_by(source)
        in_use = () if held is None else (held,)
        self._unclosed = tuple([self._adopt(iterable) for iterable in (*in_use, *(response.released or ()))])
        if state == states.IDLE_LEFT or response.gone:
            return self._wind_up()
        try:
            data = response.encode()
        except Exception as error:
            return self._fail(error, "body")
        if source is None:
            return self._whole(data)
        if not has_content("GET", response.code):
            return self._without_body(response.fields, None, None)
        if type(source) is FileSource:
            return self._ask_for(source)
        if response.tagged:
            return self._fail(TypeError("res.etag = AUTO needs a body that is known: give the stream a tag"), "headers")
        fields, current = self._validated(self._stream_fields(source), False)
        instead = self._instead(fields, current)
        if instead is not None:
            return instead
        if self._method == "HEAD":
            return self._without_body(fields, source.length, source.content_type)
        self._stream = source
        self._stream_lines = fields
        self._state = states.HEADING
        self.need = NextItem(self._unclosed[0], source.head_timeout, source.sse)
        return ()

    def produced(self, item: object) -> Events:
        """The stream has yielded `item`."""
        source = self._expect_item("produced")
        if source is None:
            return self._absorb()
        try:
            data = item if type(item) is bytes and not source.sse else encode_item(item, source.sse, self._response)
        except Exception as error:
            return self._break_off(error)
        size = len(data)
        if self._state == states.HEADING:
            try:
                events = self._stream_head(source, data)
            except ValueError as error:
                return self._break_off(error)
        elif not size:
            return ()
        else:
            if self._left is not None:
                if size > self._left:
                    return self._break_off(_too_long(size - self._left))
                self._left -= size
            self._pending = size
            events = (Chunk(data),)
        if self._left == 0:
            # The client has all of the body, and may go before the stream has said that it has ended.
            self._state = states.FULFILLING
            self.need = Deliver()
        return events

    def exhausted(self) -> Events:
        """The stream has ended."""
        source = self._expect_item("exhausted")
        if source is None:
            return self._absorb()
        if self._state != states.HEADING:
            return self._break_off(_too_short(self._left)) if self._left else self._last(End())
        try:
            fields = self._stream_lines
            promised = self._head(fields, source.length, source.content_type).length
            if promised:
                raise _too_short(promised)
            start = self._head(fields, 0, source.content_type)
        except ValueError as error:
            return self._break_off(error)
        self._begin(start)
        return self._last(start, End())

    def stream_failed(self, error: BaseException) -> Events:
        """The stream has raised. Before the head that makes a 500, after it a `Reset`."""
        if self._expect_item("stream_failed") is None:
            self.report(error, "stream")
            return self._absorb()
        return self._break_off(error)

    def interrupted(self) -> Events:
        """The server shuts down, and the driver has stopped the step.

        A stream of events has no end that a client could miss: it ends in order, after its last event if it has one.
        Any other is broken off, since it would look whole.
        """
        source = self._expect_item("interrupted")
        if source is None:
            return self._absorb()
        if not source.sse or self._left:
            return self._break_off(TimeoutError("the server shuts down, and the stream has not ended in time"))
        data = source.at_shutdown if self._left is None else b""
        if self._state == states.HEADING:
            try:
                promised = self._head(self._stream_lines, source.length, source.content_type).length
                if promised:
                    raise _too_short(promised)
                events = self._stream_head(source, data if promised is None else b"")
            except ValueError as error:
                return self._break_off(error)
            return self._last(*events, End())
        self._pending = len(data)
        return self._last(Chunk(data), End()) if data else self._last(End())

    def elapsed(self) -> Events:
        """The timeout of the need is over; its item is still awaited."""
        source = self._expect_item("elapsed")
        if source is None:
            return ()
        if self._state == states.HEADING:
            try:
                return self._stream_head(source, b"")
            except ValueError as error:
                return self._break_off(error)
        if source.heartbeat is None or self._left is not None:
            return ()
        self._pending = len(HEARTBEAT)
        return (Chunk(HEARTBEAT),)

    def _expect_item(self, call: str) -> StreamSource | None:
        """The stream whose item is awaited, `None` where the client has gone; what was handed out has been sent."""
        state = self._state
        if state == states.STREAMING_LEFT:
            return None
        source = self._stream
        if source is None or state not in (states.STREAMING, states.HEADING, states.FULFILLED):
            self._out_of_turn(call)
        self._sent += self._pending
        self._pending = 0
        return source

    @override
    def _fulfilled(self) -> Events:
        if self._response.failed:
            return self._last(Reset())
        source = self._stream
        assert source is not None  # what was promised was promised for it
        self._state = states.FULFILLED
        self.need = NextItem(self._unclosed[0], None, source.sse)
        return ()

    def _absorb(self) -> Events:
        self._state = states.CLOSING
        return ()

    def _stream_fields(self, source: StreamSource) -> list[Field]:
        fields = self._response.fields
        if not source.sse:
            return fields
        given = {name for name, _ in fields}
        return fields + [line for line in _EVENT_STREAM_FIELDS if line[0] not in given]

    def _stream_head(self, source: StreamSource, data: bytes) -> Events:
        start = self._head(self._stream_lines, source.length, source.content_type)
        size = len(data)
        if start.length is not None:
            if size > start.length:
                raise _too_long(size - start.length)
            self._left = start.length - size
        self._begin(start)
        self._stream_lines = NO_FIELDS  # a stream may last for hours
        self._state = states.STREAMING
        self.need = NextItem(self._unclosed[0], source.heartbeat, source.sse)
        self._pending = size
        return (start, Chunk(data)) if size else (start,)

    def _break_off(self, error: BaseException) -> Events:
        """The body can't go on: a 500 while there is no head, a `Reset` after it."""
        if self._state == states.HEADING:
            return self._fail(error, "stream")
        self.report(error, "stream")
        self._response.break_off(error)
        return self._last(Reset())


def _too_long(size: int) -> ValueError:
    return ValueError(f"the stream yields {size} bytes or more beyond the length that was promised for it")


def _too_short(size: int) -> ValueError:
    return ValueError(f"the stream has ended {size} bytes short of the length that was promised for it")
