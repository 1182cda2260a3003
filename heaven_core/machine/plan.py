"""What goes out for a body whose size is known: all of it, parts of it, or none (RFC 9110 §13 to §15).

These are functions of an `Exchange`. They wait for nothing: each returns the events from `Start` to `End`, or what has
to be asked for before, or raises `ValueError` for a head that the handler has made impossible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, final

from heaven_core.http.conditional import PRECONDITION_FAILED, Conditions, precondition
from heaven_core.http.framing import frame
from heaven_core.http.headers import Field
from heaven_core.http.ranges import Partial, partial_fields, partial_of, spans_of
from heaven_core.http.validators import Validators, validators_of, weak_tag_of
from heaven_core.machine import states
from heaven_core.machine.trace import Recorder, explain_head, explain_refusal
from heaven_core.message.draft import Draft
from heaven_core.protocol.events import Chunk, End, Event, FileRange, Start
from heaven_core.protocol.needs import CloseFile, ListDirectory, MakePage, OpenFile, UseFile
from heaven_core.runtime import Runtime

__all__ = [
    "Ask",
    "Exchange",
    "RequestHead",
    "Step",
    "begin",
    "plan_buffered",
    "plan_file",
    "plan_head",
    "plan_refusal",
    "plan_text",
    "validated",
]

_ACCEPT_RANGES: Final[Field] = (b"accept-ranges", b"bytes")


class RequestHead(Conditions, Protocol):
    """What the machine wants to know of a request."""

    @property
    def path(self) -> str:
        """The path, for reports."""
        ...


@final
class Ask:
    """A step that is not the last: the machine waits in `state` for what `need` gives."""

    __slots__ = ("need", "state")

    def __init__(self, state: int, need: OpenFile | UseFile | ListDirectory | CloseFile | MakePage) -> None:
        self.state: Final = state
        self.need: Final = need


Step: TypeAlias = Ask | list[Event]
"""What has to be known next, or the events of what is decided."""


@final
class Exchange:
    """What a decision depends on: draft, request and runtime, and the recorder that is told why."""

    __slots__ = ("draft", "record", "request", "runtime")

    def __init__(self, draft: Draft, request: RequestHead, runtime: Runtime, record: Recorder | None) -> None:
        self.draft: Final = draft
        self.request: Final = request
        self.runtime: Final = runtime
        self.record: Final = record

    def page(self, error: Exception | None, status: int, what: str) -> Ask | None:
        """Ask for the application's own page for an error of `what`, else for a status; `None` if it has none.

        One page is made for a response: what goes wrong with it, as a file that is not there, has a short text.
        """
        draft = self.draft
        make = None if draft.pages is None or draft.has_page else draft.pages.find(error, status, what)
        if make is None:
            return None
        draft.has_page = True
        return Ask(states.PAGING, MakePage(make))

    def head(self, fields: list[Field], length: int | None, content_type: bytes | None) -> Start:
        """The head as it would go out. Raises `ValueError` where the handler has asked for an impossible one."""
        draft = self.draft
        lines, follows = frame(self.request.method, draft.status, fields, length, content_type)
        return Start(draft.status, lines, follows, draft.options.close)


def begin(exchange: Exchange, start: Start) -> Start:
    """`start`, which is final now: whoever wants to know hears how it came about."""
    if exchange.record is not None:
        explain_head(exchange.request.method, exchange.draft, start, exchange.record)
    return start


def validated(exchange: Exchange, fields: list[Field], date_replaced: bool = False) -> tuple[list[Field], Validators]:
    """A copy of the lines in which no date lies in the future, and the validators among them."""
    fields = fields.copy()
    runtime = exchange.runtime
    return fields, validators_of(fields, runtime.wall(), runtime.date_lag, date_replaced)


def plan_buffered(exchange: Exchange, data: bytes) -> Step:
    """The events of a body that is in memory, or of the 304, 412 or 416 that the request makes of it."""
    draft = exchange.draft
    fields = draft.fields
    if draft.auto_etag and 200 <= draft.status <= 299 and all(name != b"etag" for name, _ in fields):
        fields = [*fields, (b"etag", weak_tag_of(data))]
    fields, current = validated(exchange, fields)
    refusal = plan_refusal(exchange, fields, current)
    if refusal is not None:
        return refusal
    size = len(data)
    ranges = draft.options.ranges
    return _plan_sized(exchange, fields, size, draft.default_type, current, ranges, lambda part: _cut(data, part))


def plan_file(exchange: Exchange, fields: list[Field], size: int, content_type: bytes, date_replaced: bool) -> Step:
    """The events of an open file of `size` bytes, or of the 304, 412 or 416 that the request makes of it."""
    fields, current = validated(exchange, fields, date_replaced)
    refusal = plan_refusal(exchange, fields, current)
    if refusal is not None:
        return refusal
    return _plan_sized(exchange, fields, size, content_type, current, True, _file_ranges)


def plan_refusal(exchange: Exchange, fields: list[Field], current: Validators) -> Step | None:
    """The events of the 304 or 412 that a precondition makes of the response; `None` where it holds (§13.2)."""
    draft = exchange.draft
    status = precondition(exchange.request, draft.status, current, exchange.runtime.wall())
    if status is None:
        return None
    if exchange.record is not None:
        explain_refusal(status, exchange.record)
    if status == 304:
        draft.status = status
        return plan_head(exchange, fields, None, None)
    return plan_text(exchange, status, PRECONDITION_FAILED)


def plan_head(exchange: Exchange, fields: list[Field], length: int | None, content_type: bytes | None) -> list[Event]:
    """The events of a response that has no content: to HEAD, and with 204, 205 and 304."""
    return [begin(exchange, exchange.head(fields, length, content_type)), End()]


def plan_text(exchange: Exchange, status: int, text: str, *lines: Field) -> Step:
    """The events of a short text that takes the place of the body that was set, or of the page for its status."""
    draft = exchange.draft
    if status < 400:
        draft.become(status, text)
        draft.append(*lines)
        return plan_buffered(exchange, draft.encode())
    draft.become_error(status, text)
    draft.append(*lines)
    page = exchange.page(None, status, "the answer")
    if page is not None:
        return page
    return plan_buffered(exchange, draft.encode())


def _plan_sized(
    exchange: Exchange,
    fields: list[Field],
    size: int,
    content_type: bytes | None,
    current: Validators,
    ranges: bool,
    cut: Callable[[Partial], list[Event]],
) -> Step:
    """The events of the whole body, or of those ranges of it that the request asks for (RFC 9110 §14)."""
    draft = exchange.draft
    given = next((value for name, value in fields if name == b"accept-ranges"), None)
    ranges = ranges and draft.status == 200 and draft.options.max_ranges > 0 and given in (None, b"bytes")
    if ranges and given is None:
        fields.append(_ACCEPT_RANGES)
    partial = Partial(((0, size),), size)
    start = exchange.head(fields, size, content_type)
    if ranges:
        now = exchange.runtime.wall()
        spans = spans_of(exchange.request, 200, fields, size, current, now, draft.options.max_ranges)
        if spans == []:
            return _plan_unsatisfiable(exchange, size)
        if spans is not None:
            typed = next((value for name, value in fields if name == b"content-type"), content_type)
            partial = partial_of(spans, size, typed, exchange.runtime.token())
            draft.status = 206
            start = exchange.head(partial_fields(fields, partial), partial.length, partial.content_type or content_type)
    begin(exchange, start)
    return [start, *cut(partial), End()] if start.length else [start, End()]


def _plan_unsatisfiable(exchange: Exchange, size: int) -> Step:
    """The 416 that says how long the representation is, in which none of the ranges lies (RFC 9110 §15.5.17)."""
    if exchange.record is not None:
        explain_refusal(416, exchange.record)
    return plan_text(exchange, 416, "416 Range Not Satisfiable\n", (b"content-range", b"bytes */%d" % size))


def _cut(data: bytes, partial: Partial) -> list[Event]:
    pieces = [piece if isinstance(piece, bytes) else data[piece[0] : piece[1]] for piece in partial.pieces]
    return [Chunk(pieces[0] if len(pieces) == 1 else b"".join(pieces))]


def _file_ranges(partial: Partial) -> list[Event]:
    return [
        Chunk(piece) if isinstance(piece, bytes) else FileRange(piece[0], piece[1] - piece[0])
        for piece in partial.pieces
    ]
