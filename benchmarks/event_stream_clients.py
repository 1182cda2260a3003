"""Clients of event streams: a thousand of them in one event loop, each with a raw connection and what came by it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Final, cast

from benchmarks.event_stream_apps import BYE, Report
from benchmarks.request_fields import REQUEST_FIELDS
from heaven_core._typing import override

__all__ = ["EventClient", "ask", "connect", "until"]

GROUP = 100  # connect at a time: a thousand at once would find a backlog that is full
PATIENCE = 20.0  # seconds
_FIELDS = b"".join(b"%s: %s\r\n" % line for line in REQUEST_FIELDS)


class EventClient(asyncio.Protocol):
    """One client. `numbers` are the ids that have come, in order, and `late` how many seconds after their publication.

    `bye` says that the last event came, `whole` that the end of the body did, `closed` when the connection was closed,
    in monotonic seconds.
    """

    def __init__(self, path: str) -> None:
        self._path: Final = path
        self._data = b""  # of the body, as it comes
        self._text = b""  # the same without the framing
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.began: Final[asyncio.Future[None]] = loop.create_future()
        self.ended: Final[asyncio.Future[None]] = loop.create_future()
        self.numbers: Final[list[int]] = []
        self.late: Final[list[float]] = []
        self.bye = False
        self.whole = False
        self.closed = 0.0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"GET %s HTTP/1.1\r\n%s\r\n" % (self._path.encode(), _FIELDS))

    @override
    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self.began.done():
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200 ") or b"transfer-encoding: chunked" not in head.lower():
                self.began.set_exception(ValueError(f"not the answer that was expected: {head!r}"))
                self.close()
                return
            self._data = rest
            self.began.set_result(None)
        self._take_chunks()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = time.monotonic()
        if not self.began.done():
            self.began.set_exception(exc or ConnectionError("the server closed the connection without an answer"))
        self.ended.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _take_chunks(self) -> None:
        while not self.whole:
            line, end, rest = self._data.partition(b"\r\n")
            size = int(line, 16) if end else 0
            if not end or len(rest) < size + 2:
                return
            self._data = rest[size + 2 :]
            self.whole = size == 0
            self._take_text(rest[:size])

    def _take_text(self, text: bytes) -> None:
        *events, self._text = (self._text + text).replace(b"\r\n", b"\n").split(b"\n\n")
        now = time.monotonic()
        for event in events:
            fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
            if b"id" in fields:
                self.numbers.append(int(fields[b"id"]))
                self.late.append(now - float(fields[b"data"]))
            elif fields.get(b"event") == BYE.encode():
                self.bye = True


async def connect(port: int, path: str, count: int) -> list[EventClient]:
    """So many clients, each of which has had the head of its answer."""
    loop = asyncio.get_running_loop()
    clients: list[EventClient] = []
    async with asyncio.timeout(PATIENCE):
        while len(clients) < count:
            size = min(GROUP, count - len(clients))
            made = [loop.create_connection(lambda: EventClient(path), "127.0.0.1", port) for _ in range(size)]
            group = [client for _, client in await asyncio.gather(*made)]
            await asyncio.gather(*(client.began for client in group))
            clients += group
    return clients


def ask(port: int, path: str) -> Report:
    """One of the controls of the application, on a connection of its own. It blocks."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    report: Report = json.loads(connection.getresponse().read())
    connection.close()
    return report


async def until(port: int, reached: Callable[[Report], bool]) -> Report:
    """What the application says once it says that."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        report = await asyncio.to_thread(ask, port, "/memory")
        if reached(report):
            return report
        await asyncio.sleep(0.1)
    raise SystemExit("the server has not come to have as many streams as it should")
