"""An HTTP/1 server of one's own, with a thread for each connection: the core decides, these lines move the bytes.

It ends each connection after one response, and handles neither request bodies nor timeouts nor TLS. The adapters do.

    python -m examples.custom_driver 8000
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from threading import Thread
from typing import BinaryIO, assert_never

from examples.hello import app
from heaven_core import (
    LAST_CHUNK,
    BadRequest,
    Chunk,
    End,
    Request,
    Reset,
    Start,
    format_http_date,
    write_chunk,
    write_head,
)  # fmt: skip
from heaven_driver.blocking import BlockingFile, WireEvent, enter_lifespan, serve, system_runtime

RUNTIME = system_runtime()
LONGEST_LINE = 8192  # bytes
MOST_LINES = 100
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class Connection:
    """One request, one response."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.http_version = "1.1"
        self.chunked = False
        self.ended_by_closing = False

    def handle(self) -> None:
        """Read the head of a request, and perform the events of its response."""
        with self.client, suppress(ConnectionError):
            try:
                request = self.read_head()
            except (BadRequest, ValueError):
                self.client.sendall(write_head(400, [(b"content-length", b"0")]))
                return
            # A send that fails leaves the block: so the generator is closed, which says that the client has left.
            with closing(serve(app, request, RUNTIME, send_file=self.send_file)) as events:
                for event in events:
                    self.perform(event)

    def read_head(self) -> Request[object]:
        with self.client.makefile("rb") as file:
            request_line, *field_lines = read_lines(file)
        method, target, version = request_line.split(b" ")
        if version not in (b"HTTP/1.0", b"HTTP/1.1"):
            raise BadRequest("this server speaks HTTP/1")
        self.http_version = version.decode().removeprefix("HTTP/")
        fields: list[tuple[bytes, bytes]] = []
        for line in field_lines:
            name, colon, value = line.partition(b":")
            if not colon:
                raise BadRequest("a field line has no colon")
            fields.append((name, value.strip(b" \t")))
        return Request.from_wire(method.decode(), target, fields, http_version=self.http_version)

    def perform(self, event: WireEvent) -> None:
        match event:
            case Start():
                self.chunked = event.length is None and self.http_version == "1.1"
                self.ended_by_closing = event.length is None and not self.chunked
                fields = [*event.fields, (b"date", format_http_date(time.time()).encode()), (b"connection", b"close")]
                if self.chunked:
                    fields.append((b"transfer-encoding", b"chunked"))
                self.client.sendall(write_head(event.status, fields))
            case Chunk():
                self.client.sendall(write_chunk(event.data) if self.chunked else event.data)
            case End():
                self.client.sendall(LAST_CHUNK if self.chunked else b"")
            case Reset():
                # To close without the last chunk, or short of the length, is how HTTP/1.1 shows it; where closing is
                # the end, the connection has to be reset (RFC 9112 §8).
                if self.ended_by_closing:
                    self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            case _:
                assert_never(event)

    def send_file(self, file: BlockingFile, offset: int, count: int) -> int:
        return os.sendfile(self.client.fileno(), file.fileno(), offset, count)


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a head, without their ends. One that breaks off, or is too long, is not taken for a whole one."""
    for _ in range(MOST_LINES):
        line = file.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BadRequest("the head breaks off, or has too long a line")
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if not line:
            return
        yield line
    raise BadRequest("the head has too many lines")


def main(port: int) -> None:
    """Serve the app of examples/hello.py at 127.0.0.1 until it is stopped."""
    with enter_lifespan(app), socket.create_server(("127.0.0.1", port)) as listener:
        print("serving at", listener.getsockname(), flush=True)
        while True:
            client, _ = listener.accept()
            Thread(target=Connection(client).handle, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
