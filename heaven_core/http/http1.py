"""What HTTP/1.1 looks like on the wire, as pure functions: heads and chunks (RFC 9112 §2.1, §4, §7.1).

For servers that speak HTTP/1.1 themselves; under ASGI and WSGI the server does this. What goes in has been
checked where it was set, so only what could put a connection out of step is looked at again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from heaven_core.http.headers import Fields

__all__ = ["LAST_CHUNK", "write_chunk", "write_head"]

LAST_CHUNK: Final = b"0\r\n\r\n"  # with no trailer section (RFC 9112 §7.1.2)

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %s" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}


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
