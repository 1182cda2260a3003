"""A WSGI environ as a request of the core (PEP 3333)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, final, overload
from wsgiref.types import WSGIEnvironment

from heaven_core import App, BadRequest, Field, Origin, Request
from heaven_core._typing import override
from heaven_core.http.uri import decode_path, encode_path, split_target
from heaven_wsgi.request_body import InputReader, UnreadableBody
from heaven_wsgi.waiting import ServerThread

__all__ = ["EnvironFields", "body_of", "has_body", "request_of"]

_HTTP1: Final = frozenset({"HTTP/1.1", "HTTP/1.0"})
_NO_LENGTH: Final = frozenset({"", "0"})
# What a client may write as `Content_Length`, which the servers' names for fields don't tell from the real one.
_NOT_THESE: Final = frozenset({"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"})


@final
class EnvironFields(Sequence[Field]):
    """The header lines in an environ, and where it came from, read when somebody asks: most handlers don't.

    That is a quarter of what a small response costs (benchmarks/wsgi.py). The environ is to be this object's alone:
    uWSGI fills the same one again for the next request, and a router that mounts puts its own back when it is done.
    """

    __slots__ = ("_environ", "_lines")

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ: Final = environ
        self._lines: list[Field] | None = None

    @override
    def __iter__(self) -> Iterator[Field]:
        return iter(self._read())

    @override
    def __len__(self) -> int:
        return len(self._read())

    @overload
    def __getitem__(self, index: int) -> Field: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Field]: ...
    @override
    def __getitem__(self, index: int | slice) -> Field | Sequence[Field]:
        return self._read()[index]

    def read_origin(self) -> Origin:
        """How and where the request arrived."""
        environ = self._environ
        address: str = environ.get("REMOTE_ADDR", "")
        port = str(environ.get("REMOTE_PORT", ""))  # Werkzeug's server gives a number
        server_port: str = environ.get("SERVER_PORT", "")
        root: str = environ.get("SCRIPT_NAME", "")
        return {
            "scheme": environ["wsgi.url_scheme"],
            "http_version": environ.get("SERVER_PROTOCOL", "").partition("/")[2] or "1.1",
            "root_path": _text_of(root),
            "raw_path": _target_of(environ)[0],
            "server": (environ["SERVER_NAME"], int(server_port) if server_port.isdecimal() else None),
            "client": (address, int(port) if port.isdecimal() else 0) if address else None,
        }

    def _read(self) -> list[Field]:
        lines = self._lines
        if lines is None:
            environ = self._environ
            taken = _NOT_THESE
            authority = _target_of(environ)[1]
            if authority is not None:  # RFC 9112 §3.2.2: it takes the place of Host
                taken = _NOT_THESE | {"HTTP_HOST"}
            lines = self._lines = [
                (key[5:].replace("_", "-").lower().encode("latin-1"), _bytes_of(value))
                for key, value in environ.items()
                if key.startswith("HTTP_") and key not in taken
            ]
            if authority is not None:
                lines.append((b"host", authority))
            for key, name in (("CONTENT_TYPE", b"content-type"), ("CONTENT_LENGTH", b"content-length")):
                value = environ.get(key)
                if value:
                    lines.append((name, _bytes_of(value)))
        return lines


def request_of(environ: WSGIEnvironment, reader: InputReader | UnreadableBody | None, app: App) -> Request[object]:
    """The request that a handler gets. Its path is what comes after `SCRIPT_NAME`."""
    query: str = environ.get("QUERY_STRING", "")
    path = _text_of(environ.get("PATH_INFO", ""))
    if "://" in path:
        path = _without_authority(path)
    fields = EnvironFields(environ.copy())
    return Request(
        environ["REQUEST_METHOD"],
        path,
        query.encode("latin-1"),
        fields,
        reader,
        fields.read_origin,
        app,
    )


def has_body(environ: WSGIEnvironment) -> bool:
    """Whether the request may have a body. In HTTP/1 one of two fields says so (RFC 9112 §6.3), above none has to."""
    return (
        "HTTP_TRANSFER_ENCODING" in environ
        or environ.get("CONTENT_LENGTH", "") not in _NO_LENGTH
        or environ.get("SERVER_PROTOCOL") not in _HTTP1
    )


def body_of(environ: WSGIEnvironment, limit: int, thread: ServerThread) -> InputReader | UnreadableBody | None:
    """Where the body of the request is read; `None` where it has none."""
    length: str = environ.get("CONTENT_LENGTH", "")
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if chunked and environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        # RFC 9112 §6.1: framing that is faulty. waitress takes no such chunks apart, and says that the body has an end.
        return UnreadableBody(400, "a request of HTTP/1.0 has no Transfer-Encoding")
    if environ.get("wsgi.input_terminated") and (chunked or not length):
        return InputReader(environ["wsgi.input"], None, limit, thread)  # the server has taken the chunks apart
    if chunked:
        return UnreadableBody(411, "this server reads no body in chunks: say its length, in Content-Length")
    if not length:
        return None
    if not (length.isascii() and length.isdigit()):
        return UnreadableBody(400, "Content-Length is no number of bytes")
    digits = length.lstrip("0")  # of any number, which int() refuses to read; no body is as long
    return InputReader(environ["wsgi.input"], int(digits[:20] or "0"), limit, thread)


def _target_of(environ: WSGIEnvironment) -> tuple[bytes | None, bytes | None]:
    """The path as the client has sent it, where the server says that, and the authority, where it has one."""
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if target.startswith("/"):
        return target.partition("?")[0].encode("latin-1"), None
    if "://" not in target:
        return None, None
    try:
        raw_path, _, authority = split_target(environ["REQUEST_METHOD"], target.encode("latin-1"))
    except BadRequest:
        return None, None
    return raw_path, authority


def _without_authority(path: str) -> str:
    """The path in a target in absolute-form, which uWSGI passes on whole."""
    try:
        return decode_path(split_target("GET", encode_path(path))[0])
    except BadRequest:
        return path  # it is no URL that anybody serves: no route has it


def _text_of(native: str) -> str:
    """The text that bytes in UTF-8 stand for, of which PEP 3333 makes one character each."""
    return native if native.isascii() else native.encode("latin-1").decode("utf-8", "replace")


def _bytes_of(native: str) -> bytes:
    return native.encode("latin-1")
