"""Server-sent events: items of a stream as the event-stream format (WHATWG HTML §9.2, "Server-sent events").

Each item becomes whole lines and ends with an empty one. No text in it can start a line of its own, so no
item can forge another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from heaven_core._checks import check_int, check_str, exact
from heaven_core._typing import override
from heaven_core.http.json_codec import encode_json
from heaven_core.http.text_codec import encode_text

__all__ = ["HEARTBEAT", "ServerSentEvent", "encode_event"]

HEARTBEAT: Final = b":\n\n"
"""A comment: keeps proxies from closing a silent connection, dispatches nothing."""

_NOT_IN_EVENT: Final = "\r\n"
_NOT_IN_ID: Final = "\r\n\0"  # browsers ignore an id with NUL


@final
class ServerSentEvent:
    """One event with more than data. `None` leaves a field off.

    `data` is `str` or `bytes` (UTF-8), else it is encoded, as JSON by default. `event` is the name that
    `addEventListener` takes, `id` comes back as Last-Event-ID after a reconnection, `retry` is the time to
    wait before that, in milliseconds. A `comment` is for whoever reads the wire; browsers skip it.

    Raises `TypeError` for another type, a lone surrogate, or bytes as text. Raises `ValueError` for a line
    break in `event`, a line break or NUL in `id`, a negative `retry`.
    """

    __slots__ = ("data", "event", "id", "retry", "comment")
    __match_args__ = ("data", "event", "id", "retry", "comment")

    def __init__(
        self,
        data: object = None,
        event: str | None = None,
        id: str | None = None,
        retry: int | None = None,
        comment: str | None = None,
    ) -> None:
        if retry is not None:
            _check_retry(retry)
        if event is not None:
            _line("event", event, _NOT_IN_EVENT)
        if id is not None:
            _line("id", id, _NOT_IN_ID)
        if comment is not None:
            _line("comment", comment, "")
        self.data: Final = data
        self.event: Final = event
        self.id: Final = id
        self.retry: Final = retry
        self.comment: Final = comment

    # Not a Record, which would be compiled: an interpreted class can't inherit from a compiled one, and this module
    # stays interpreted (tools/compile_core.py), for the sake of its messages.

    def _values(self) -> tuple[object, ...]:
        return (self.data, self.event, self.id, self.retry, self.comment)

    @override
    def __repr__(self) -> str:
        return f"ServerSentEvent({', '.join(repr(value) for value in self._values())})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerSentEvent) and self._values() == other._values()

    @override
    def __hash__(self) -> int:
        return hash(self._values())


def _check_retry(retry: int) -> None:
    if check_int("retry, in milliseconds,", retry) < 0:
        raise ValueError(f"retry must be 0 milliseconds or more: {retry!r}")


def _line(field: str, text: str, forbidden: str) -> bytes:
    text = check_str(f"{field} of a server-sent event", text)
    for character in forbidden:
        if character in text:
            raise ValueError(
                f"{character!r} in the {field} of a server-sent event would forge another field or lose this "
                f"one: {text!r}"
            )
    return encode_text(text)


def encode_event(item: object, encode: Callable[[object], bytes] = encode_json) -> bytes:
    """Write one event: `item` is `str`, `bytes` (which must be UTF-8), `dict`, `list` or `ServerSentEvent`.

    `encode` writes what is neither `str` nor `bytes`; a schema's own may take more types than `dict` and
    `list`.

    Raises `TypeError` for any other item, `ValueError` for bytes that are not UTF-8, and what `encode`
    raises.
    """
    if isinstance(item, (str, bytes)):
        return b"data: %b\n\n" % _in_lines(_as_bytes(item, encode), b"\ndata: ")
    if isinstance(item, ServerSentEvent):
        return _encode_fields(item, encode)
    if encode is encode_json and not _is_json_item(item):
        raise TypeError(
            f"an item of an event stream must be str, bytes, dict, list or ServerSentEvent, "
            f"not {type(item).__name__}; ServerSentEvent(data=...) takes what else JSON can write"
        )
    return b"data: %b\n\n" % _in_lines(encode(item), b"\ndata: ")


def _is_json_item(item: object) -> bool:
    return isinstance(item, (dict, list))


def _encode_fields(event: ServerSentEvent, encode: Callable[[object], bytes]) -> bytes:
    # Checked a second time, since `event.id = text` passes by `__init__` in a program that nobody
    # type-checks.
    lines: list[bytes] = []
    if event.comment is not None:
        lines.append(b": " + _in_lines(_line("comment", event.comment, ""), b"\n: "))
    if event.event is not None:
        lines.append(b"event: " + _line("event", event.event, _NOT_IN_EVENT))
    if event.id is not None:
        lines.append(b"id: " + _line("id", event.id, _NOT_IN_ID))
    if event.retry is not None:
        lines.append(b"retry: %d" % event.retry)
    if event.data is not None:
        lines.append(b"data: " + _in_lines(_as_bytes(event.data, encode), b"\ndata: "))
    elif event.event is not None:
        lines.append(b"data:")  # an event without any data line is not dispatched
    lines.append(b"\n")
    return b"\n".join(lines)


def _as_bytes(data: object, encode: Callable[[object], bytes]) -> bytes:
    if isinstance(data, str):
        return encode_text(exact(data))
    if not isinstance(data, bytes):
        return encode(data)
    data = bytes(data)
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"the bytes of a server-sent event must be UTF-8, and byte {error.start} of these "
                f"{len(data)} is not; base64 carries binary data"
            ) from None
    return data


def _in_lines(text: bytes, between: bytes) -> bytes:
    """`text` with `between` in the place of each CRLF, LF or CR, the line ends that the format knows."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text.replace(b"\n", between)
