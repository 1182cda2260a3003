"""A client that is nothing but a socket, and h11 to read what came."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import h11

from heaven_core.http.headers import Field
from tests.table.kit import Ask
from tests.wire.servers import PATIENCE

__all__ = ["Raw", "WireAnswer", "fetch", "fetch_json", "read_answers", "write_request"]

# Hop by hop, and what each server writes for itself.
_NOT_END_TO_END: Final = frozenset({b"date", b"server", b"connection", b"transfer-encoding", b"keep-alive"})


@final
@dataclass(frozen=True, slots=True)
class WireAnswer:
    """One response. `fields` are the end-to-end ones but Date and Server; `hop` all others, in lower case.

    `whole`: whether the end of the body could be seen.
    """

    status: int
    fields: list[Field]
    hop: dict[str, str]
    body: bytes
    whole: bool

    @property
    def text(self) -> str:
        return self.body.decode()


@final
class Raw:
    """A connection. Everything is bounded in time."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket: Final = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
        except BaseException:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.was_reset = False

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_some(self) -> bool:
        """Whether something came; not if the server has closed, or reset, the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            self.was_reset = True
            return False
        self.received += data
        return data != b""

    def read_until(self, marker: bytes) -> bytes:
        """All that came, once `marker` has."""
        while marker not in self.received:
            if not self.read_some():
                raise AssertionError(f"the connection was closed before {marker!r} came: {self.received!r}")
        return self.received

    def read_until_closed(self) -> bytes:
        """All that came until the server closed the connection."""
        while self.read_some():
            pass
        return self.received

    def read_answer(self, method: str = "GET") -> WireAnswer:
        """The next response on a connection that stays open."""
        while True:
            answers, rest = _parse(self.received, [method], ended=False)
            if answers:
                self.received = rest
                return answers[0]
            if not self.read_some():
                [answer] = read_answers(self.received, [method])
                self.received = b""
                return answer

    def close(self) -> None:
        """Leave as a browser does that closes a tab."""
        self.socket.close()

    def reset(self) -> None:
        """Leave as a machine does whose program has died."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def write_request(
    method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"", version: str = "1.1"
) -> bytes:
    """The bytes of a request. Content-Length comes with a body, Host always."""
    lines = [f"{method} {target} HTTP/{version}", "Host: test", *[f"{name}: {value}" for name, value in headers]]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def read_answers(data: bytes, methods: Sequence[str]) -> list[WireAnswer]:
    """The responses to requests with these methods, in all that came until the connection was closed."""
    answers, rest = _parse(data, methods, ended=True)
    assert rest == b"", f"bytes that belong to no response: {rest!r}"
    return answers


def fetch(
    port: int, ask: Ask, path: str = "", headers: Mapping[str, str] | None = None, trailing: bytes = b""
) -> WireAnswer:
    """One request on a connection of its own; the answer, read until the server closes the connection.

    `trailing` are bytes that a server is known to send after it.
    """
    given = [*ask.headers, *(headers or {}).items(), ("Connection", "close")]
    target = ("/mounted" if ask.mounted else "") + path + ask.target
    with Raw(port) as raw:
        raw.send(write_request(ask.method, target, given, ask.body))
        received = raw.read_until_closed()
        assert received.endswith(trailing)
        [answer] = read_answers(received.removesuffix(trailing), [ask.method])
        return answer


def fetch_json(port: int, path: str) -> object:
    answer = fetch(port, Ask(), path)
    assert answer.status == 200, answer
    decoded: object = json.loads(answer.body)
    return decoded


def _parse(data: bytes, methods: Sequence[str], ended: bool) -> tuple[list[WireAnswer], bytes]:
    answers: list[WireAnswer] = []
    for method in methods:
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "test")]))
        connection.send(h11.EndOfMessage())
        if data:
            connection.receive_data(data)
        if ended:
            connection.receive_data(b"")
        answer = _read(connection)
        if answer is None or (not ended and not answer.whole):
            return answers, data
        answers.append(answer)
        data = connection.trailing_data[0]
    return answers, data


def _read(connection: h11.Connection) -> WireAnswer | None:
    head: h11.Response | None = None
    body = b""
    whole = False
    while not whole:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            if head is None:
                raise
            break  # cut off
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            whole = True
        elif not isinstance(event, h11.InformationalResponse):
            break  # more is needed, or there is no response
    if head is None:
        return None
    fields = [(name, value) for name, value in head.headers.raw_items()]
    return WireAnswer(
        head.status_code,
        [(name.lower(), value) for name, value in fields if name.lower() not in _NOT_END_TO_END],
        {name.decode().lower(): value.decode() for name, value in fields if name.lower() in _NOT_END_TO_END},
        body,
        whole,
    )
