"""Which fields and how many bytes a response has on the wire: RFC 9110 §6.4, §8.6 and §15, as pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from heaven_core.http.headers import Field

__all__ = ["frame", "has_content", "without_content_fields"]

# Representation metadata and validators (RFC 9110 §8, RFC 9530, and what was promised of them in time): they speak of
# the body that a failure does not send.
_ABOUT_THE_BODY: Final = frozenset(
    {
        b"content-type", b"content-length", b"content-encoding", b"content-language", b"content-location",
        b"content-range", b"content-disposition", b"content-digest", b"repr-digest", b"digest",
        b"etag", b"last-modified", b"accept-ranges", b"expires",
    }
)  # fmt: skip

# RFC 9110 §15.3.5, §15.3.6: there is no content, and so nothing to be said about it.
_NOT_WITHOUT_CONTENT: Final = frozenset(
    {
        b"content-type", b"content-length", b"content-encoding", b"content-language", b"content-location",
        b"content-range", b"content-disposition",
    }
)  # fmt: skip

# RFC 9110 §15.4.5: a 304 should not send metadata beyond what updates the stored response. Content-Location is one of
# the fields it must keep.
_NOT_IN_304: Final = _NOT_WITHOUT_CONTENT - {b"content-location"}

_UPGRADE: Final = "the Upgrade field needs status 426; on other responses it belongs to the adapter"
_TYPE: Final = b"content-type"
_LENGTH: Final = b"content-length"
_NOSNIFF_NAME: Final = b"x-content-type-options"
_NOSNIFF: Final[Field] = (_NOSNIFF_NAME, b"nosniff")

# Most bodies are small: their lines are made once (benchmarks/dispatch.py: 90 ns less for each response).
_SMALL: Final = 2048
_LENGTH_LINES: Final = [(_LENGTH, b"%d" % length) for length in range(_SMALL)]


def has_content(method: str, status: int) -> bool:
    """May body bytes follow the head? Not after HEAD, nor with 204, 205 and 304 (RFC 9110 §6.4.1)."""
    return method != "HEAD" and status != 204 and status != 205 and status != 304


def without_content_fields(fields: Iterable[Field]) -> list[Field]:
    """The lines that stay when a failure takes the place of the body: CORS and cookies do, its type and tag do not."""
    return [line for line in fields if line[0] not in _ABOUT_THE_BODY]


def frame(
    method: str, status: int, fields: list[Field], length: int | None, content_type: bytes | None
) -> tuple[list[Field], int | None]:
    """The lines of the head, and how many body bytes will follow it (`None`: nobody knows).

    `length` is that of the body in bytes, `None` for a stream; `content_type` is what the library chose and gives way
    to the handler's. The lines are a new list. Raises `ValueError` where the handler promised a Content-Length that
    is not the body's, or an Upgrade without 426 (RFC 9110 §7.8).
    """
    if status == 204 or status == 205 or status == 304:
        if any(name == b"upgrade" for name, _ in fields):
            raise ValueError(_UPGRADE)
        return _frame_nothing(status, fields), 0
    if not fields and content_type is not None and length is not None and length < _SMALL:
        # Nothing is set, as in most responses (benchmarks/dispatch.py: 100 ns less).
        return [(_TYPE, content_type), _NOSNIFF, _LENGTH_LINES[length]], 0 if method == "HEAD" else length
    typed = sniffed = measured = False
    for name, value in fields:
        if name == _TYPE:
            typed = True
        elif name == _NOSNIFF_NAME:
            sniffed = True
        elif name == _LENGTH:
            measured = True
            length = _promised(value, length)
        elif name == b"upgrade" and status != 426:
            raise ValueError(_UPGRADE)
    chosen = fields.copy()
    if content_type is not None and not typed:
        chosen.append((_TYPE, content_type))
        if not sniffed:
            chosen.append(_NOSNIFF)
    if length is not None and not measured:
        chosen.append(_LENGTH_LINES[length] if length < _SMALL else (_LENGTH, b"%d" % length))
    return chosen, 0 if method == "HEAD" else length


def _promised(value: bytes, length: int | None) -> int:
    # RFC 9110 §8.6: a Content-Length known to be incorrect must not be sent. As text, since int() has a limit.
    digits = value.lstrip(b"0") or b"0"
    if length is not None and digits != b"%d" % length:
        raise ValueError(
            f"Content-Length was set to {value.decode('ascii')}, but the body has {length} bytes. "
            "Leave it to the library, which always knows"
        )
    return int(digits) if length is None else length


def _frame_nothing(status: int, fields: list[Field]) -> list[Field]:
    if status == 304:
        gone = _NOT_IN_304
        if any(name == b"etag" for name, _ in fields):
            gone = gone | {b"last-modified"}  # the tag says it better (RFC 9110 §15.4.5)
        return [line for line in fields if line[0] not in gone]
    chosen = [line for line in fields if line[0] not in _NOT_WITHOUT_CONTENT]
    if status == 205:
        chosen.append((_LENGTH, b"0"))  # RFC 9110 §15.3.6: no content, and a client may look for it
    return chosen
