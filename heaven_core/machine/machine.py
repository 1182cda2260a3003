"""The machine: a response goes in, the events that put it on a wire come out, and between them the driver's answers.

It awaits different kinds of things, so what it awaits is a typed value: read `need`, do it, call the method that
answers it, perform the events that come back, and read `need` again. `machine.states` says what may follow what,
docs/drivers.md shows a whole driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, NoReturn, TypeAlias, TypeVar, final
from weakref import WeakValueDictionary

from heaven_core._exception_groups import is_only
from heaven_core.errors import ClientDisconnected, ClientError, LocalProtocolError
from heaven_core.http.event_stream import HEARTBEAT
from heaven_core.http.framing import has_content
from heaven_core.http.headers import Field
from heaven_core.machine import states
from heaven_core.machine.file_lookup import FileLookup
from heaven_core.machine.file_metadata import status_of_open_error
from heaven_core.machine.plan import (
    Ask,
    Exchange,
    RequestHead,
    Step,
    begin,
    plan_buffered,
    plan_head,
    plan_refusal,
    validated,
)
from heaven_core.machine.trace import Recorder
from heaven_core.message.bodies import AnyIterable, FileSource, StreamSource, held_by, only_once
from heaven_core.message.draft import CLIENT_LEFT, NO_FIELDS, STARTED
from heaven_core.message.response import Response, draft_of
from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset
from heaven_core.protocol.frozen_event import FrozenEvent
from heaven_core.protocol.needs import CloseFile, CloseStream, Deliver, FileInfo, Finished, Need, NextItem
from heaven_core.protocol.outcome import Outcome, OutcomeKind
from heaven_core.runtime import Runtime

__all__ = ["Machine"]

S = TypeVar("S")
Events: TypeAlias = tuple[Event, ...]

# Generators and open files that a response of this process is sending, by their id: of two that share one each would
# get a part, and the first a body that looks whole. Weakly, for drivers that give a response up unclosed.
_BEING_SENT: Final[WeakValueDictionary[int, object]] = WeakValueDictionary()
_SENT_ALREADY: Final = "this {} is being sent by another response: each needs one of its own"

_EVENT_STREAM_FIELDS: Final[tuple[Field, ...]] = (
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


@final
class Machine(Generic[S]):
    """One response on its way.

    `adopt` turns a body into the kind of stream that this driver can iterate and close; it must not run the user's
    code. For one of a kind that it does not know it may raise: that is a 500. `record`, if given, hears why each
    decision was taken. A call out of turn raises `LocalProtocolError` and poisons the machine: then only what is open
    is still asked to be closed.
    """

    __slots__ = (
        "_adopt", "_announced", "_calls", "_claimed", "_draft", "_exchange", "_goodbye", "_left", "_lookup", "_need",
        "_open_files", "_pending", "_rest", "_sent", "_state", "_stream", "_stream_lines", "_unclosed",
    )  # fmt: skip

    def __init__(
        self,
        response: Response,
        request: RequestHead,
        runtime: Runtime,
        adopt: Callable[[AnyIterable], S],
        record: Recorder | None = None,
    ) -> None:
        self._draft: Final = draft_of(response)
        self._exchange: Final = Exchange(self._draft, request, runtime, record)
        self._adopt: Final = adopt
        self._state = states.IDLE
        self._lookup: FileLookup | None = None  # where a file is the body
        self._stream: StreamSource | None = None  # where a stream is
        self._stream_lines: list[Field] = NO_FIELDS
        self._goodbye = b""  # its last event, should the server shut down
        # The ledger, in body bytes: those known to have gone, those handed out last and not known of yet, those of the
        # FileRange under way, and those still to come of what the head has announced (None: it did not).
        self._sent = 0
        self._pending = 0
        self._announced = 0
        self._left: int | None = None
        self._rest: Sequence[Event] = ()  # what follows the FileRange under way
        # What is to be closed, the latest first; and the deferred calls, once it is decided which of them run.
        self._open_files = 0
        self._unclosed: tuple[S, ...] = ()
        self._claimed: tuple[object | None, ...] = ()  # of each of these what no other response may send meanwhile
        self._calls: Sequence[DeferredCall] | None = None
        self._need: Need[S] | None = None  # before start()

    def start(self) -> Events:
        """Begin the response. Raises `LocalProtocolError` the second time, as each method does out of turn."""
        state = self._state
        if state != states.IDLE and state != states.IDLE_LEFT:
            self._out_of_turn("start")
        return self._begin(state == states.IDLE_LEFT)

    def page_made(self) -> Events:
        """The application's page is made: what the response says now goes out."""
        state = self._state
        if state != states.PAGING and state != states.PAGING_LEFT:
            self._out_of_turn("page_made")
        return self._begin(state == states.PAGING_LEFT)  # what the page holds is closed there, too

    def _begin(self, is_left: bool) -> Events:  # a return for each way in which a response may begin
        draft = self._draft
        exchange = self._exchange
        # From here on the decisions are taken: what a step of the stream, or a task that is still about, would change
        # now could no longer be honoured, and an abort in a step would end the driver. The head itself follows later.
        is_left = is_left or draft.refusal is CLIENT_LEFT
        draft.refusal = STARTED
        source = draft.source
        held = None if source is None else held_by(source)
        in_use = () if held is None else (held,)
        refused = self._adopt_all((*in_use, *(draft.released or ())))
        if is_left:
            if refused is not None:
                self.report(refused, "stream")
            return self._wind_up()
        if refused is not None:
            return self._fail(refused, "stream")
        try:
            data = draft.encode()
        except Exception as error:
            return self._fail(error, "body")
        if source is None:
            return self._take_step(lambda: plan_buffered(exchange, data))
        if not has_content("GET", draft.status):
            return self._take_step(lambda: plan_head(exchange, draft.fields, None, None))
        if type(source) is FileSource:
            self._lookup = FileLookup(exchange, source)
            return self._take_step(self._lookup.begin)
        return self._begin_stream(source)

    def _begin_stream(self, source: StreamSource) -> Events:
        draft = self._draft
        exchange = self._exchange
        if draft.auto_etag:
            return self._fail(TypeError("res.etag = AUTO needs a body that is known: give the stream a tag"), "headers")
        fields, current = validated(exchange, self._stream_fields(source))
        try:
            refusal = plan_refusal(exchange, fields, current)
        except ValueError as error:
            return self._fail(error, "headers")
        if refusal is not None:
            return self._follow(refusal)
        if exchange.request.method == "HEAD":
            return self._take_step(lambda: plan_head(exchange, fields, source.length, source.content_type))
        if source.at_shutdown is not None:
            try:
                # Only now is it known whether the schema filters it, as it does in a 2xx.
                self._goodbye = draft.encode_item(source.at_shutdown, True)
            except Exception as error:
                return self._fail(error, "stream")
        self._stream = source
        self._stream_lines = fields
        self._state = states.HEADING
        self._need = NextItem(self._unclosed[0], source.head_timeout, source.sse, self._freeze)
        return ()

    def _adopt_all(self, iterables: Iterable[AnyIterable]) -> Exception | None:
        """Have the driver adopt them. What it raises for the last one of a kind that it does not know."""
        adopted: list[S] = []
        claimed: list[object | None] = []
        refused: Exception | None = None
        for iterable in iterables:
            try:
                once = only_once(iterable)
                if once is not None and id(once) in _BEING_SENT:
                    raise RuntimeError(_SENT_ALREADY.format(type(once).__name__))
                adopted.append(self._adopt(iterable))
            except Exception as error:
                if refused is not None:
                    self.report(refused, "stream")
                refused = error
            else:
                claimed.append(once)
                if once is not None:
                    _BEING_SENT[id(once)] = once
        # Those of what a page has taken the place of are still open.
        self._unclosed = (*adopted, *self._unclosed)
        self._claimed = (*claimed, *self._claimed)
        return refused

    def opened(self, info: FileInfo) -> Events:
        """The file is open, and this is what `fstat` says of it."""
        lookup = self._expect_file("opened", states.OPENING, states.OPENING_SIBLING)
        self._open_files += 1
        return self._wind_up() if lookup is None else self._take_step(lambda: lookup.opened(info))

    def open_failed(self, error: BaseException) -> Events:
        """The file could not be opened: a fallback, a 404 or 403 goes out, as the error allows (SPEC 3), else a 500.

        A 500, too, where it is an error page of the application's own.
        """
        lookup = self._expect_file("open_failed", states.OPENING, states.OPENING_SIBLING, states.LISTING)
        if lookup is None:
            return self._wind_up()
        # A page of the application's own that is not there has failed: its 404 would say another thing than it is for.
        if status_of_open_error(error) == 500 or (self._state == states.OPENING and self._draft.has_page):
            return self._fail(error, "file")
        return self._take_step(lambda: lookup.failed(error))

    def listed(self, page: str) -> Events:
        """The directory has been read, and `page` is what the need's `page` has made of it."""
        lookup = self._expect_file("listed", states.LISTING)
        return self._wind_up() if lookup is None else self._take_step(lambda: lookup.listed(page))

    def _expect_file(self, call: str, *wanted: int) -> FileLookup | None:
        """The lookup that waits for this answer, `None` where the client has gone."""
        if self._state == states.OPENING_LEFT:
            return None
        lookup = self._lookup
        if lookup is None or self._state not in wanted:
            self._out_of_turn(call)
        return lookup

    def _take_step(self, take: Callable[[], Step]) -> Events:
        """Do what a plan or a lookup says: hand out its events, or ask for what it wants to know."""
        try:
            step = take()
        except ValueError as error:  # the handler has made the head impossible
            return self._fail(error, "headers")
        return self._follow(step)

    def _follow(self, step: Step) -> Events:
        if type(step) is not Ask:
            return self._hand_out(step)
        self._state, self._need = step.state, step.need
        if step.state == states.PAGING:
            # The page may be anything that a handler answers with. What it takes the place of is closed in the end.
            draft = self._draft
            draft.refusal = draft.source = draft.released = None
            self._lookup = self._stream = None
            self._stream_lines = NO_FIELDS
        return ()

    def _fail(self, error: BaseException, where: str, wait: bool = True) -> Events:
        """The application or the disk has failed before the head: a 500, or what a `ClientError` says.

        Without `wait` there is no time for a page of the application's own.
        """
        draft = self._draft
        exchange = self._exchange
        status = 500
        try:
            if isinstance(error, ClientError):
                draft.refuse(error)
                status = error.status
            else:
                draft.fail(error, exchange.runtime.describe)
        except (TypeError, ValueError) as broken:  # a class of the application's own with an impossible status
            broken.__context__ = error
            error = broken
            draft.fail(error, exchange.runtime.describe)
        # What is decided until here stays, should the client leave while a page is made.
        page = exchange.page(error, status, where) if wait and isinstance(error, Exception) else None
        if page is not None:
            return self._follow(page)
        if draft.failed:
            self.report(error, where)
        return self._follow(plan_buffered(exchange, draft.encode()))

    def _freeze(self, item: object) -> object:
        """See `NextItem`. To be called in any thread: it reads what no step changes."""
        source = self._stream
        assert source is not None  # a need that freezes is one of a stream
        data = self._draft.encode_item(item, source.sse)
        return FrozenEvent(data) if source.sse else data

    def produced(self, item: object) -> Events:
        """The stream has yielded `item`."""
        source = self._expect_item("produced")
        if source is None:
            return self._absorb()
        try:
            if type(item) is bytes and not source.sse:
                data = item
            else:
                data = item.data if type(item) is FrozenEvent else self._draft.encode_item(item, source.sse)
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
            self._need = Deliver()
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
            promised = self._exchange.head(fields, source.length, source.content_type).length
            if promised:
                raise _too_short(promised)
            start = begin(self._exchange, self._exchange.head(fields, 0, source.content_type))
        except ValueError as error:
            return self._break_off(error)
        return self._last(start, End())

    def stream_failed(self, error: BaseException) -> Events:
        """The stream has raised. Before the head that makes a 500, or what a `ClientError` says; after it a `Reset`.

        `ClientDisconnected` says that the client has left.
        """
        if self._expect_item("stream_failed") is None:
            self.report(error, "stream")
            return self._absorb()
        if is_only(error, ClientDisconnected):  # the stream was reading the request
            self.disconnected()
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
        data = self._goodbye if self._left is None else b""
        if self._state == states.HEADING:
            try:
                promised = self._exchange.head(self._stream_lines, source.length, source.content_type).length
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
                return self._fail(error, "stream", wait=False)  # a page would have to wait for the item
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

    def _fulfilled(self) -> Events:
        if self._draft.failed:
            return self._last(Reset())
        source = self._stream
        assert source is not None  # what was promised was promised for it
        self._state = states.FULFILLED
        self._need = NextItem(self._unclosed[0], None, source.sse, self._freeze)
        return ()

    def _absorb(self) -> Events:
        self._state = states.CLOSING
        return ()

    def _stream_fields(self, source: StreamSource) -> list[Field]:
        fields = self._draft.fields
        if not source.sse:
            return fields
        given = {name for name, _ in fields}
        return fields + [line for line in _EVENT_STREAM_FIELDS if line[0] not in given]

    def _stream_head(self, source: StreamSource, data: bytes) -> Events:
        start = self._exchange.head(self._stream_lines, source.length, source.content_type)
        size = len(data)
        if start.length is not None:
            if size > start.length:
                raise _too_long(size - start.length)
            self._left = start.length - size
        begin(self._exchange, start)
        self._stream_lines = NO_FIELDS  # a stream may last for hours
        self._state = states.STREAMING
        self._need = NextItem(self._unclosed[0], source.heartbeat, source.sse, self._freeze)
        self._pending = size
        return (start, Chunk(data)) if size else (start,)

    def _break_off(self, error: BaseException) -> Events:
        """The body can't go on: a 500 while there is no head, a `Reset` after it."""
        if self._state == states.HEADING:
            return self._fail(error, "stream")
        self.report(error, "stream")
        self._draft.break_off(error)
        return self._last(Reset())

    @property
    def need(self) -> Need[S]:
        """What the machine waits for. Raises `LocalProtocolError` before `start`, which it waits for then."""
        need = self._need
        if need is None:
            raise LocalProtocolError("need was read before start(): the machine waits for nothing else yet")
        return need

    @property
    def state(self) -> str:
        """The name of the state in `machine.states`, for messages and tests."""
        return states.NAMES[self._state]

    def delivered(self, sent: int = 0, error: BaseException | None = None) -> Events:
        """What was handed out has been performed; `sent` bytes of the `FileRange` in it have left.

        Fewer than it says, because the file has shrunk or can't be read (`error`), make a `Reset`.
        """
        state = self._state
        if state == states.CLOSING_LEFT or state == states.FINISHED_LEFT:
            self._state = states.CLOSING if state == states.CLOSING_LEFT else states.FINISHED
            return ()
        if state != states.SENDING and state != states.ENDING and state != states.FULFILLING:
            self._out_of_turn("delivered")
        if not 0 <= sent <= self._announced:
            self._out_of_turn(f"delivered({sent}), of {self._announced} bytes,")
        self._sent += self._pending + sent
        self._pending = 0
        short = self._announced - sent
        self._announced = 0
        if state == states.SENDING:
            if error is None and short:
                error = EOFError(f"the file has become shorter: {short} bytes of what the head announced are missing")
            if error is None:
                return self._hand_out(self._rest)
            self.report(error, "file")
            self._draft.break_off(error)
            return self._last(Reset())
        if error is not None:
            self.report(error, "wire")
            self._draft.break_off(error)
        if state == states.FULFILLING:
            return self._fulfilled()
        self._decide("complete")
        return self._wind_up()

    def closed(self, error: BaseException | None = None) -> Events:
        """The file or stream has been closed, or given up; `error` is what closing it raised."""
        need = self._need
        if type(need) is CloseFile:
            self._open_files -= 1
        elif type(need) is CloseStream:
            self._unclosed = self._unclosed[1:]
            _BEING_SENT.pop(id(self._claimed[0]), None)
            self._claimed = self._claimed[1:]
        else:
            self._out_of_turn("closed")
        if error is not None:
            self.report(error, "closing")
        if self._state == states.BROKEN:
            self._ask_to_close()
            return ()
        if self._state == states.PASSING_OVER:
            assert self._lookup is not None  # a sibling is one of a file that was looked for
            return self._take_step(self._lookup.passed_over)
        return self._wind_up()

    def disconnected(self, sent: int = 0, unsent: int = 0) -> Events:
        """The client has gone, or what was handed out can't be sent. Idempotent, never raises.

        `sent` bytes of the `FileRange` under way had left before. Of the chunks that were handed out, `unsent` bytes
        still waited to be sent together with later ones. The answer to the need of this moment may still come, and is
        absorbed.
        """
        state = self._state
        # What was handed out last has not been counted yet.
        self._sent -= min(max(unsent - self._pending, 0), self._sent)
        if state == states.IDLE:
            self._state = states.IDLE_LEFT
        elif state == states.OPENING or state == states.OPENING_SIBLING or state == states.LISTING:
            self._decide("disconnected")
            self._state = states.OPENING_LEFT
        elif state == states.PAGING:
            self._decide("disconnected")
            self._state = states.PAGING_LEFT  # and the need stays what it is
        elif state == states.PASSING_OVER:
            self._decide("disconnected")
            self._state = states.CLOSING  # and the need stays what it is
        elif state == states.HEADING or state == states.STREAMING or state == states.FULFILLED:
            self._decide("complete" if state == states.FULFILLED else "disconnected")
            self._ask_to_close()
            self._state = states.STREAMING_LEFT
        elif state == states.SENDING or state == states.ENDING or state == states.FULFILLING:
            self._sent += min(max(sent, 0), self._announced)
            self._decide("disconnected")
            events = self._wind_up()
            self._state = states.FINISHED_LEFT if type(self._need) is Finished else states.CLOSING_LEFT
            return events
        return ()

    def _hand_out(self, events: Sequence[Event]) -> Events:
        """Hand out events up to the next `FileRange`, which has to be delivered before the rest; or all of them."""
        for index, event in enumerate(events):
            if type(event) is Chunk:
                self._pending += len(event.data)
            elif type(event) is FileRange:
                self._announced = event.count
                self._rest = events[index + 1 :]
                self._state = states.SENDING
                self._need = Deliver()
                return tuple(events[: index + 1])
        return self._last(*events)

    def _last(self, *events: Event) -> Events:
        """Hand out the end of the response; believe in it when it has been delivered."""
        self._state = states.ENDING
        self._need = Deliver()
        return events

    def _decide(self, kind: OutcomeKind) -> None:
        """Fix the outcome. What the application failed at counts, even where the client has left."""
        draft = self._draft
        if self._calls is None:
            kind = "failed" if draft.failed else kind
            self._calls = draft.finish(kind, self._sent, self._exchange.runtime.monotonic())

    def _wind_up(self) -> Events:
        """Ask for the next thing to be closed; when there is none, hand out the deferred work and finish."""
        if self._ask_to_close():
            self._state = states.CLOSING
            return ()
        self._state = states.FINISHED
        return (Deferred(tuple(self._calls)),) if self._calls else ()

    def _ask_to_close(self) -> bool:
        if self._open_files:
            self._need = CloseFile()
        elif self._unclosed:
            self._need = CloseStream(self._unclosed[0])
        else:
            self._need = Finished(self._outcome())
            return False
        return True

    def _outcome(self) -> Outcome:
        self._decide("disconnected")
        outcome = self._draft.outcome
        assert outcome is not None  # _decide has made it
        return outcome

    def report(self, error: BaseException, what: str) -> None:
        """Tell the application of an error, with the request that it belongs to; `what` went wrong."""
        request = self._exchange.request
        self._draft.report_error(error, f"{what} of {request.method} {request.path!r}", self._exchange.runtime)

    def _out_of_turn(self, call: str) -> NoReturn:
        """Poison the machine. Its deferred work is lost with it: nobody can say what the driver has done."""
        # By its kind alone: a need may hold a stream of the application's, or an outcome with the last message.
        need = "start()" if self._need is None else type(self._need).__name__
        error = LocalProtocolError(
            f"{call} was called in state {self.state}, when the machine waits for {need}; "
            "after this only what is open can be closed"
        )
        self._draft.break_off(error)
        self._ask_to_close()
        self._state = states.BROKEN
        raise error


def _too_long(size: int) -> ValueError:
    return ValueError(f"the stream yields {size} bytes or more beyond the length that was promised for it")


def _too_short(size: int) -> ValueError:
    return ValueError(f"the stream has ended {size} bytes short of the length that was promised for it")
