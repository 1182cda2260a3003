"""What a connection takes in memory on heaven-core's own server: idle ones, and silent streams of events.

    python -m benchmarks.socket_connections [--idle 5000] [--streams 1000]

Each has its own new server, and beside it a bare ASGI callable on uvicorn (httptools, uvloop). A fifth of the
connections comes and goes before, so that memory which is free in the process does not make the others look cheaper.
Idle ones have had one answer; streams have sent one event, and wait, with their heartbeat. Nothing is gated. Linux
only.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from benchmarks.request_fields import REQUEST_FIELDS
from benchmarks.server import ServerProcess, allow_many_connections, serve_program

SERVERS: Final = ("bare on uvicorn", "ours, asyncio", "ours, uvloop", "ours, trio")
KIB: Final = 1024
AIM: Final = 10.0  # KiB for each stream
SETTLED: Final = 1.0  # seconds


def request(path: str) -> bytes:
    return b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), b"".join([b"%s: %s\r\n" % line for line in REQUEST_FIELDS]))


def connect(server: ServerProcess, path: str, marker: bytes, count: int) -> list[socket.socket]:
    """So many connections, each of which has got an answer with this in it."""
    found: list[socket.socket] = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        one.sendall(request(path))
        data = b""
        while marker not in data:
            piece = one.recv(65536)
            if not piece:
                raise SystemExit("the server closed a connection")
            data += piece
        found.append(one)
    return found


def memory_of_each(name: str, path: str, marker: bytes, count: int) -> float:
    """KiB for each of `count` connections."""
    with serve_program("benchmarks.socket_servers", name) as server, ExitStack() as stack:
        for one in connect(server, path, marker, count // 5):
            one.close()
        time.sleep(SETTLED)
        for one in connect(server, path, marker, count // 5):
            stack.callback(one.close)
        time.sleep(SETTLED)
        before = server.memory("VmRSS")
        for one in connect(server, path, marker, count):
            stack.callback(one.close)
        time.sleep(SETTLED)
        return (server.memory("VmRSS") - before) / KIB / count


def report(what: str, path: str, marker: bytes, count: int, aim: Callable[[str], str]) -> None:
    print(f"{f'{count} {what}':<28}{'KiB':>8}{'aim':>8}")
    for name in SERVERS:
        print(f"  {name:<26}{memory_of_each(name, path, marker, count):>8.1f}{aim(name):>8}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a connection takes in memory.")
    parser.add_argument("--idle", type=int, default=5000, help="how many idle connections")
    parser.add_argument("--streams", type=int, default=1000, help="how many streams of events")
    arguments = parser.parse_args()
    allow_many_connections()
    report("idle connections", "/text", b"Hello, World", arguments.idle, lambda name: "")
    report(
        "silent streams",
        "/events",
        b"data: first\n\n",
        arguments.streams,
        lambda name: f"<= {AIM:g}" if name.startswith("ours") else "",
    )


if __name__ == "__main__":
    main()
