"""Downloads of a file in memory, beside nginx: how fast one goes, what waits beside four, what sixteen at once take.

    python -m benchmarks.downloads [--mib 1024] [--rounds 10] [--folder /somewhere/on/a/disk] [--sockets]

heaven-core, Starlette's `FileResponse` and a bare ASGI callable that reads with `os.pread`, each on a uvicorn
(httptools, uvloop) of its own, and one process of nginx with sendfile, where it is installed. With `--sockets`
heaven-core's own server on asyncio, uvloop and trio takes the place of the uvicorns. All of them run the whole time,
and one after the other has its turn, beginning with another one each round.

- One download at a time: MiB/s, and what part that is of nginx's in the same round, median and quartiles; and the CPU
  time of the server for it, as a ratio to nginx's.
- /text beside four downloads of a process of their own: its milliseconds over all rounds, beside those when nothing
  else is asked for.
- 16 downloads at once, as fast as they go and by clients on a slow line: what the process had at most in memory less
  what it had before, MiB. Each has a new server for that.

The folder has to be on a disk: a tmpfs can't say what is in memory. Nothing is gated. Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles
from typing import TypeAlias

from benchmarks.asgi_apps import BARE, OURS
from benchmarks.big_file import MAKERS, latencies, show
from benchmarks.client import Connection
from benchmarks.downloading import downloading
from benchmarks.nginx import find_nginx, serve_files
from benchmarks.server import ServerProcess, serve, serve_program

Start: TypeAlias = Callable[[], AbstractContextManager[ServerProcess]]

MIB = 1024 * 1024
NGINX = "nginx"
STARLETTE = "Starlette"
PATH = "/files/hot"
ALONE_SECONDS = 0.2  # in each round
BESIDE_SECONDS = 0.6
GROWTH_SECONDS = 3.0
SLOW_MS = 25.0  # for each 64 KiB: 2.5 MiB/s
SOCKETS = ("ours, asyncio", "ours, uvloop", "ours, trio")
AIMS = {OURS: ">= 0.45", **dict.fromkeys(SOCKETS, ">= 0.85")}
AIM_P99 = 3.0  # ms
AIM_GROWTH = 10.0  # MiB


def contenders(folder: str, sockets: bool) -> dict[str, Start]:
    """How to start each server that there can be; nginx is the first."""
    starts: dict[str, Start] = {}
    nginx = find_nginx()
    if nginx is None:
        print("(nginx is not installed, and left out, and so are the parts of it: benchmarks/README.md)")
    else:
        starts[NGINX] = partial(serve_files, nginx, folder)
    if sockets:
        for name in SOCKETS:
            starts[name] = partial(serve_program, "benchmarks.socket_servers", name, folder)
        return starts
    starts[BARE] = partial(serve, MAKERS[BARE], folder)
    starts[OURS] = partial(serve, MAKERS[OURS], folder)
    if find_spec("starlette") is None:
        print("(Starlette is not installed, and left out: pip install --group bench)")
    else:
        starts[STARLETTE] = partial(serve, "benchmarks.peers.on_starlette:make_files", folder)
    return starts


def speed(server: ServerProcess) -> tuple[float, float]:
    """MiB a second of one download, and the seconds of CPU time that the server takes for it."""
    connection = Connection(server.port)
    cpu = server.cpu_ns()
    began = time.perf_counter()
    length = connection.fetch(PATH)
    seconds = time.perf_counter() - began
    connection.close()
    return length / MIB / seconds, (server.cpu_ns() - cpu) / 1e9


def text_for(server: ServerProcess, seconds: float) -> list[float]:
    """Milliseconds of /text, over and over for so long."""
    deadline = time.perf_counter() + seconds
    return latencies(server.port, lambda: time.perf_counter() > deadline)


def in_turns(names: list[str], rounds: int, run: Callable[[str], None]) -> None:
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            run(name)


def report_speeds(servers: dict[str, ServerProcess], rounds: int) -> None:
    speeds: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for server in servers.values():
        speed(server)  # a first time for caches

    def run(name: str) -> None:
        fast, cost = speed(servers[name])
        speeds[name].append(fast)
        costs[name].append(cost)

    in_turns(list(servers), rounds, run)
    columns = f"{'MiB/s':>8}{'of nginx':>10}{'half of the rounds':>20}{'aim':>9}{'CPU s':>8}{'x nginx':>9}"
    print(f"{'one download':<16}{columns}")
    for name, values in speeds.items():
        line = f"  {name:<14}{median(values):>8.0f}"
        if NGINX in speeds:
            parts = [value / best for value, best in zip(values, speeds[NGINX], strict=True)]
            low, _, high = quantiles(parts, n=4)
            line += (
                f"{median(parts):>10.2f}{low:>12.2f} to {high:.2f}{AIMS.get(name, ''):>9}{median(costs[name]):>8.3f}"
            )
            line += f"{median([value / best for value, best in zip(costs[name], costs[NGINX], strict=True)]):>9.2f}"
        print(line, flush=True)


def report_text(servers: dict[str, ServerProcess], rounds: int) -> None:
    alone: dict[str, list[float]] = {name: [] for name in servers}
    beside: dict[str, list[float]] = {name: [] for name in servers}
    speeds: dict[str, list[float]] = {name: [] for name in servers}

    def run(name: str) -> None:
        alone[name] += text_for(servers[name], ALONE_SECONDS)
        with downloading(servers[name].port, PATH, 4) as downloads:
            beside[name] += text_for(servers[name], BESIDE_SECONDS)
        speeds[name].append(downloads.speed)

    in_turns(list(servers), rounds, run)
    print("\n/text in ms: median, 99th percentile, maximum; MiB/s of all four")
    print(f"{'':<16}{'alone':>22}{'beside four downloads':>24}{'aim, 99th':>11}{'MiB/s':>8}")
    for name in servers:
        aim = f"<= {AIM_P99:g}" if name == OURS else "<= nginx" if name in SOCKETS else ""
        line = f"  {name:<14}{show(alone[name])}{show(beside[name]):>24}{aim:>11}{median(speeds[name]):>8.0f}"
        print(line, flush=True)


def growth(start: Start, pause_ms: float) -> float:
    """MiB that a new server grows by for 16 downloads at once."""
    with start() as server:
        text_for(server, ALONE_SECONDS)
        before = server.memory("VmRSS")
        with downloading(server.port, PATH, 16, pause_ms):
            time.sleep(GROWTH_SECONDS)
            most = server.memory("VmHWM")
        return (most - before) / MIB


def report_growth(starts: dict[str, Start]) -> None:
    print(f"\n{'MiB of growth for 16 downloads at once':<40}{'fast':>8}{'slow':>8}{'aim':>8}")
    for name, start in starts.items():
        aim = f"< {AIM_GROWTH:g}" if name == OURS else ""
        fast, slow = growth(start, 0.0), growth(start, SLOW_MS)
        print(f"  {name:<38}{fast:>8.1f}{slow:>8.1f}{aim:>8}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Downloads of a file in memory, beside nginx.")
    parser.add_argument("--mib", type=int, default=1024, help="size of the file in MiB")
    parser.add_argument("--rounds", type=int, default=10, help="how often each server has its turn, twice at least")
    parser.add_argument("--sockets", action="store_true", help="heaven-core's own server, and no uvicorn")
    parser.add_argument("--folder", help="where the files are made for as long as it takes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        with (Path(folder) / "hot").open("wb") as file:
            for _ in range(arguments.mib):
                file.write(os.urandom(4096) * 256)
            os.fsync(file.fileno())  # or it would be written while others are measured
        starts = contenders(folder, arguments.sockets)
        print(f"{arguments.mib} MiB in memory, {arguments.rounds} rounds\n")
        with ExitStack() as stack:
            servers = {name: stack.enter_context(start()) for name, start in starts.items()}
            report_speeds(servers, arguments.rounds)
            report_text(servers, arguments.rounds)
        report_growth(starts)


if __name__ == "__main__":
    main()
