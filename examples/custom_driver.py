"""An HTTP/1 server of one's own: the core decides, these lines move the bytes.

It ends each connection after one response. It does not handle request bodies, timeouts, TLS, a client that leaves
between two items; it reads files on the event loop and sends a range in one piece. The adapters do all that.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import assert_never
from urllib.parse import unquote

from examples.hello import app
from heaven_core import (
    Chunk,
    CloseFile,
    CloseStream,
    Deferred,
    Deliver,
    End,
    FileRange,
    Finished,
    ListDirectory,
    Machine,
    NextItem,
    OpenFile,
    Request,
    Reset,
    Start,
    UseFile,
)
from heaven_core.http.dates import format_http_date
from heaven_core.http.http1 import LAST_CHUNK, write_chunk, write_head
from heaven_io.blocking import BlockingFile, open_blocking
from heaven_io.listing import list_directory
from heaven_io.runtime import system_runtime
from heaven_io.streams import Stream

RUNTIME = system_runtime()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.rstrip().split("\r\n")
    method, target, version = line.split(" ")
    path, _, query = target.partition("?")
    pairs = [field.partition(":") for field in lines]
    fields = [(name.lower().encode(), value.strip().encode("latin-1")) for name, _, value in pairs]
    request = Request[object](method, unquote(path), query.encode(), fields)
    response = app.response(RUNTIME)
    await app.respond(request, response, RUNTIME)

    machine = Machine(response, request, RUNTIME, Stream)
    files: list[BlockingFile] = []
    chunked = False
    sent = 0
    events = machine.start()
    while True:
        for event in events:
            match event:
                case Start():
                    chunked = event.length is None and version == "HTTP/1.1"
                    extra = [(b"date", format_http_date(time.time()).encode()), (b"connection", b"close")]
                    extra += [(b"transfer-encoding", b"chunked")] if chunked else []
                    writer.write(write_head(event.status, event.fields + extra))
                case Chunk():
                    writer.write(write_chunk(event.data) if chunked else event.data)
                case FileRange():
                    data = files[-1].read_at(event.offset, event.count)
                    writer.write(data)
                    sent = len(data)
                case End():
                    writer.write(LAST_CHUNK if chunked else b"")
                case Reset():
                    pass  # closing without the last chunk, or short of the length, is how HTTP/1.1 shows it
                case Deferred():
                    for call in event.calls:
                        call.run(app)
                case _:
                    assert_never(event)
        try:
            await writer.drain()
        except ConnectionError:
            events = machine.disconnected()
            continue
        need = machine.need
        match need:
            case NextItem():
                try:
                    item = await need.stream.next()
                except StopAsyncIteration:
                    events = machine.exhausted()
                except Exception as error:
                    events = machine.stream_failed(error)
                else:
                    events = machine.produced(item)
            case OpenFile() | UseFile():
                try:
                    files.append(open_blocking(need))
                except Exception as error:
                    events = machine.open_failed(error)
                else:
                    events = machine.opened(files[-1].info)
            case ListDirectory():
                try:
                    events = machine.listed(list_directory(need.path, need.within))
                except OSError as error:
                    events = machine.open_failed(error)
            case Deliver():
                events = machine.delivered(sent)
                sent = 0
            case CloseStream():
                await need.stream.aclose()
                events = machine.closed()
            case CloseFile():
                files.pop().close()
                events = machine.closed()
            case Finished():
                writer.close()
                return
            case _:
                assert_never(need)


async def main(port: int) -> None:
    """Serve the app of examples/hello.py at 127.0.0.1 until it is stopped."""
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("serving at", server.sockets[0].getsockname(), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
