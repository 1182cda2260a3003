"""The state behind a response: what dispatch, fast path and machine read and decide.

A handler touches a `Response`, which checks what it is given and writes it down here. No public name of a response
leads to its draft, and nothing here checks who is asking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias, final

from heaven_core._checks import check_int, exact, is_bytes_like
from heaven_core.errors import (
    NO_FILE,
    NO_METHOD,
    NO_ROUTE,
    ClientError,
    MethodNotAllowed,
    ResponseStarted,
    UnprocessableContent,
)
from heaven_core.http.conditional import Conditions
from heaven_core.http.cookies import cookie_identity
from heaven_core.http.event_stream import ServerSentEvent, encode_event
from heaven_core.http.framing import without_content_fields
from heaven_core.http.headers import (
    Field,
    check_name,
    check_value,
    is_single,
    keep_line,
    new_vary_members,
    replace_line,
)
from heaven_core.http.json_codec import encode_json
from heaven_core.http.negotiation import parse_media_type
from heaven_core.http.ranges import MAX_RANGES
from heaven_core.http.reason_phrases import REASON_PHRASES
from heaven_core.http.text_codec import TextEncoder, encode_text
from heaven_core.message.bodies import AnyIterable, FileSource, StreamSource, held_by, is_same
from heaven_core.message.context import Context
from heaven_core.message.field_index import FieldIndex
from heaven_core.message.html import debug_page
from heaven_core.protocol.events import DeferredCall
from heaven_core.protocol.needs import PageMaker
from heaven_core.protocol.outcome import Outcome, OutcomeKind
from heaven_core.runtime import Runtime
from heaven_core.schema.schema import Schema

__all__ = ["CLIENT_LEFT", "JSON", "NO_FIELDS", "STARTED", "Draft", "Host", "Options", "Pages"]


class Host(Protocol):
    """What a response wants of its app."""

    @property
    def debug(self) -> bool:
        """Whether clients are shown tracebacks."""
        ...

    def report(self, error: BaseException, where: str, runtime: Runtime, /) -> None:
        """Tell the application of an error."""
        ...


class Pages(Protocol):
    """The application's own error pages, for one request."""

    @property
    def context(self) -> Context:
        """What hooks and handler have kept."""
        ...

    def find(self, error: Exception | None, status: int, what: str, /) -> PageMaker | None:
        """What makes the page for an error, else for a status; `None` where there is none for it.

        `what` has failed. What is made is set in the draft, which has to be open; an error is answered and reported.
        """
        ...


_TEXT: Final = b"text/plain; charset=utf-8"
_BYTES: Final = b"application/octet-stream"
JSON: Final = b"application/json"
_HTML: Final = b"text/html; charset=utf-8"
_NO_STORE: Final = (b"cache-control", b"no-store")
_FAILURES: Final = {500: "500 Internal Server Error\n", 503: "503 Service Unavailable\n"}
# A kind of error of the application's own may have a status without a phrase.
_PHRASES: Final = {status: f" {phrase}" for status, phrase in REASON_PHRASES.items()}
_SAID_BY_PHRASE: Final = frozenset({NO_ROUTE, NO_METHOD, NO_FILE})
# Fields whose value counts where they are set: see `_add` and `_replace`.
_LOOKED_AT: Final = frozenset({b"vary", b"set-cookie", b"content-length", b"etag", b"last-modified"})
_NOT_IN_500: Final = (b"cache-control", b"upgrade")
NO_FIELDS: Final[list[Field]] = []
STARTED: Final = "the response has started: status, headers and body can't be changed any more"
CLIENT_LEFT: Final = "the client has left before its request was read whole: there is nobody to answer"


