"""The Response that a handler writes to. What can be refused is refused at the line that sets it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from operator import attrgetter
from os import PathLike
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeGuard, final

from heaven_core._checks import check_int, check_str
from heaven_core.errors import Abort, BadRequest, ResponseStarted
from heaven_core.http.cache_control import cache_control
from heaven_core.http.conditional import PRECONDITION_FAILED, evaluate, precondition
from heaven_core.http.content_disposition import content_disposition
from heaven_core.http.cookies import SameSite, set_cookie
from heaven_core.http.dates import format_http_date, parse_http_date
from heaven_core.http.headers import KNOWN_LINES, check_name, check_text, find_value
from heaven_core.http.media_types import content_type as content_type_of
from heaven_core.http.negotiation import parse_media_type
from heaven_core.http.uri import make_location
from heaven_core.http.validators import Auto, Validators, make_etag, make_last_modified, validators_of
from heaven_core.message.bodies import AnyIterable, FileSource, StreamSource
from heaven_core.message.draft import JSON, Draft, Options
from heaven_core.message.response_headers import ResponseHeaders
from heaven_core.protocol.events import DeferredCall, When
from heaven_core.protocol.needs import BinaryFile
from heaven_core.protocol.outcome import Outcome

if TYPE_CHECKING:
    from heaven_core.app.app import App

__all__ = ["Response", "draft_of"]

_TEXT: Final = "text/plain; charset=utf-8"
_HEARTBEAT: Final = 15.0  # seconds
_HTML: Final = b"text/html; charset=utf-8"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BUILT_IN: Final = frozenset({str, bytes, dict, list, type(None), bytearray, memoryview})
_WHENS: Final = frozenset({"always", "complete", "failed"})
_WITHOUT_CONDITIONS: Final = frozenset({"OPTIONS", "TRACE", "CONNECT"})  # RFC 9110 §13.2.1


@final
class Response:
    """What a handler answers. Every setter and method checks its arguments at once and leaves nothing half set.

    All of them raise `ResponseStarted` once the response has been aborted or has started.
    """

    __slots__ = ("_draft",)

    http: Final = HTTPStatus

    def __init__(self, draft: Draft | None = None) -> None:
        self._draft: Final = Draft() if draft is None else draft

    # Status, headers, body

    @property
    def status(self) -> int:
        """The status code, from 200 to 599 (RFC 9110 §15). `TypeError` or `ValueError` for anything else.

        1xx is refused: interim responses are the server's business.
        """
        return self._draft.status

    @status.setter
    def status(self, value: int) -> None:
        draft = self._draft
        if draft.refusal is not None:
            raise ResponseStarted(draft.refusal)
        draft.status = value if type(value) is int and 200 <= value <= 599 else _status(value)

    @property
    def headers(self) -> ResponseHeaders:
        """The header lines. `res.headers = "X-Powered-By", "Heaven"` adds one; see `ResponseHeaders`."""
        return ResponseHeaders(self._draft)

    @headers.setter
    def headers(self, line: tuple[str, str | int]) -> None:
        # PERF: a pair that was set before takes one look-up in place of a dozen calls, which is a fifth of a small
        # response (benchmarks/dispatch.py).
        try:
            known = KNOWN_LINES.get(line)
        except TypeError:  # it has no hash: a list, say
            known = None
        if known is not None:
            self._draft.add_known(known)
        else:
            _check_pair(line)
            self._draft.add_field(line[0], line[1])

    @property
    def content_type(self) -> str | None:
        """The Content-Type that was set (RFC 9110 §8.3); `None`: the library chooses one that fits the body.

        `None` takes it away. Raises `TypeError` and `ValueError` as `ResponseHeaders.set` does.
        """
        return find_value(self._draft.fields, "Content-Type")

    @content_type.setter
    def content_type(self, value: str | None) -> None:
        self._set_or_remove("Content-Type", None if value is None else check_str("the value of Content-Type", value))

    @property
    def body(self) -> object:
        """The body, as it was set. Takes `bytes`, `bytearray`, `memoryview`, `str`, `dict`, `list`, `None`.

        Where a schema says what the route returns, any object that its encoder takes. It is encoded after the
        after-hooks, which may still change it. Raises `TypeError` for anything else.
        """
        return self._draft.body

    @body.setter
    def body(self, value: object) -> None:
        draft = self._draft
        if draft.refusal is not None:
            raise ResponseStarted(draft.refusal)
        if type(value) not in _BUILT_IN:
            _check_body(value, draft)
        # PERF: as `Draft.set_body`, whose call costs a small response 2 % (benchmarks/dispatch.py).
        if draft.source is not None:
            draft.release()
        draft.body = value
        draft.default_type = draft.encoded = None

    def html(self, markup: str) -> None:
        """Set the body to `markup`, as `text/html; charset=utf-8`. Raises `TypeError` if it is no `str`."""
        draft = self._draft
        draft.check_open()
        draft.set_body(check_str("the markup of res.html()", markup), _HTML)

    def json(self, value: object) -> None:
        """Set the body to `value` as JSON: anything that JSON takes, a tuple, a dataclass or a lone text, too.

        It is encoded after the after-hooks, which may still change it; what can't be written is a `TypeError` then,
        with its path. Where a schema says what the route returns, it filters this as any other body.
        """
        draft = self._draft
        draft.check_open()
        draft.set_body(value, JSON)

    def text(self, text: str) -> None:
        """Set the body to `text`, as `text/plain; charset=utf-8`. Raises `TypeError` if it is no `str`."""
        draft = self._draft
        draft.check_open()
        draft.set_body(check_str("the text of res.text()", text))

    def file(  # noqa: PLR0913  # what one may want to say of a file
        self,
        path: str | PathLike[str] | BinaryFile,
        filename: str | None = None,
        *,
        within: str | PathLike[str] | None = None,
        name: str | None = None,
        content_type: str | None = None,
        charset: str | None = "utf-8",
        content_encoding: str | None = None,
        precompressed: bool = False,
        etag: str | None = None,
        last_modified: datetime | float | None = None,
        version: str | None = None,
    ) -> None:
        """Answer with a file: from disk, or open already. Inline, or as an attachment called `filename`.

        A path is opened once, after the hooks: 404 and 403 are decided then. With `within=` it is relative to that
        directory and can't leave it; without, it is taken as it is and must not be the client's text. A file that is
        open, in binary mode, or a `BytesIO`, is sent whole wherever its position is, and closed afterwards.

        The type comes from the extension of `name`, else of the path; `charset` goes on `text/*`. `etag` and
        `last_modified` take the place of what size and modification time say; `version`, a release or a commit, goes
        into a tag that is made of these. Clients get ranges, 304 and 412 as they ask. `precompressed=True` sends what
        lies beside the file as `.br`, `.zst` or `.gz` to those that take it, unless it is older. Raises `TypeError`,
        `ValueError`.
        """
        self._draft.check_open()
        self._draft.set_source(
            FileSource(
                path, filename, within=within, name=name, content_type=content_type, charset=charset,
                content_encoding=content_encoding, precompressed=precompressed, etag=etag, last_modified=last_modified,
                version=version,
            )
        )  # fmt: skip

    def stream(
        self,
        source: AnyIterable,
        content_type: str = _TEXT,
        *,
        sse: bool = False,
        length: int | None = None,
        heartbeat: float | None = _HEARTBEAT,
        head_timeout: float | None = None,
        thread: Literal["any", "own"] = "any",
        at_shutdown: object = None,
    ) -> None:
        """Answer with an async or sync iterable of `bytes` or `str`, pulled as fast as the client reads.

        With `sse=True` the items are server-sent events: `str`, `bytes`, `dict`, `list`, `ServerSentEvent`, and after
        `heartbeat` seconds of silence goes a comment; `at_shutdown` is an event that goes out, before the end, when the
        server shuts down. `length` promises a number of bytes. The head waits for the first item, `head_timeout`
        seconds at most (default 1, for events 0.1). A sync iterable is iterated in worker threads, now in one, now in
        another; `thread="own"` gives it one of its own. Raises `TypeError`, `ValueError`.
        """
        draft = self._draft
        draft.check_open()
        if at_shutdown is not None:
            if not sse or length is not None:
                raise ValueError("at_shutdown= is the last of a stream of events: it needs sse=True, and no length=")
            draft.encode_item(at_shutdown, True)  # to refuse here what can't be sent; what goes out is made at the head
        if not sse and heartbeat is not None and heartbeat != _HEARTBEAT:
            raise ValueError("heartbeat= is for events, whose format has comments: it needs sse=True")
        chosen = b"text/event-stream" if sse and content_type == _TEXT else check_text("Content-Type", content_type)
        if sse and not _is_event_stream(chosen):
            raise ValueError(f"sse=True sends text/event-stream, and no {content_type!r}: leave one of them out")
        if head_timeout is None:
            head_timeout = 0.1 if sse else 1.0
        beat = heartbeat if sse else None
        draft.set_source(
            StreamSource(source, chosen, length, sse, beat, head_timeout, thread=thread, at_shutdown=at_shutdown)
        )

    def redirect(self, location: str, status: int = 307, permanent: bool = False, local: bool = False) -> None:
        """Send the client to `location` (RFC 9110 §15.4): 307, 308 if `permanent`, else the status given.

        The location is made a legal URI-reference. A body, file or stream set before is dropped; the handler goes on.
        Raises `ValueError` for what can't be made a legal location, and for another status; `TypeError`. `local=True`
        is for clients' texts: it refuses another origin, and raises `BadRequest`, a 400 if nobody catches it, for that
        as for any text that is no location.
        """
        self._draft.check_open()
        if status not in _REDIRECTS:
            raise ValueError(f"{status} is no redirect: use 301, 302, 303, 307 or 308")
        if permanent:
            if status not in (307, 308):
                raise ValueError(f"permanent=True means 308, but the status given is {status}: leave one of them out")
            status = 308
        try:
            target = make_location(location, local=local)
        except ValueError as error:
            if local:
                raise BadRequest(str(error)) from None
            raise
        self._draft.set_body(None)
        self._draft.status = int(status)
        self._draft.set_field("Location", target)

    def abort(self, body: object = None) -> NoReturn:
        """Stop here: the status and headers set so far go out, with `body` if given, else with what was set.

        No later hook or handler runs. Raises `Abort`, which no `except Exception` catches, and which need not arrive:
        from now on the response goes out whatever the handler does. In a stream or a deferred call, and after
        another abort, it raises `ResponseStarted`; a body of the wrong type is a `TypeError` and aborts nothing.
        """
        draft = self._draft
        draft.check_open()
        if body is not None:
            self.body = body
        draft.seal("res.abort() has been called: the response goes out as it was then")
        raise Abort

    # Cookies

    def cookie(
        self,
        name: str,
        value: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        max_age: int | None = None,
        expires: datetime | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Set a cookie (RFC 6265bis §4.1). The same name, domain and path replaces the one set before.

        `max_age` in seconds; `expires` an aware `datetime`. What needs another attribute (`samesite="None"`,
        `partitioned`, the `__Host-` and `__Secure-` prefixes) is refused without it. Raises `TypeError`, `ValueError`.
        """
        self._draft.add_cookie(
            set_cookie(
                name, value, path=path, domain=domain, max_age=max_age, expires=expires, secure=secure,
                httponly=httponly, samesite=samesite, partitioned=partitioned,
            )
        )  # fmt: skip

    def delete_cookie(
        self,
        name: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Make the client forget a cookie: give `path`, `domain` and the attributes that it was set with."""
        self._draft.add_cookie(
            set_cookie(
                name, "", path=path, domain=domain, max_age=0, secure=secure, httponly=httponly,
                samesite=samesite, partitioned=partitioned,
            )
        )  # fmt: skip

    # What is said of the representation

    @property
    def etag(self) -> str | Auto | None:
        """The entity tag (RFC 9110 §8.8.3). `"v1"` is put in quotes, `'"v1"'` and `'W/"v1"'` are taken as they are.

        `AUTO` makes a weak one of the body, once that is encoded; `None` takes it away. Raises `TypeError`,
        `ValueError`.
        """
        return Auto.AUTO if self._draft.auto_etag else find_value(self._draft.fields, "ETag")

    @etag.setter
    def etag(self, value: str | Auto | None) -> None:
        self._set_or_remove("ETag", None if value is None or isinstance(value, Auto) else make_etag(value))
        self._draft.auto_etag = isinstance(value, Auto)
        self._draft.is_plain = False

    @property
    def last_modified(self) -> datetime | None:
        """When the representation last changed (RFC 9110 §8.8.2), in whole seconds.

        Takes an aware `datetime`, seconds since the epoch, or `None`. Raises `TypeError`, `ValueError`.
        """
        seconds = parse_http_date(find_value(self._draft.fields, "Last-Modified") or "", 0)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    @last_modified.setter
    def last_modified(self, value: datetime | float | None) -> None:
        self._set_or_remove("Last-Modified", None if value is None else format_http_date(make_last_modified(value)))

    @property
    def fresh(self) -> bool:
        """Whether, by the validators set so far, the client has this representation: the answer will be a 304.

        Ask it before the costly work. False on other methods than GET and HEAD, and for `AUTO`.
        """
        draft = self._draft
        if draft.request is None or draft.runtime is None:
            return False
        now = draft.runtime.wall()
        current = validators_of(draft.fields.copy(), now, draft.runtime.date_lag)
        return precondition(draft.request, draft.status, current, now) == 304

    def check(
        self, *, etag: str | None = None, last_modified: datetime | float | None = None, exists: bool = True
    ) -> None:
        """Hold the request's preconditions against the current state, before the work that changes it.

        Give the validators of what is there now, or `exists=False` if there is nothing yet. Returns where the work may
        go on; else aborts with 412, or on GET and HEAD with 304 (RFC 9110 §13.2.2). OPTIONS has no conditions. Raises
        `TypeError` and `ValueError` as the setters of the two do.
        """
        draft = self._draft
        draft.check_open()
        tag = None if etag is None else make_etag(etag)
        date = None if last_modified is None else make_last_modified(last_modified)
        if not exists and (tag is not None or date is not None):
            raise ValueError("what does not exist has neither etag= nor last_modified=")
        if draft.request is None or draft.runtime is None:
            raise RuntimeError("there is no request to check: this response was made without an app")
        method = draft.request.method
        if method in _WITHOUT_CONDITIONS:
            return
        current = Validators(tag, date) if exists else None
        status = evaluate(method, draft.request.headers, current, draft.runtime.wall())
        if status is None:
            return
        if status == 304:
            draft.status = status
            self.etag = tag or self.etag
            if date is not None:
                self.last_modified = date
        else:
            draft.become_error(status, PRECONDITION_FAILED)
        draft.seal("res.check() has found a condition of the request that does not hold: the response goes out so")
        raise Abort

    @property
    def ranges(self) -> bool:
        """True lets clients ask for ranges of a buffered body (RFC 9110 §14); files have them anyway."""
        return self._draft.options.ranges

    @ranges.setter
    def ranges(self, value: bool) -> None:
        draft = self._draft
        draft.check_open()
        draft.options = Options(draft.options.close, bool(value), draft.options.max_ranges)
        draft.is_plain = False

    @property
    def max_ranges(self) -> int:
        """The most ranges that one request gets, 100 unless set; a request for more gets the whole. 0: no ranges."""
        return self._draft.options.max_ranges

    @max_ranges.setter
    def max_ranges(self, value: int) -> None:
        draft = self._draft
        draft.check_open()
        most = check_int("res.max_ranges", value)
        if most < 0:
            raise ValueError(f"res.max_ranges must be 0 or more: {most}")
        draft.options = Options(draft.options.close, draft.options.ranges, most)

    def cache(
        self,
        *,
        max_age: int | None = None,
        shared_max_age: int | None = None,
        public: bool = False,
        private: bool = False,
        immutable: bool = False,
        must_revalidate: bool = False,
        no_cache: bool = False,
        no_store: bool = False,
    ) -> None:
        """Set Cache-Control (RFC 9111 §5.2.2, RFC 8246). Ages are in seconds; `shared_max_age` is `s-maxage`.

        Raises `ValueError` for what contradicts itself or says nothing, `TypeError` for an age that is no `int`.
        """
        self._draft.set_field(
            "Cache-Control",
            cache_control(
                max_age, shared_max_age, public=public, private=private, immutable=immutable,
                must_revalidate=must_revalidate, no_cache=no_cache, no_store=no_store,
            ),
        )  # fmt: skip

    def vary(self, *names: str) -> None:
        """Add the names of request fields to Vary (RFC 9110 §12.5.5), each once. Raises `TypeError`, `ValueError`."""
        self._draft.check_open()
        for name in names:
            check_name(name)
        for name in names:
            self._draft.vary_on(check_text("Vary", name))

    def disposition(self, filename: str | None = None, *, inline: bool = False) -> None:
        """Say under which name a client may save the body (RFC 6266): as an attachment, or `inline`.

        Any name will do: what can't stand there is repaired, since such names come from users. It gives a body of
        bytes its type, where none is set.
        """
        self._draft.set_field("Content-Disposition", content_disposition(filename, inline=inline))
        self._draft.named_type = None if filename is None else content_type_of(filename).encode("ascii")

    # What comes afterwards

    @property
    def close(self) -> bool:
        """True asks for the end of the connection after this response (RFC 9112 §9.6)."""
        return self._draft.options.close

    @close.setter
    def close(self, value: bool) -> None:
        draft = self._draft
        draft.check_open()
        draft.options = Options(bool(value), draft.options.ranges, draft.options.max_ranges)

    def defer(self, func: Callable[[App], object], when: When = "always") -> None:
        """Run `func(app)`, sync or async, after the response has gone out, in the order of registration.

        `when`: "always", however the sending went; "complete", only after the last byte was handed over; "failed",
        only when the handler, a hook or the body failed. Raises `TypeError`, `ValueError`.
        """
        draft = self._draft
        draft.check_open()
        if not callable(func):
            raise TypeError(f"res.defer() takes a callable, not {type(func).__name__}: {func!r}")
        if when not in _WHENS:
            raise ValueError(f'when= must be "always", "complete" or "failed", not {when!r}')
        call = DeferredCall(func, when)
        if draft.deferred is None:
            draft.deferred = [call]
        else:
            draft.deferred.append(call)

    @property
    def error(self) -> BaseException | None:
        """In an error page: what was raised."""
        return self._draft.error

    @property
    def outcome(self) -> Outcome | None:
        """How the response ended; `None` until it has."""
        return self._draft.outcome

    def _set_or_remove(self, name: str, value: object) -> None:
        if value is None:
            self._draft.remove_field(check_name(name))
        else:
            self._draft.set_field(name, value)


# What is behind a response: for the library, which reads what no handler may. Python has no word for a friend of a
# class, so no type checker lets a function of this module read `_draft`; by its name anybody can.
draft_of: Final[Callable[[Response], Draft]] = attrgetter("_draft")


def _is_event_stream(content_type: bytes) -> bool:
    media_type = parse_media_type(content_type.decode("latin-1"))
    return media_type is not None and media_type[0] == "text/event-stream"


def _check_body(value: object, draft: Draft) -> None:
    if isinstance(value, (str, bytes, bytearray, memoryview, dict, list)):
        return
    if draft.schema is not None and draft.schema.takes(value):
        return
    raise TypeError(
        "res.body takes bytes, bytearray, memoryview, str, dict, list or None, "
        f"not {type(value).__name__}: {_what_instead(value)}"
    )


def _what_instead(value: object) -> str:
    if hasattr(value, "__aiter__") or hasattr(value, "__next__"):
        return "use res.stream() for what is produced bit by bit"
    if isinstance(value, PathLike):
        return "use res.file() for a path"
    if isinstance(value, (tuple, set, frozenset)):
        return "set a list, or use res.json()"
    if isinstance(value, (int, float)):
        return "set a str, or use res.json()"
    return "use res.json(), name its type as what the route returns (returns= or app.schema), or set a dict"


def _status(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"a status must be an integer from 200 to 599, not {type(value).__name__}: {value!r}")
    if not 200 <= value <= 599:
        raise ValueError(f"a status must be an integer from 200 to 599 (RFC 9110 §15): {value!r}")
    return int(value)


def _check_pair(line: object) -> None:
    if not _is_tuple(line) or len(line) != 2:
        raise TypeError(f'res.headers takes a name and a value, as in res.headers = "X-Powered-By", "Heaven": {line!r}')


def _is_tuple(value: object) -> TypeGuard[tuple[object, ...]]:
    return isinstance(value, tuple)
