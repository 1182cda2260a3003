"""What a small text costs behind uvicorn: requests per second of the server's CPU time, as a part of a bare callable's.

    python -m benchmarks.served [--rounds 20] [--requests 4000] [--connections 8] [--peers]

Each application has a uvicorn (httptools, uvloop) of its own. They all run the whole time, and one after the other is
given the same number of requests over a few connections that are kept alive; beginning with another one each round.
The part is the median over the rounds. Nothing is gated. Linux only: it reads the CPU clock of another process.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from statistics import median, quantiles

from benchmarks.asgi_apps import BARE, OURS, PEERS, contenders, missing
from benchmarks.client import Connection
from benchmarks.server import ServerProcess, serve

AIM = 0.78


def turn(server: ServerProcess, connections: list[Connection], requests: int) -> float:
    """CPU time of the server for one request, in nanoseconds."""
    began = server.cpu_ns()
    for _ in range(requests // len(connections)):
        for connection in connections:
            connection.ask("/hello")
        for connection in connections:
            length, had = connection.head()
            connection.skip(length - had)
    return (server.cpu_ns() - began) / (requests // len(connections) * len(connections))


def measure(names: list[str], rounds: int, requests: int, count: int) -> dict[str, list[float]]:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serve("benchmarks.served:make", name)) for name in names}
        connections = {name: [Connection(server.port) for _ in range(count)] for name, server in servers.items()}
        costs: dict[str, list[float]] = {name: [] for name in names}
        for name in names:  # a first time for caches and the specializing interpreter
            turn(servers[name], connections[name], requests)
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                costs[name].append(turn(servers[name], connections[name], requests))
        for connection in [one for some in connections.values() for one in some]:
            connection.close()
    return costs


def make(name: str) -> object:
    """For the server's process."""
    return contenders("text", "none")[name]


def main() -> None:
    parser = argparse.ArgumentParser(description="What a small text costs behind uvicorn.")
    parser.add_argument("--rounds", type=int, default=20, help="how often each server has its turn")
    parser.add_argument("--requests", type=int, default=4000, help="how many requests a turn has")
    parser.add_argument("--connections", type=int, default=8, help="how many connections are kept alive")
    parser.add_argument("--peers", action="store_true", help="the other frameworks, too, where they are installed")
    arguments = parser.parse_args()
    peers = [name for name in PEERS if name not in missing()] if arguments.peers else []
    names = [BARE, OURS, *peers]
    costs = measure(names, arguments.rounds, arguments.requests, arguments.connections)
    print(f"uvicorn, {arguments.rounds} rounds of {arguments.requests} requests, {arguments.connections} connections")
    print(f"{'':<18}{'CPU µs':>8}{'requests/CPU s':>16}{'part':>7}{'half of the rounds':>20}{'aim':>9}")
    for name, values in costs.items():
        parts = [floor / value for value, floor in zip(values, costs[BARE], strict=True)]
        low, _, high = quantiles(parts, n=4)
        cost = median(values)
        line = f"{name:<18}{cost / 1000:>8.2f}{1e9 / cost:>16.0f}{median(parts):>7.3f}{low:>12.3f} to {high:.3f}"
        if name == OURS:
            line += f"{f'>= {AIM:g}':>9}"
        print(line)


if __name__ == "__main__":
    main()
