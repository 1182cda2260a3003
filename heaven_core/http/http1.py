"""What HTTP/1.1 looks like on the wire, as pure functions: heads and chunks (RFC 9112 §2.1, §3, §4, §7.1).

For servers that speak HTTP/1.1 themselves; under ASGI and WSGI the server does this. What goes in has been
checked where it was set, so only what could put a connection out of step is looked at again.
"""

from __future__ import annotations

import re
from typing import Final

from heaven_core.errors import BadRequest
from heaven_core.http.grammar import TOKEN
from heaven_core.http.headers import Fields
from heaven_core.http.reason_phrases import REASON_PHRASES

__all__ = ["LAST_CHUNK", "check_request_head", "write_chunk", "write_head"]

LAST_CHUNK: Final = b"0\r\n\r\n"  # with no trailer section (RFC 9112 §7.1.2)

_STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s" % (status, phrase.encode("ascii")) for status, phrase in REASON_PHRASES.items()
}

# RFC 9110 §5.5: what makes a field value dangerous, and has to be refused or replaced.
_NOT_IN_VALUE: Final = re.compile(rb"[\r\n\0]")


def check_request_head(method: str, fields: Fields, http_version: str) -> None:
    """Raise `BadRequest` for a head that a server must not act on. The names of `fields` are in lower case.

    The method and each name must be tokens (RFC 9110 §9.1, §5.1), no value may have a CR, LF or NUL (§5.5), and Host
    must be there once, but that HTTP/1.0 may do without (RFC 9112 §3.2).
    """
    if TOKEN.fullmatch(method) is None:
        raise BadRequest(f"the method of the request is no token: {method!r}")
    hosts = 0
    for name, value in fields:
        if TOKEN.fullmatch(name.decode("latin-1")) is None:
            raise BadRequest(f"the name of a header field is no token: {name!r}")
        if _NOT_IN_VALUE.search(value) is not None:
            raise BadRequest(f"the value of {name.decode('ascii')} has a CR, LF or NUL: {value!r}")
        hosts += name == b"host"
    if hosts > 1:
        raise BadRequest("the request has more than one Host")
    if not hosts and http_version == "1.1":
        raise BadRequest("the request has no Host")


def write_head(status: int, fields: Fields, *, reason: str | None = None) -> bytes:
    """The status line, the field lines in order, and the empty line that ends the head.

    Without `reason` the status gets its usual phrase, an unknown one an empty phrase (the blank before it
    stays).

    Raises `ValueError` for a status of other than three digits, a reason beyond ASCII, and a CR, LF or NUL
    anywhere.
    """
    start = _STATUS_LINES.get(status) if reason is None else None
    if start is None:
        start = _status_line(status, reason or "")
    head = b"\r\n".join([start, *[b": ".join(field) for field in fields], b"", b""])
    # Counting over the finished head is one pass in C; looking into each name and value would be two for each
    # line.
    breaks = len(fields) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise ValueError(f"a CR, LF or NUL in this head would forge another line (RFC 9112 §2.2): {head!r}")
    return head


def _status_line(status: int, reason: str) -> bytes:
    if not 100 <= status <= 999:
        raise ValueError(f"a status has three digits, not {status} (RFC 9112 §4)")
    if not reason.isascii():
        raise ValueError(f"a reason phrase beyond ASCII can't be read reliably; leave it off: {reason!r}")
    return b"HTTP/1.1 %d %s" % (status, reason.encode("ascii"))


def write_chunk(data: bytes) -> bytes:
    """`data` as one chunk; nothing for empty data, since a chunk of size 0 ends the body (RFC 9112 §7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
