"""The driver's side of a response: what the machine, the fast lane and the pipeline read and decide.

`Response` adds what handlers touch. Nothing here checks who is asking, so a handler has no business with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from heaven_core._checks import is_bytes_like
from heaven_core.errors import ResponseStarted
from heaven_core.http.conditional import Conditions
from heaven_core.http.event_stream import ServerSentEvent, encode_event
from heaven_core.http.framing import without_content_fields
from heaven_core.http.headers import Field, ResponseHeaders
from heaven_core.http.json_codec import encode_json
from heaven_core.http.ranges import MAX_RANGES
from heaven_core.http.text_codec import encode_text
from heaven_core.message.bodies import AnyIterable, FileSource, StreamSource, held_by, is_same
from heaven_core.message.html import debug_page
from heaven_core.protocol.events import DeferredCall
from heaven_core.protocol.outcome import Outcome, OutcomeKind
from heaven_core.runtime import Runtime
from heaven_core.schema.schema import Schema

__all__ = ["NO_FIELDS", "STARTED", "Answer", "Host", "Report", "encode_item"]


Report = Callable[[BaseException, str], None]


class Host(Protocol):
    """What a response wants of its app."""

    @property
    def debug(self) -> bool:
        """Whether clients are shown tracebacks."""
        ...

    def report(self, error: BaseException, where: str, /) -> None:
        """Tell the application of an error."""
        ...


_TEXT: Final = b"text/plain; charset=utf-8"

_BYTES: Final = b"application/octet-stream"

_JSON: Final = b"application/json"

_HTML: Final = b"text/html; charset=utf-8"

_NO_STORE: Final = (b"cache-control", b"no-store")

_NOT_IN_500: Final = (b"cache-control", b"upgrade")

NO_FIELDS: Final[list[Field]] = []

STARTED: Final = "the response has started: status, headers and body can't be changed any more"


_Mark = tuple[list[Field], int, bool]


class Answer:
    """The state of one response.

    `code`, `content` and `source` are status, body, and file or stream; `lines` the headers, made when first used;
    `ending` what `outcome` is made of: its kind, the body's bytes and the monotonic time, once there is one;
    `released` the streams and open files that a later body replaced and that still have to be closed; `refusal` why a
    change is refused, once it is; `began` the monotonic time in seconds when the request arrived.
    """

    __slots__ = (
        "_mark",
        "began",
        "closing",
        "code",
        "content",
        "content_type",
        "deferred",
        "encoded",
        "error",
        "failed",
        "ending",
        "gone",
        "host",
        "lines",
        "most_ranges",
        "refusal",
        "released",
        "request",
        "runtime",
        "schema",
        "sliceable",
        "source",
        "tagged",
    )

    def __init__(self, host: Host | None = None, began: float = 0.0) -> None:
        self.host: Final = host
        self.began: Final = began
        self.code = 200
        self.content: object = None
        self.content_type: bytes | None = None
        self.encoded: bytes | None = None
        self.source: FileSource | StreamSource | None = None
        self.lines: ResponseHeaders | None = None
        self.released: list[AnyIterable] | None = None
        self.deferred: list[DeferredCall] | None = None
        self.closing = False
        self.refusal: str | None = None
        self.schema: Schema | None = None
        # What an error handler finds in res.error; `failed` says whether it was a failure of the application.
        self.error: BaseException | None = None
        self.failed = False
        # The client went away before its request had been read whole.
        self.gone = False
        # For conditions and ranges: the request that is answered, and the clock that its dates are read by.
        self.request: Conditions | None = None
        self.runtime: Runtime | None = None
        self.sliceable = False
        self.most_ranges = MAX_RANGES
        self.tagged = False  # by what the body says
        self._mark: _Mark | None = None
        self.ending: tuple[OutcomeKind, int, float] | None = None

    @property
    def outcome(self) -> Outcome | None:
        """How the response ended; `None` until it has."""
        if self.ending is None:
            return None
        kind, body_bytes, ended = self.ending
        return Outcome(kind, self.code, body_bytes, ended - self.began, self.error if self.failed else None)

    @property
    def fields(self) -> list[Field]:
        """The header lines as they are now; not to be changed in place."""
        return NO_FIELDS if self.lines is None else self.lines.fields

    def header_lines(self) -> ResponseHeaders:
        """The header lines, to be changed."""
        if self.lines is None:
            self.lines = ResponseHeaders()
            self.lines.refusal = self.refusal
        return self.lines

    @property
    def is_open(self) -> bool:
        """Whether it can still be changed: neither aborted nor started."""
        return self.refusal is None

    def check_open(self) -> None:
        """Raise `ResponseStarted` if the response can't be changed any more."""
        if self.refusal is not None:
            raise ResponseStarted(self.refusal)

    def seal(self, refusal: str) -> None:
        """Refuse every change from now on."""
        self.refusal = refusal
        if self.lines is not None:
            self.lines.refusal = refusal

    def start(self) -> None:
        """The head is on its way."""
        self.seal(STARTED)

    def release(self) -> None:
        """Put the file or stream aside; a stream, or a file that was open before, still has to be closed."""
        source, self.source = self.source, None
        held = None if source is None else held_by(source)
        if held is not None:
            if self.released is None:
                self.released = []
            self.released.append(held)

    def take(self, source: FileSource | StreamSource) -> None:
        """Make a file or a stream the body."""
        self.release()
        held = held_by(source)
        if held is not None and self.released is not None:
            # Set again after something else had replaced it: it is in use, and closed once.
            self.released = [other for other in self.released if not is_same(other, held)]
        self.content = self.content_type = self.encoded = None
        self.source = source

    def mark(self) -> None:
        """A before-hook has finished: this is what a later failure goes back to."""
        fields = NO_FIELDS if self.lines is None else self.lines.share()
        self._mark = (fields, 0 if self.deferred is None else len(self.deferred), self.closing)

    def become(self, status: int, text: str) -> None:
        """Answer with a short text in place of the body; the fields that were about the body go with it."""
        self.release()
        self.code = status
        self.content = text
        self.content_type = _TEXT
        self.encoded = text.encode()
        self.tagged = False
        self._replace_fields(without_content_fields(self.fields))

    def show(self, page: str) -> None:
        """Answer with a page that the library has made, in place of a file; it has a tag, and is asked for again."""
        self.become(self.code, page)
        self.content_type = _HTML
        self.tagged = True
        if all(name != b"cache-control" for name, _ in self.fields):
            self.append((b"cache-control", b"no-cache"))

    def vary_on(self, member: bytes) -> None:
        """Add a request field to Vary, whether or not handlers may still do so."""
        if self.header_lines().new_members(member):
            self.append((b"vary", member))

    def append(self, line: Field) -> None:
        """Add a line that the library has made, whether or not handlers may still add some."""
        self._replace_fields([*self.fields, line])

    def roll_back(self, status: int, text: str) -> None:
        """Forget what was set since the last before-hook that finished, then `become`.

        Deferred calls are forgotten, too, but for those that wait for a failure.
        """
        fields, kept, self.closing = self._mark or (NO_FIELDS, 0, False)
        if self.lines is not None:
            self.lines.restore(fields)
        if self.deferred is not None:
            self.deferred[kept:] = [call for call in self.deferred[kept:] if call.when == "failed"]
        self.become(status, text)

    def fail(self, error: BaseException, describe: Callable[[BaseException], str]) -> None:
        """The application failed before the start: a 500 that says nothing about the error, unless `debug` is on.

        `describe` makes a traceback of it. Upgrade goes, too: it is for a 426 only.
        """
        self.error = error
        self.failed = True
        self.roll_back(500, "500 Internal Server Error\n")
        self._replace_fields([line for line in self.fields if line[0] not in _NOT_IN_500] + [_NO_STORE])
        if self.host is not None and self.host.debug:
            self.content = debug_page(describe(error))
            self.content_type = _HTML
            self.encoded = self.content.encode("utf-8", "backslashreplace")

    def break_off(self, error: BaseException) -> None:
        """The application, or the disk, failed after the start."""
        self.error = error
        self.failed = True

    def report_error(self, error: BaseException, where: str) -> None:
        """Tell the application, and its log."""
        if self.host is not None:
            self.host.report(error, where)

    def finish(self, kind: OutcomeKind, body_bytes: int, ended: float) -> Sequence[DeferredCall]:
        """Fix the outcome; `ended` is the monotonic time in seconds. Returns the deferred calls that it lets run."""
        self.ending = (kind, body_bytes, ended)
        if self.deferred is None:
            return ()
        return [call for call in self.deferred if call.when == "always" or call.when == kind]

    def encode(self) -> bytes:
        """The body as bytes, kept until another is set; empty where a file or stream is the body.

        Raises `TypeError` for a body that can't be encoded, or that the schema can't filter.
        """
        if self.encoded is None:
            schema = self.schema
            content = self.content
            kind = type(content)
            if schema is not None and schema.returns is not None and 200 <= self.code < 300:
                self.encoded = self._filter(schema)
            elif kind is dict or kind is list:
                self.encoded = encode_json(content)
                self.content_type = _JSON
            elif type(content) is str:
                self.encoded = encode_text(content)
                self.content_type = self.content_type or _TEXT
            elif content is None:
                self.encoded = b""
            else:
                self.encoded = self._encode_other(content)
        return self.encoded

    def _filter(self, schema: Schema) -> bytes:
        if self.source is not None:
            if isinstance(self.source, StreamSource) and self.source.sse:
                return b""  # filtered item by item
            if schema.returns is bytes or schema.returns is str:
                return b""  # there is nothing to filter
            raise TypeError("a file or a plain stream can't be filtered by the schema of this route: set a body")
        if self.content is None:
            return b""
        data = schema.encode(self.content)
        self.content_type = self.content_type or schema.content_type.encode("ascii")
        return data

    def _encode_other(self, content: object) -> bytes:
        if is_bytes_like(content):
            self.content_type = _BYTES
            return bytes(content)
        if isinstance(content, str):  # of a subclass
            self.content_type = self.content_type or _TEXT
            return encode_text(content)
        self.content_type = _JSON
        return encode_json(content) if self.schema is None else self.schema.encode_any(content)

    def _replace_fields(self, fields: list[Field]) -> None:
        self.header_lines().restore(fields)


def encode_item(item: object, sse: bool, response: Answer) -> bytes:
    """What goes on the wire for `item`: `str` and bytes as they are, or a server-sent event.

    Where the route has a schema, the data of each event of a 2xx response passes its filter. Raises `TypeError` for
    an item of another type, and `ValueError` or `TypeError` for an event that would forge another one.
    """
    if sse:
        schema = response.schema
        if schema is None or schema.returns is None or not 200 <= response.code < 300:
            return encode_event(item)
        return encode_event(_filtered(item, schema))
    if isinstance(item, str):
        return encode_text(item)
    if is_bytes_like(item):
        return bytes(item)
    raise TypeError(f"a stream must yield bytes or str, not {type(item).__name__}; for anything else use sse=True")


def _filtered(item: object, schema: Schema) -> bytes | ServerSentEvent:
    if not isinstance(item, ServerSentEvent):
        return schema.encode(item)
    if item.data is None:
        return item
    return ServerSentEvent(schema.encode(item.data), item.event, item.id, item.retry, item.comment)
