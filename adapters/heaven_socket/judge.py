"""h11 judges what HTTP/1.1 is; around it stand the rules that it leaves to its users."""

from __future__ import annotations

import re
from typing import Final

import h11

from heaven_core import BadRequest, Field
from heaven_core.http.http1 import check_request_head
from heaven_core.http.uri import find_host, split_target
from heaven_socket.head import RemoteProtocolError, RequestHead, keeps_alive
from heaven_socket.limits import Limits

__all__ = ["judge_head", "judge_start"]

_REQUEST_LINE: Final = re.compile(rb"([^ \r\n]*) ([^ \r\n]*) HTTP/([0-9])\.([0-9])\r?\n")
_FOLDED: Final = re.compile(rb"\n[ \t]")
# What a request line has beside its target.
_BESIDE_TARGET: Final = 64
# RFC 9110 §5.5: h11 refuses NUL, CR and LF only.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def judge_start(data: bytearray, limits: Limits) -> None:
    """Look whether there is any sense in waiting for the rest of a head.

    Raises `RemoteProtocolError` for what can be no request line, for a target beyond its limit, and for a head beyond.
    """
    if bytes(data) != b"\r":  # that of an empty line, perhaps
        _check_first(data)
    most = limits.target_size + _BESIDE_TARGET
    if len(data) > most and data.find(b"\n", 0, most) < 0:
        raise RemoteProtocolError(f"the target of the request is longer than {limits.target_size} bytes", 414)
    if len(data) > limits.head_size:
        raise _too_large(limits)


def judge_head(data: bytes, limits: Limits) -> RequestHead:
    """The head that `data` is, blank line included.

    Raises `RemoteProtocolError` with the status that the client gets:

    - 505 for a version of another major number than 1;
    - 501 for a transfer coding other than chunked (RFC 9112 §6.1);
    - 414 for a target and 431 for a head beyond its limit;
    - 400 for all else.
    """
    _check_first(data)
    line = _REQUEST_LINE.match(data)
    if line is not None:
        if line[3] != b"1":
            raise RemoteProtocolError(
                f"the version of the request is HTTP/{line[3].decode()}.{line[4].decode()}, and this is HTTP/1.1", 505
            )
        if len(line[2]) > limits.target_size:
            raise RemoteProtocolError(f"the target of the request is longer than {limits.target_size} bytes", 414)
    if len(data) > limits.head_size:
        raise _too_large(limits)
    if _FOLDED.search(data) is not None:
        raise RemoteProtocolError("a field of the request is folded over several lines (RFC 9112 §5.2)")
    request = _read(data, limits)
    fields = list(request.headers)
    if len(fields) > limits.fields:
        raise RemoteProtocolError(f"the request has more than {limits.fields} header fields", 431)
    http_version = "1.0" if request.http_version == b"1.0" else "1.1"
    method = request.method.decode("ascii")
    try:
        check_request_head(method, fields, http_version)
        path, query, authority = split_target(method, request.target)
        if authority is not None:
            # RFC 9112 §3.2.2: the one that came is not even looked at.
            fields = [(b"host", authority), *[line for line in fields if line[0] != b"host"]]
        _check_host(fields)
    except BadRequest as error:
        raise RemoteProtocolError(error.detail) from None
    length = _length_of_body(fields, http_version)
    expects = http_version == "1.1" and any(
        name == b"expect" and value.lower() == b"100-continue" for name, value in fields
    )
    return RequestHead(
        method,
        request.target,
        path,
        query,
        fields,
        http_version,
        length,
        keeps_alive(fields, http_version),
        expects and length != 0,
    )


def _check_first(data: bytes | bytearray) -> None:
    if data[0] < 0x21:
        raise RemoteProtocolError("this is no request line: it begins with a blank or a control character")


def _read(data: bytes, limits: Limits) -> h11.Request:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_size)
    try:
        connection.receive_data(data)
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        # It speaks of a bytearray, which is a matter of its own.
        why = re.sub(r"bytearray\((b.*)\)", r"\1", str(error))
        raise RemoteProtocolError(why, error.error_status_hint) from None
    if not isinstance(event, h11.Request):
        raise RemoteProtocolError("the head of the request ends in the middle of a line")
    return event


def _check_host(fields: list[Field]) -> None:
    """Refuse a Host that is empty, or has more in it than a host and a port (RFC 9112 §3.2), by a `BadRequest`."""
    for name, value in fields:
        if _CONTROL.search(value) is not None:
            raise BadRequest(f"the value of {name.decode('ascii')} has a control character: {value!r}")
        if name == b"host":
            if not value:
                raise BadRequest("the Host of the request is empty")
            find_host([value.decode("latin-1")], "http", None)


def _length_of_body(fields: list[Field], http_version: str) -> int | None:
    """RFC 9112 §6.3. h11 has refused lengths that differ, and each transfer coding but chunked."""
    length: int | None = None
    chunked = False
    for name, value in fields:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
    if not chunked:
        return length or 0
    # Each way that somebody before us may have read this request differently is a way to smuggle another one in.
    if length is not None:
        raise RemoteProtocolError("the request has both Content-Length and Transfer-Encoding (RFC 9112 §6.1)")
    if http_version == "1.0":
        raise RemoteProtocolError("the request is HTTP/1.0 and has a Transfer-Encoding (RFC 9112 §6.1)")
    return None


def _too_large(limits: Limits) -> RemoteProtocolError:
    return RemoteProtocolError(f"the head of the request is larger than {limits.head_size} bytes", 431)
