"""The middle of the machine: a body whose size is known goes out whole, in parts, or not at all.

That is a buffered body or a file; what conditions and ranges make of it is in `http.conditional` and `http.ranges`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from heaven_core.http.conditional import PRECONDITION_FAILED, precondition
from heaven_core.http.framing import frame
from heaven_core.http.headers import Field
from heaven_core.http.ranges import Partial, partial_fields, partial_of, spans_of
from heaven_core.http.validators import Validators, validators_of, weak_tag_of
from heaven_core.machine.ending import Ending, Events, RequestHead
from heaven_core.machine.trace import Recorder, explain_head, explain_refusal
from heaven_core.message.draft import Answer
from heaven_core.protocol.events import Chunk, End, Event, FileRange, Start
from heaven_core.runtime import Runtime

__all__ = ["Sized"]

S = TypeVar("S")

_ACCEPT_RANGES: Final[Field] = (b"accept-ranges", b"bytes")


class Sized(Ending[S]):
    """What both halves of the machine need of heads, and of bodies that are there as a whole."""

    __slots__ = ("_method", "_record")

    def __init__(self, response: Answer, request: RequestHead, runtime: Runtime, record: Recorder | None) -> None:
        super().__init__(response, request, runtime)
        self._method: Final = request.method
        self._record: Final = record

    def _whole(self, data: bytes) -> Events:
        """A body that is there, and so cannot fail half way: 304, 412 and 416 instead, where the request says so."""
        response = self._response
        fields = response.fields
        if response.tagged and 200 <= response.code <= 299 and all(name != b"etag" for name, _ in fields):
            fields = [*fields, (b"etag", weak_tag_of(data))]
        fields, current = self._validated(fields, False)
        instead = self._instead(fields, current)
        if instead is not None:
            return instead
        content_type = response.content_type
        return self._sized(
            fields, len(data), content_type, current, response.sliceable, lambda partial: _cut(data, partial)
        )

    def _file(self, fields: list[Field], size: int, content_type: bytes, replaced: bool) -> Events:
        """An open file of `size` bytes."""
        fields, current = self._validated(fields, replaced)
        instead = self._instead(fields, current)
        if instead is not None:
            return instead
        return self._sized(fields, size, content_type, current, True, _ranges_of)

    def _sized(
        self,
        fields: list[Field],
        size: int,
        content_type: bytes | None,
        current: Validators,
        ranges: bool,
        cut: Callable[[Partial], list[Event]],
    ) -> Events:
        response = self._response
        given = next((value for name, value in fields if name == b"accept-ranges"), None)
        ranges = ranges and response.code == 200 and response.most_ranges > 0 and given in (None, b"bytes")
        if ranges and given is None:
            fields.append(_ACCEPT_RANGES)
        partial: Partial | None = None
        try:
            start = self._head(fields, size, content_type)
            if ranges:
                now = self._runtime.wall()
                spans = spans_of(self._request, 200, fields, size, current, now, response.most_ranges)
                if spans == []:
                    return self._unsatisfiable(size)
                if spans is not None:
                    typed = next((value for name, value in fields if name == b"content-type"), content_type)
                    partial = partial_of(spans, size, typed, self._runtime.token())
                    response.code = 206
                    fields = partial_fields(fields, partial)
                    start = self._head(fields, partial.length, partial.content_type or content_type)
        except ValueError as error:
            return self._fail(error, "headers")
        self._begin(start)
        if not start.length:
            return self._last(start, End())
        events = cut(partial or Partial(((0, size),), size))
        return self._hand_out([start, *events, End()])

    def _validated(self, fields: list[Field], replaced: bool) -> tuple[list[Field], Validators]:
        fields = fields.copy()
        return fields, validators_of(fields, self._runtime.wall(), self._runtime.date_lag, replaced)

    def _instead(self, fields: list[Field], current: Validators) -> Events | None:
        """The 304 or 412 that a precondition makes of the response."""
        response = self._response
        status = precondition(self._request, response.code, current, self._runtime.wall())
        if status is None:
            return None
        if self._record is not None:
            explain_refusal(status, self._record)
        if status == 304:
            response.code = status
            return self._without_body(fields, None, None)
        response.become(status, PRECONDITION_FAILED)
        return self._whole(response.encode())

    def _unsatisfiable(self, size: int) -> Events:
        """RFC 9110 §15.5.17: none of the ranges lies in the representation, and this is how long it is."""
        response = self._response
        if self._record is not None:
            explain_refusal(416, self._record)
        response.become(416, "416 Range Not Satisfiable\n")
        response.append((b"content-range", b"bytes */%d" % size))
        return self._whole(response.encode())

    def _without_body(self, fields: list[Field], length: int | None, content_type: bytes | None) -> Events:
        try:
            start = self._head(fields, length, content_type)
        except ValueError as error:
            return self._fail(error, "headers")
        self._begin(start)
        return self._last(start, End())

    def _head(self, fields: list[Field], length: int | None, content_type: bytes | None) -> Start:
        """The head as it would go out. Raises `ValueError` where the handler has asked for an impossible one."""
        response = self._response
        lines, follows = frame(self._method, response.code, fields, length, content_type)
        return Start(response.code, lines, follows, response.closing)

    def _begin(self, start: Start) -> None:
        if self._record is not None:
            explain_head(self._method, self._response, start, self._record)

    def _fail(self, error: BaseException, where: str) -> Events:
        self.report(error, where)
        self._response.fail(error, self._runtime.describe)
        return self._whole(self._response.encode())


def _cut(data: bytes, partial: Partial) -> list[Event]:
    pieces = [piece if isinstance(piece, bytes) else data[piece[0] : piece[1]] for piece in partial.pieces]
    return [Chunk(pieces[0] if len(pieces) == 1 else b"".join(pieces))]


def _ranges_of(partial: Partial) -> list[Event]:
    return [
        Chunk(piece) if isinstance(piece, bytes) else FileRange(piece[0], piece[1] - piece[0])
        for piece in partial.pieces
    ]
