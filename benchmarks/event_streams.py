"""A thousand clients of server-sent events on uvicorn: what a connection takes, what is delivered, and the shutdown.

    python -m benchmarks.event_streams [--clients 1000] [--seconds 10] [--rounds 3] [--loop asyncio]

heaven-core, Starlette's `StreamingResponse` and sse-starlette's `EventSourceResponse`, each on a uvicorn (httptools) of
its own, all of them as they are without options, and all of them watching for the client's leaving.

- Memory: streams that have sent one event and are silent. What the process has in memory with so many of them more,
  after a garbage collection. 200 have come and gone before, and 200 more are there already: they have what those left
  free, which else the first ones of those that count would have for nothing. The floor is a bare ASGI callable that
  sends the same and awaits `receive()`.
- Delivery: one event a second, the same for all, by a queue for each. How many milliseconds after its publication an
  event came is as the client sees it, who has a process of its own.
- The shutdown: one more event is published, and as soon as that is done comes SIGTERM. uvicorn gives it five seconds.
  How many clients have all that was published before; how many got a last event that says goodbye; for how many the
  body was ended as it should be; and after how many seconds the connections were closed.

Nothing is gated. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from importlib.util import find_spec
from statistics import median

from benchmarks.asgi_apps import BARE, OURS
from benchmarks.event_stream_clients import EventClient, ask, connect, until
from benchmarks.server import ServerProcess, allow_many_connections, serve

FACTORIES = {
    BARE: "benchmarks.event_stream_apps:make_bare",
    OURS: "benchmarks.event_stream_apps:make_ours",
    "Starlette": "benchmarks.peers.on_starlette:make_events",
    "sse-starlette": "benchmarks.peers.on_sse_starlette:make_events",
}
PACKAGES = {"Starlette": "starlette", "sse-starlette": "sse_starlette"}
WARM = 200
AIM = 15.0  # KiB
GRACEFUL = 5  # seconds
SHUTDOWN_PATIENCE = 15.0


def contenders() -> dict[str, str]:
    """The factories of those that are installed; the bare callable is the first."""
    found = dict(FACTORIES)
    for name, package in PACKAGES.items():
        if find_spec(package) is None:
            print(f"({name} is not installed, and left out: pip install --group bench)")
            del found[name]
    return found


def options(loop: str) -> list[str]:
    # What uvicorn says of those that it cancels is a traceback for each; the table has them, too.
    return ["--loop", loop, "--graceful", str(GRACEFUL), "--log-level", "critical"]


async def let_go(clients: list[EventClient]) -> None:
    for client in clients:
        client.close()
    await asyncio.gather(*(client.ended for client in clients))


async def memory(server: ServerProcess, count: int) -> float:
    """KiB for each of so many connections."""
    port = server.port
    await let_go(await connect(port, "/idle", WARM))
    await until(port, lambda report: report["open"] == 0)
    there = await connect(port, "/idle", WARM)
    await asyncio.sleep(0.5)  # timers that have been cancelled are kept by the event loop until they would be due
    before = await until(port, lambda report: report["open"] == WARM)
    there += await connect(port, "/idle", count)
    await asyncio.sleep(0.5)
    after = await until(port, lambda report: report["open"] == WARM + count)
    await let_go(there)
    return (after["resident"] - before["resident"]) / count / 1024


def report_memory(factories: dict[str, str], count: int, rounds: int, loop: str) -> None:
    found: dict[str, list[float]] = {name: [] for name in factories}
    names = list(factories)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            with serve(factories[name], options=options(loop)) as server:
                found[name].append(asyncio.run(memory(server, count)))
    print(f"{'KiB for each connection':<28}{'median':>8}{'x bare':>8}{'x ours':>8}{'least':>10}{'most':>7}{'aim':>8}")
    for name, values in found.items():
        bare = median(value / floor for value, floor in zip(values, found[BARE], strict=True))
        ours = median(value / own for value, own in zip(values, found[OURS], strict=True))
        aim = f"<= {AIM:g}" if name == OURS else ""
        line = f"  {name:<26}{median(values):>8.1f}{bare:>8.2f}{ours:>8.2f}"
        print(f"{line}{min(values):>10.1f}{max(values):>7.1f}{aim:>8}", flush=True)


async def deliver(server: ServerProcess, count: int, seconds: int) -> tuple[str, str]:
    """What there is to say of the delivery, and of the shutdown."""
    port = server.port
    clients = await connect(port, "/events", count)
    await until(port, lambda report: report["open"] == count)
    await asyncio.to_thread(ask, port, "/begin")
    await asyncio.sleep(seconds - 0.5)  # half a second after the last one
    expected = (await asyncio.to_thread(ask, port, "/memory"))["published"]
    delivery = describe_delivery(clients, expected)
    expected = (await asyncio.to_thread(ask, port, "/publish"))["published"]
    told = time.monotonic()
    os.kill(server.pid, signal.SIGTERM)
    await asyncio.wait([client.ended for client in clients], timeout=SHUTDOWN_PATIENCE)
    return delivery, describe_shutdown(clients, expected, told)


def describe_delivery(clients: list[EventClient], expected: int) -> str:
    wanted = set(range(1, expected + 1))
    received = sum(len(client.numbers) for client in clients)
    lost = sum(len(wanted.difference(client.numbers)) for client in clients)
    twice = sum(len(client.numbers) - len(set(client.numbers)) for client in clients)
    late = [1000 * each for client in clients for each in client.late] or [0.0]
    return f"{expected * len(clients):>10}{received:>10}{lost:>7}{twice:>7}{median(late):>12.1f}{max(late):>6.0f}"


def describe_shutdown(clients: list[EventClient], expected: int, told: float) -> str:
    wanted = set(range(1, expected + 1))
    everything = sum(wanted.issubset(client.numbers) for client in clients)
    bye = sum(client.bye for client in clients)
    whole = sum(client.whole for client in clients)
    closed = [client.closed - told for client in clients if client.ended.done()]
    last = f"{max(closed):.2f}" if len(closed) == len(clients) else "never"
    return f"{everything:>14}{bye:>10}{whole:>12}{median(closed or [0.0]):>12.2f}{last:>6}"


def report_delivery(factories: dict[str, str], count: int, seconds: int, loop: str) -> None:
    print(f"\n{'events':<16}{'expected':>10}{'received':>10}{'lost':>7}{'twice':>7}{'late, ms':>12}{'most':>6}")
    shutdowns: dict[str, str] = {}
    for name, factory in factories.items():
        if name != BARE:
            with serve(factory, options=options(loop)) as server:
                delivery, shutdowns[name] = asyncio.run(deliver(server, count, seconds))
            print(f"  {name:<14}{delivery}", flush=True)
    print(
        f"\n{f'SIGTERM, of {count}':<16}{'all events':>14}{'goodbye':>10}{'whole body':>12}{'closed, s':>12}{'last':>6}"
    )
    for name, shutdown in shutdowns.items():
        print(f"  {name:<14}{shutdown}")


def main() -> None:
    parser = argparse.ArgumentParser(description="A thousand clients of server-sent events.")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=10, help="of delivery, two at least")
    parser.add_argument("--rounds", type=int, default=3, help="how often the memory of each server is measured")
    parser.add_argument("--loop", default="asyncio", choices=("asyncio", "uvloop"), help="of the servers")
    arguments = parser.parse_args()
    allow_many_connections()
    factories = contenders()
    print(f"{arguments.clients} clients of event streams on uvicorn (httptools, {arguments.loop})\n")
    report_memory(factories, arguments.clients, arguments.rounds, arguments.loop)
    report_delivery(factories, arguments.clients, arguments.seconds, arguments.loop)


if __name__ == "__main__":
    main()
