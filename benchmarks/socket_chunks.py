"""A stream of small chunks on heaven-core's own server: CPU time of the server for each, beside a bare callable.

    python -m benchmarks.socket_chunks [--rounds 5] [--chunks 100000] [--size 64]

The producer never waits, as one does that reads a query's rows from memory. The bare ASGI callable on uvicorn
(httptools and h11) sends each chunk by itself; ours keeps the same chunks, each framed for itself, and writes many at a
time.
Nothing is gated. Linux only.
"""

from __future__ import annotations

import argparse
import socket
from contextlib import ExitStack
from statistics import median
from typing import Final

from benchmarks.server import ServerProcess, serve_program

FLOORS: Final = ("bare on uvicorn", "bare on uvicorn, h11")
OURS: Final = ("ours, asyncio", "ours, uvloop", "ours, trio")
AIM: Final = 2.0


def turn(server: ServerProcess, count: int, size: int) -> tuple[float, int]:
    """Nanoseconds of the server for each chunk, and how many came."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        began = server.cpu_ns()
        connection.sendall(b"GET /chunks?count=%d&size=%d HTTP/1.1\r\nHost: test\r\n\r\n" % (count, size))
        mark = b"%x\r\n" % size
        seen, tail = 0, b""
        while not tail.endswith(b"0\r\n\r\n"):
            data = connection.recv(1 << 20)
            if not data:
                raise SystemExit("the server closed the connection")
            # A mark may be cut by the end of a piece.
            seen += (tail[-len(mark) + 1 :] + data).count(mark + b"x")
            tail = (tail + data)[-16:]
        return (server.cpu_ns() - began) / count, seen


def main() -> None:
    parser = argparse.ArgumentParser(description="Small chunks on a socket.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64, help="bytes of each")
    arguments = parser.parse_args()
    names = [*FLOORS, *OURS]
    costs: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serve_program("benchmarks.socket_servers", name)) for name in names}
        for number in range(arguments.rounds + 1):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                cost, _ = turn(servers[name], arguments.chunks, arguments.size)
                if number:  # the first one finds cold caches
                    costs[name].append(cost)
    print(
        f"{arguments.chunks} chunks of {arguments.size} bytes{'µs each':>14}{'x httptools':>13}{'x h11':>8}{'aim':>8}"
    )
    for name, values in costs.items():
        parts = [median([a / b for a, b in zip(costs[floor], values, strict=True)]) for floor in FLOORS]
        aim = f">= {AIM:g}" if name in OURS else ""
        print(f"  {name:<30}{median(values) / 1000:>10.2f}{parts[0]:>13.2f}{parts[1]:>8.2f}{aim:>8}")


if __name__ == "__main__":
    main()
