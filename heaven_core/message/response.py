"""The Response that a handler writes to. What can be refused is refused at the line that sets it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from os import PathLike
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeGuard, final

from heaven_core._checks import check_str
from heaven_core.errors import Abort, ResponseStarted
from heaven_core.http.headers import ResponseHeaders, check_value
from heaven_core.http.uri import make_location
from heaven_core.message.bodies import AnyIterable, FileSource, StreamSource
from heaven_core.message.draft import encode_item
from heaven_core.message.response_cookies import CookieSetter
from heaven_core.protocol.events import DeferredCall, When
from heaven_core.protocol.needs import BinaryFile

if TYPE_CHECKING:
    from heaven_core.app.app import App

__all__ = ["Response"]

_TEXT: Final = "text/plain; charset=utf-8"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BUILT_IN: Final = frozenset({str, bytes, dict, list, type(None), bytearray, memoryview})
_WHENS: Final = frozenset({"always", "complete", "failed"})


@final
class Response(CookieSetter):
    """What a handler answers. Every setter and method checks its arguments at once and leaves nothing half set.

    All of them raise `ResponseStarted` once the response has been aborted or has started.
    """

    __slots__ = ()

    http: Final = HTTPStatus

    @property
    def status(self) -> int:
        """The status code, from 200 to 599 (RFC 9110 §15). `TypeError` or `ValueError` for anything else.

        1xx is refused: interim responses are the server's business.
        """
        return self.code

    @status.setter
    def status(self, value: int) -> None:
        if self.refusal is not None:
            raise ResponseStarted(self.refusal)
        self.code = value if type(value) is int and 200 <= value <= 599 else _status(value)

    @property
    def body(self) -> object:
        """The body, as it was set. Takes `bytes`, `bytearray`, `memoryview`, `str`, `dict`, `list`, `None`.

        Where a schema says what the route returns, any object that its encoder takes. It is encoded after the
        after-hooks, which may still change it. Raises `TypeError` for anything else.
        """
        return self.content

    @body.setter
    def body(self, value: object) -> None:
        if self.refusal is not None:
            raise ResponseStarted(self.refusal)
        if type(value) not in _BUILT_IN:
            self._check_body(value)
        if self.source is not None:
            self.release()
        self.content = value
        self.content_type = None
        self.encoded = None

    @property
    def headers(self) -> ResponseHeaders:
        """The header lines. `res.headers = "X-Powered-By", "Heaven"` adds one; see `ResponseHeaders`."""
        return self.header_lines()

    @headers.setter
    def headers(self, line: tuple[str, str | int]) -> None:
        _check_pair(line)
        self.headers.add(line[0], line[1])

    @property
    def close(self) -> bool:
        """True asks for the end of the connection after this response (RFC 9112 §9.6)."""
        return self.closing

    @close.setter
    def close(self, value: bool) -> None:
        self.check_open()
        self.closing = bool(value)

    def html(self, markup: str) -> None:
        """Set the body to `markup`, as `text/html; charset=utf-8`. Raises `TypeError` if it is no `str`."""
        self.body = check_str("the markup of res.html()", markup)
        self.content_type = b"text/html; charset=utf-8"

    def redirect(self, location: str, status: int = 307, permanent: bool = False, local: bool = False) -> None:
        """Send the client to `location` (RFC 9110 §15.4): 307, 308 if `permanent`, else the status given.

        The location is made a legal URI-reference. `local=True` refuses another origin. A body, file or stream set
        before is dropped; the handler goes on. Raises `ValueError` for what can't be made a legal location, is not
        local, or is no such status; `TypeError`.
        """
        self.check_open()
        if status not in _REDIRECTS:
            raise ValueError(f"{status} is no redirect: use 301, 302, 303, 307 or 308")
        if permanent:
            if status not in (307, 308):
                raise ValueError(f"permanent=True means 308, but the status given is {status}: leave one of them out")
            status = 308
        target = make_location(location, local=local)
        self.body = None
        self.code = int(status)
        self.headers.set("Location", target)

    def file(
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
    ) -> None:
        """Answer with a file: from disk, or open already. Inline, or as an attachment called `filename`.

        A path is opened once, after the hooks: 404 and 403 are decided then. With `within=` it is relative to that
        directory and can't leave it; without, it is taken as it is and must not be the client's text. A file that is
        open, in binary mode, or a `BytesIO`, is sent whole wherever its position is, and closed afterwards.

        The type comes from the extension of `name`, else of the path; `charset` goes on `text/*`. `etag` and
        `last_modified` take the place of what size and modification time say. Clients get ranges, 304 and 412 as they
        ask. `precompressed=True` sends what lies beside the file as `.br`, `.zst` or `.gz` to those that take it,
        unless it is older. Raises `TypeError`, `ValueError`.
        """
        self.check_open()
        self.take(
            FileSource(
                path, filename, within=within, name=name, content_type=content_type, charset=charset,
                content_encoding=content_encoding, precompressed=precompressed, etag=etag, last_modified=last_modified,
            )
        )  # fmt: skip

    def stream(
        self,
        source: AnyIterable,
        content_type: str = _TEXT,
        *,
        sse: bool = False,
        length: int | None = None,
        heartbeat: float | None = 15.0,
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
        self.check_open()
        goodbye = b""
        if at_shutdown is not None:
            if not sse or length is not None:
                raise ValueError("at_shutdown= is the last of a stream of events: it needs sse=True, and no length=")
            goodbye = encode_item(at_shutdown, True, self)
        chosen = b"text/event-stream" if sse and content_type == _TEXT else check_value("Content-Type", content_type)
        if head_timeout is None:
            head_timeout = 0.1 if sse else 1.0
        self.take(StreamSource(source, chosen, length, sse, heartbeat if sse else None, head_timeout, thread, goodbye))

    def abort(self, body: object = None) -> NoReturn:
        """Stop here: the status and headers set so far go out, with `body` if given, else with what was set.

        No later hook or handler runs. Raises `Abort`, which no `except Exception` catches, and which need not arrive:
        from now on the response goes out whatever the handler does. In a stream or a deferred call, and after
        another abort, it raises `ResponseStarted`; a body of the wrong type is a `TypeError` and aborts nothing.
        """
        self.check_open()
        if body is not None:
            self.body = body
        try:
            self.encode()  # now: what is done to a dict or a bytearray later must not change what goes out
        except Exception:
            self.encoded = None  # the machine meets it again, and makes the 500
        self.seal("res.abort() has been called: the response goes out as it was then")
        raise Abort

    def defer(self, func: Callable[[App], object], when: When = "always") -> None:
        """Run `func(app)`, sync or async, after the response has gone out, in the order of registration.

        `when`: "always", however the sending went; "complete", only after the last byte was handed over; "failed",
        only when the handler, a hook or the body failed. Raises `TypeError`, `ValueError`.
        """
        self.check_open()
        if not callable(func):
            raise TypeError(f"res.defer() takes a callable, not {type(func).__name__}: {func!r}")
        if when not in _WHENS:
            raise ValueError(f'when= must be "always", "complete" or "failed", not {when!r}')
        call = DeferredCall(func, when)
        if self.deferred is None:
            self.deferred = [call]
        else:
            self.deferred.append(call)

    def _check_body(self, value: object) -> None:
        if isinstance(value, (str, bytes, bytearray, memoryview, dict, list)):
            return
        if self.schema is not None and self.schema.takes(value):
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
        return "set a list"
    if isinstance(value, (int, float)):
        return "set a str"
    return "name its type in app.schema, or set a dict"


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