@final
class Options:
    """What a handler asks for besides status, headers and body: few do, so one object says that none was asked for.

    `close` the connection afterwards; `ranges` of a buffered body are allowed; `max_ranges` that one request gets.
    """

    __slots__ = ("close", "max_ranges", "ranges")

    def __init__(self, close: bool = False, ranges: bool = False, max_ranges: int = MAX_RANGES) -> None:
        self.close: Final = close
        self.ranges: Final = ranges
        self.max_ranges: Final = max_ranges

    def with_changes(self, before: Options, after: Options) -> Options:
        """These options with what has changed between the other two."""
        if before is after:
            return self
        return Options(
            self.close if after.close == before.close else after.close,
            self.ranges if after.ranges == before.ranges else after.ranges,
            self.max_ranges if after.max_ranges == before.max_ranges else after.max_ranges,
        )


_DEFAULTS: Final = Options()

# What was set when the last before-hook had finished: header lines, deferred calls, options.
_Mark: TypeAlias = tuple[list[Field], tuple[DeferredCall, ...], Options]
_NOTHING_SET: Final[_Mark] = (NO_FIELDS, (), _DEFAULTS)

# What was there when an around-hook went on: why a change was refused, if it was, the status, header lines, number of
# deferred calls, options.
_Reopened: TypeAlias = tuple[str | None, int, list[Field], int, Options]


