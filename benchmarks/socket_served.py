"""What `/text` and `/json` cost on heaven-core's own server: requests per second of CPU time, as a part of others'.

    python -m benchmarks.socket_served [--rounds 10] [--requests 4000] [--connections 8] [--path /text] [--only NAME]

Beside it: a bare ASGI callable on uvicorn with httptools and uvloop, which is the best that an ASGI framework can be
there, aiohttp, the callable on hypercorn with trio, and a bare loop of anyio and h11. All of them run the whole time,
each pinned to one core, and one after the other has its turn, beginning with another one each round. The parts are
medians over the rounds. Nothing is gated. Linux only.

The client never sleeps while it waits: waking it would cost the server, on a virtual machine as much as all else.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from importlib.util import find_spec
from statistics import median, quantiles
from typing import Final

from benchmarks.client import Connection
from benchmarks.server import ServerProcess, serve_program
from benchmarks.socket_servers import SERVERS

FLOOR: Final = "bare on uvicorn"
# name -> (what it is compared with, the aim)
AIMS: Final[dict[str, tuple[str, float]]] = {
    "ours, asyncio": (FLOOR, 0.9),
    "ours, uvloop": (FLOOR, 1.0),
    "ours, trio": (FLOOR, 0.8),
    "ours, streams on asyncio": ("anyio+h11, asyncio", 2.0),
    "ours, streams on trio": ("anyio+h11, trio", 2.0),
    "against hypercorn": ("bare on hypercorn, trio", 12.0),
}


def turn(server: ServerProcess, connections: list[Connection], path: str, requests: int) -> float:
    """CPU time of the server for one request, in nanoseconds."""
    began = server.cpu_ns()
    for _ in range(requests // len(connections)):
        for connection in connections:
            connection.ask(path)
        for connection in connections:
            length, had = connection.head()
            connection.skip(length - had)
    return (server.cpu_ns() - began) / (requests // len(connections) * len(connections))


def measure(names: list[str], path: str, rounds: int, requests: int, count: int) -> dict[str, list[float]]:
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serve_program("benchmarks.socket_servers", name, core=0)) for name in names
        }
        connections = {
            name: [Connection(server.port, spins=True) for _ in range(count)] for name, server in servers.items()
        }
        costs: dict[str, list[float]] = {name: [] for name in names}
        for name in names:  # a first time for caches and the specializing interpreter
            turn(servers[name], connections[name], path, requests)
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                costs[name].append(turn(servers[name], connections[name], path, requests))
        for connection in [one for some in connections.values() for one in some]:
            connection.close()
    return costs


def show(costs: dict[str, list[float]]) -> None:
    print(f"{'':<26}{'CPU µs':>8}{'requests/CPU s':>16}{'part':>7}{'half of the rounds':>20}")
    for name, values in costs.items():
        print(f"{name:<26}{_line(values, costs[FLOOR])}")
    print(f"{'compared with its own':<57}{'times':>7}{'aim':>9}")
    for name, (other, aim) in AIMS.items():
        ours = "ours, trio" if name == "against hypercorn" else name
        if ours in costs and other in costs:
            parts = [floor / value for value, floor in zip(costs[ours], costs[other], strict=True)]
            print(f"{ours:<26}beside {other:<24}{median(parts):>7.2f}{f'>= {aim:g}':>9}")


def _line(values: list[float], floors: list[float]) -> str:
    parts = [floor / value for value, floor in zip(values, floors, strict=True)]
    low, _, high = quantiles(parts, n=4)
    cost = median(values)
    return f"{cost / 1000:>8.2f}{1e9 / cost:>16.0f}{median(parts):>7.3f}{low:>12.3f} to {high:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="What a small answer costs on a socket.")
    parser.add_argument("--rounds", type=int, default=10, help="how often each server has its turn")
    parser.add_argument("--requests", type=int, default=4000, help="how many requests a turn has")
    parser.add_argument("--connections", type=int, default=8, help="how many connections are kept alive")
    parser.add_argument("--path", action="append", help="/text or /json; both unless given")
    parser.add_argument("--only", action="append", help="leave out the other servers but the floor")
    arguments = parser.parse_args()
    names = [name for name in SERVERS if not arguments.only or name in arguments.only or name == FLOOR]
    if find_spec("aiohttp") is None and "aiohttp" in names:
        print("(aiohttp is not installed, and left out: pip install --group bench)")
        names.remove("aiohttp")
    os.sched_setaffinity(0, {cpu for cpu in os.sched_getaffinity(0) if cpu} or {0})
    for path in arguments.path or ["/text", "/json"]:
        print(
            f"{path}, {arguments.rounds} rounds of {arguments.requests} requests, {arguments.connections} connections"
        )
        show(measure(names, path, arguments.rounds, arguments.requests, arguments.connections))


if __name__ == "__main__":
    main()