@final
class Draft:
    """One response while it is made and sent.

    What a failure takes back:

    - `status`; `body` as it was set, and `encoded`, its bytes once it is; or the `source` of a file or stream;
    - `default_type`: the Content-Type that the library has chosen for the body, which gives way to the handler's; and
      `named_type`, that of the name under which a body of bytes may be saved;
    - `auto_etag`: the tag is to be made of what the body says;
    - `fields`: the header lines, not to be changed in place but by the methods here;
    - `options` and `deferred`.

    What lasts: the `host`, the `runtime`, the `request` whose conditions and ranges count, its route's `schema`, and
    the `pages` where the application has some of its own; `began`, the monotonic time in seconds when the request
    arrived; `released`, the streams and open files that a later body replaced and that still have to be closed;
    `refusal`, why a change is refused, once it is; `error`, what an error page finds, and whether that is a failure of
    the application (`failed`); `has_page`, a page of the application's own takes the place of what went wrong;
    `ending`, what the outcome is made of: kind, body bytes and monotonic time; `is_plain`, nothing was set that takes a
    machine to decide on: a source, validators, ranges; `names_charset`, somebody has set a Content-Type with a charset
    that may not be UTF-8.
    """

    __slots__ = (
        "_index", "_item_encoder", "_mark", "_shared", "auto_etag", "began", "body", "default_type", "deferred",
        "encoded", "ending", "error", "failed", "fields", "has_page", "host", "is_plain", "named_type", "names_charset",
        "options", "pages", "refusal", "released", "request", "runtime", "schema", "source", "status",
    )  # fmt: skip

    def __init__(self, host: Host | None = None, runtime: Runtime | None = None) -> None:
        self.host: Final = host
        self.runtime: Runtime | None = runtime
        self.began: Final = 0.0 if runtime is None else runtime.monotonic()
        self.request: Conditions | None = None
        self.pages: Pages | None = None
        self.schema: Schema | None = None
        self.released: list[AnyIterable] | None = None
        self.refusal: str | None = None
        self.error: BaseException | None = None
        self.failed: bool = False
        self.has_page: bool = False
        self.is_plain: bool = True
        self.names_charset: bool = False
        self._item_encoder: TextEncoder | None = None
        self._index: FieldIndex | None = None
        self.ending: tuple[OutcomeKind, int, float] | None = None
        self.deferred: list[DeferredCall] | None = None
        self._mark = _NOTHING_SET
        # What a failure takes back: again in `roll_back`, and a test compares the two. A method for both would cost
        # each response 50 ns (benchmarks/dispatch.py).
        self.status: int = 200
        self.body: object = None
        self.encoded: bytes | None = None
        self.source: FileSource | StreamSource | None = None
        self.default_type: bytes | None = None
        self.named_type: bytes | None = None
        self.auto_etag: bool = False
        self.options: Options = _DEFAULTS
        self.fields: list[Field] = NO_FIELDS
        self._shared = True

    @property
    def outcome(self) -> Outcome | None:
        """How the response ended; `None` until it has."""
        if self.ending is None:
            return None
        kind, body_bytes, ended = self.ending
        return Outcome(kind, self.status, body_bytes, ended - self.began, self.error if self.failed else None)

    # Whether it can be changed

    @property
    def is_open(self) -> bool:
        """Whether the response can still be changed: it is neither aborted nor started."""
        return self.refusal is None

    def check_open(self) -> None:
        """Raise `ResponseStarted` if the response can't be changed any more."""
        if self.refusal is not None:
            raise ResponseStarted(self.refusal)

    # Header lines

    def add_field(self, name: object, value: object) -> None:
        """Add a line of a handler's. See `ResponseHeaders.add`."""
        self.check_open()
        line = (check_name(name), check_value(name, value))
        self._add(line)
        if line[0] not in _LOOKED_AT and not (line[0] == b"content-type" and _may_not_be_utf8(line[1])):
            keep_line(name, value, line)

    def add_known(self, line: Field) -> None:
        """Add a line out of `KNOWN_LINES`."""
        if self.refusal is not None:
            raise ResponseStarted(self.refusal)
        if not self.fields:
            self.fields = [line]
            self._shared = False
        elif is_single(line[0]):
            replace_line(self._own_fields(), line)
        else:
            self._own_fields().append(line)

    def _add(self, line: Field) -> None:
        if is_single(line[0]):
            self._replace(line)
        elif line[0] != b"vary":
            self._own_fields().append(line)
        else:
            self.vary_on(line[1])

    def set_field(self, name: object, value: object) -> None:
        """Put a line of a handler's in the place of all of that name. See `ResponseHeaders.set`."""
        self.check_open()
        line = (check_name(name), check_value(name, value))
        if line[0] == b"vary":
            self.vary_on(line[1])
        else:
            self._replace(line)

    def remove_field(self, name: bytes) -> None:
        """Take away every line of this lower-case name."""
        self.check_open()
        self._own_fields()[:] = [line for line in self.fields if line[0] != name]
        self._forget_index()

    def append(self, *lines: Field) -> None:
        """Add lines that the library has made, whether or not handlers may still add some."""
        self._own_fields().extend(lines)

    def vary_on(self, members: bytes) -> None:
        """Add request fields to Vary, each once (RFC 9110 §12.5.5)."""
        new = new_vary_members(self._indexed().vary, members)
        if new:
            self._own_fields().append((b"vary", new))

    def add_cookie(self, line: str) -> None:
        """Add a Set-Cookie line, in the place of one for the same cookie."""
        self.check_open()
        value = check_value("Set-Cookie", line)
        identity = cookie_identity(line)
        if identity in self._indexed().cookies:
            self._own_fields()[:] = [
                (name, old)
                for name, old in self.fields
                if name != b"set-cookie" or cookie_identity(old.decode("latin-1")) != identity
            ]
            self._forget_index()
        self._own_fields().append((b"set-cookie", value))

    def _indexed(self) -> FieldIndex:
        index = self._index
        if index is None:
            index = self._index = FieldIndex()
        index.read(self.fields)
        return index

    def _forget_index(self) -> None:
        if self._index is not None:
            self._index.forget()

    def _replace(self, line: Field) -> None:
        name = line[0]
        if name == b"content-length" and not line[1].isdigit():
            raise ValueError(f"the value of Content-Length must be a number of bytes, 0 or more: {line[1].decode()!r}")
        if name == b"etag" or name == b"last-modified":
            self.is_plain = False  # the request may have conditions
        elif name == b"content-type" and _may_not_be_utf8(line[1]):
            self.names_charset = True
        replace_line(self._own_fields(), line)
        if not is_single(name):
            self._forget_index()

    def _own_fields(self) -> list[Field]:
        """The lines, to be changed in place: a copy where a mark has them, too."""
        if self._shared:
            self.fields = self.fields.copy()
            self._shared = False
        return self.fields

    # The body

    def release(self) -> None:
        """Put the file or stream aside; a stream, or a file that was open before, still has to be closed."""
        source, self.source = self.source, None
        held = None if source is None else held_by(source)
        if held is not None:
            if self.released is None:
                self.released = []
            self.released.append(held)

    def set_body(self, body: object, default_type: bytes | None = None) -> None:
        """Make `body` what goes out, in place of whatever was set."""
        if self.source is not None:
            self.release()
        self.body = body
        self.default_type = default_type
        self.encoded = None

    def set_source(self, source: FileSource | StreamSource) -> None:
        """Make a file or a stream the body."""
        self.is_plain = False  # also where another body follows: it still has to be closed
        self.release()
        held = held_by(source)
        if held is not None and self.released is not None:
            # Set again after something else had replaced it: it is in use, and closed once.
            self.released = [other for other in self.released if not is_same(other, held)]
        self.set_body(None)
        self.source = source
        self._item_encoder = None  # another stream may have had another charset
        if type(source) is StreamSource and _may_not_be_utf8(source.content_type):
            self.names_charset = True

    def encode(self) -> bytes:
        """The body as bytes, kept until another is set; empty where a file or stream is the body.

        Raises `TypeError` for a body that can't be encoded, or that the schema can't filter.
        """
        if self.encoded is None:
            schema = self.schema
            body = self.body
            kind = type(body)
            if schema is not None and schema.returns is not None and 200 <= self.status < 300:
                self.encoded = self._filter(schema)
            elif kind is dict or kind is list:
                self.encoded = encode_json(body)
                self.default_type = JSON
            elif self.default_type is JSON:  # by res.json()
                self.encoded = self._encode_as_json(body)
            elif type(body) is str:
                self.encoded = encode_text(body) if not self.names_charset else self._encoder_of_text().encode(body)
                self.default_type = self.default_type or _TEXT
            elif body is None:
                self.encoded = b""
            else:
                self.encoded = self._encode_other(body)
        return self.encoded

    def _filter(self, schema: Schema) -> bytes:
        if self.source is not None:
            if isinstance(self.source, StreamSource) and self.source.sse:
                return b""  # filtered item by item
            if schema.returns is bytes or schema.returns is str:
                return b""  # there is nothing to filter
            raise TypeError("a file or a plain stream can't be filtered by the schema of this route: set a body")
        if self.default_type is JSON:
            return schema.encode_json(self.body)
        if self.body is None:
            return b""
        data = schema.encode(self.body)
        if schema.returns is str and self.names_charset:
            data = self._encoder_of_text().encode(data.decode())
        self.default_type = self.default_type or schema.content_type.encode("ascii")
        return data

    def _encode_other(self, body: object) -> bytes:
        if is_bytes_like(body):
            self.default_type = self.named_type or _BYTES
            return bytes(body)
        if isinstance(body, str):  # of a subclass
            self.default_type = self.default_type or _TEXT
            text = exact(body)
            return encode_text(text) if not self.names_charset else self._encoder_of_text().encode(text)
        self.default_type = JSON
        return self._encode_as_json(body)

    def _encode_as_json(self, body: object) -> bytes:
        return encode_json(body) if self.schema is None else self.schema.encode_any(body)

    def _encoder_of_text(self, chosen: bytes | None = None) -> TextEncoder:
        """What encodes text in the charset of the handler's Content-Type, else of the one `chosen`, else in UTF-8."""
        value = next((value for name, value in self.fields if name == b"content-type"), chosen or b"")
        media_type = parse_media_type(value.decode("latin-1"))
        return TextEncoder("utf-8" if media_type is None else media_type[1].get("charset", "utf-8"))

    def _encode_item_in_charset(self, text: str) -> bytes:
        encoder = self._item_encoder
        if encoder is None:
            source = self.source
            chosen = source.content_type if type(source) is StreamSource else None
            encoder = self._item_encoder = self._encoder_of_text(chosen)
        return encoder.encode(text)

    def seal(self, refusal: str) -> None:
        """Have the response go out as it is now, whatever the handler does; `refusal` says so to who changes it."""
        try:
            self.encode()  # now: what is done to a dict or a bytearray later must not change what goes out
        except Exception:
            self.encoded = None  # the machine meets it again, and makes the 500
        self.refusal = refusal

    def encode_item(self, item: object, sse: bool) -> bytes:
        """What goes on the wire for an item of a stream: `str` and bytes as they are, or a server-sent event.

        Where the route has a schema, the data of each event of a 2xx response passes its filter. Raises `TypeError`
        for an item of another type, and `ValueError` or `TypeError` for an event that would forge another one.
        """
        if sse:
            schema = self.schema
            if schema is None or schema.returns is None or not 200 <= self.status < 300:
                return encode_event(item)
            return encode_event(_filtered(item, schema))
        if isinstance(item, str):
            text = exact(item)
            return encode_text(text) if not self.names_charset else self._encode_item_in_charset(text)
        if is_bytes_like(item):
            return bytes(item)
        raise TypeError(f"a stream must yield bytes or str, not {type(item).__name__}; for anything else use sse=True")

    # What takes its place

    def become(self, status: int, text: str) -> None:
        """Answer with a short text in place of the body; the fields that were about the body go with it."""
        self.drop_content_fields()
        self.set_body(text, _TEXT)
        self.status = status

    def become_error(self, status: int, text: str) -> None:
        """Answer with the 403, 404, 412 or 416 that a file or a condition makes of the response (SPEC 1).

        How long the representation may be stored was said of that one, and not of this answer: Cache-Control goes,
        too, as Expires does.
        """
        self.become(status, text)
        self.fields = [line for line in self.fields if line[0] != b"cache-control"]

    def drop_content_fields(self) -> None:
        """Take away what was said of the body: another one takes its place."""
        self.auto_etag = False
        self.named_type = None
        self.fields = without_content_fields(self.fields)
        self._shared = False

    def show(self, page: str) -> None:
        """Answer with a page that the library has made, in place of a file; it has a tag, and is asked for again."""
        self.become(self.status, page)
        self.default_type = _HTML
        self.encoded = encode_text(page)  # no schema filters what no handler has written
        self.auto_etag = True
        if all(name != b"cache-control" for name, _ in self.fields):
            self.append((b"cache-control", b"no-cache"))

    def mark(self) -> None:
        """A before-hook has finished: this is what a later failure goes back to."""
        self._shared = True
        self._mark = (self.fields, () if self.deferred is None else tuple(self.deferred), self.options)

    def unseal(self) -> str | None:
        """Let it be changed, whatever refused that until now, which is given back: for `reseal`."""
        refusal, self.refusal = self.refusal, None
        return refusal

    def reseal(self, refusal: str | None) -> None:
        """Refuse changes as before, unless something refuses them already."""
        if self.refusal is None:
            self.refusal = refusal

    def reopen(self) -> _Reopened:
        """Let an around-hook change what is decided, also what an abort has sealed.

        Afterwards call `reclose`, or `reseal` with the first of what this gives where the hook has failed.
        """
        if self.refusal is None:
            self.encoded = None  # the object that is the body may be changed
        deferred = 0 if self.deferred is None else len(self.deferred)
        return self.unseal(), self.status, self.fields.copy(), deferred, self.options

    def reclose(self, before: _Reopened) -> None:
        """The around-hook has finished. What it has set stays, like what a before-hook has, whatever fails later."""
        refusal, status, fields, deferred, options = before
        self.reseal(refusal)
        if self.status != status:
            self.encoded = None  # the schema may have to filter it now
        kept, calls, chosen = self._mark
        self._mark = (
            _with_changes(kept, fields, self.fields),
            (*calls, *(self.deferred or ())[deferred:]),
            chosen.with_changes(options, self.options),
        )

    def roll_back(self, status: int, text: str) -> None:
        """Forget what was set since the last before-hook that finished, then `become`.

        Deferred calls are forgotten, too, but for those that wait for a failure.
        """
        self.release()
        self.fields, kept, self.options = self._mark
        self._shared = True
        if self.deferred is not None:
            marked = set(map(id, kept))
            self.deferred = [call for call in self.deferred if id(call) in marked or call.when == "failed"]
        self.become(status, text)

    def refuse(self, error: ClientError) -> None:
        """Answer a request that can't be served, by the status and the detail of `error`.

        Raises `TypeError` and `ValueError` for what a class of the application's own has made impossible.
        """
        status = check_int(f"{type(error).__name__}.status", error.status)
        if not 400 <= status <= 499:
            raise ValueError(f"{type(error).__name__}.status must be from 400 to 499, not {status}")
        lines = [(check_name(name), check_value(name, value)) for name, value in error.headers.items()]
        said = f": {error.detail}" if error.detail and error.detail not in _SAID_BY_PHRASE else ""
        # The client's own text may be in it, and JSON can carry a lone surrogate, which UTF-8 can't.
        text = f"{status}{_PHRASES.get(status, '')}{said}\n".encode("utf-8", "replace").decode()
        self.error = error
        self.failed = False
        self.roll_back(status, text)
        for line in lines:
            self._add(line)
        if isinstance(error, UnprocessableContent):
            self.set_body(list(error.problems))
        elif isinstance(error, MethodNotAllowed):
            self._replace((b"allow", check_value("Allow", ", ".join(error.allow))))

    def fail(self, error: BaseException, describe: Callable[[BaseException], str], status: int = 500) -> None:
        """The application failed before the start: a 5xx that says nothing about the error, unless `debug` is on.

        `describe` makes a traceback of it. Upgrade goes, too: it is for a 426 only.
        """
        self.error = error
        self.failed = True
        self.roll_back(status, _FAILURES[status])
        self.fields = [line for line in self.fields if line[0] not in _NOT_IN_500]
        self.append(_NO_STORE)
        if self.host is not None and self.host.debug:
            page = debug_page(describe(error))
            self.set_body(page.encode("utf-8", "backslashreplace").decode(), _HTML)

    def lose_client(self) -> None:
        """The client has left before its request was read whole: nothing goes out."""
        self.refusal = CLIENT_LEFT
        self.is_plain = False

    def break_off(self, error: BaseException) -> None:
        """The application, or the disk, failed after the start."""
        self.error = error
        self.failed = True

    def report_error(self, error: BaseException, where: str, runtime: Runtime) -> None:
        """Tell the application, and the log of this runtime."""
        if self.host is not None:
            self.host.report(error, where, runtime)

    def finish(self, kind: OutcomeKind, body_bytes: int, ended: float) -> Sequence[DeferredCall]:
        """Fix the outcome; `ended` is the monotonic time in seconds. Returns the deferred calls that it lets run."""
        self.ending = (kind, body_bytes, ended)
        return self.due(kind)

    def due(self, kind: OutcomeKind) -> Sequence[DeferredCall]:
        """The deferred calls that run after such an outcome."""
        if self.deferred is None:
            return ()
        return [call for call in self.deferred if call.when == "always" or call.when == kind]


def _with_changes(marked: list[Field], before: list[Field], after: list[Field]) -> list[Field]:
    """The marked lines with what has changed between the other two: lines that were taken away, or have come."""
    gone = [line for line in before if line not in after]
    changed = [line for line in marked if line not in gone]
    for line in after:
        if line in before:
            continue
        if is_single(line[0]):
            replace_line(changed, line)
        else:
            changed.append(line)
    return changed


def _may_not_be_utf8(content_type: bytes) -> bool:
    """Whether it has to be looked at; most don't, and need not be parsed."""
    return not content_type.endswith(b"charset=utf-8") and b"charset" in content_type.lower()


def _filtered(item: object, schema: Schema) -> bytes | ServerSentEvent:
    if not isinstance(item, ServerSentEvent):
        return schema.encode(item)
    if item.data is None:
        return item
    return ServerSentEvent(schema.encode(item.data), item.event, item.id, item.retry, item.comment)
