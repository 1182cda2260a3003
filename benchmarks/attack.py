"""Chaotic clients on every ASGI server: what is left of them.

    python -m benchmarks.attack [--seconds 12] [--clients 40] [--seed 1]

Clients reset the connection at any moment, close one half of it, read slowly or not at all, send parts of requests and
of uploads, and pipeline. Printed are, for each server, before and after: descriptors, tasks, threads and memory; and
of the requests that reached the app how many were answered in which way, generators opened and closed, deferred calls
asked for and run. It gates nothing: what is a server's own is in docs/asgi.md. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PATIENCE: Final = 20.0
SETTLING: Final = 8.0  # seconds: send_timeout, by which a client that reads nothing is gone, and a little more
TARGET: Final = "benchmarks.attack_app:application"
SERVERS: Final = {
    "uvicorn, h11": ("uvicorn", TARGET, "--http", "h11", "--loop", "asyncio", "--no-access-log", "--port"),
    "uvicorn, httptools": ("uvicorn", TARGET, "--http", "httptools", "--loop", "uvloop", "--no-access-log", "--port"),
    "hypercorn, asyncio": ("hypercorn", TARGET, "--workers", "0", "--bind"),
    "hypercorn, trio": ("hypercorn", TARGET, "--workers", "0", "--worker-class", "trio", "--bind"),
    "granian": ("granian", TARGET, "--interface", "asgi", "--loop", "asyncio", "--no-access-log", "--port"),
}
PATHS: Final = ("/text?n=1", "/slow?n=1", "/failing", "/stream", "/stream?break", "/sync-stream", "/events", "/file")


@dataclass(frozen=True)
class Chance:
    """What one client does, drawn at random."""

    request: bytes
    sent: int  # bytes of it
    reads: int  # bytes of the answer
    pause: float  # seconds between two reads
    end: str

    @classmethod
    def draw(cls, chance: random.Random) -> Chance:
        if chance.random() < 0.25:
            size = chance.choice((1, 1000, 200_000))
            request = b"POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
        else:
            request = get(chance.choice(PATHS)) * chance.choice((1, 1, 1, 3))
        whole = chance.random() < 0.7
        return cls(
            request,
            len(request) if whole else chance.randrange(len(request)),
            chance.choice((0, 1, 1000, 300_000, 5_000_000)),
            chance.choice((0.0, 0.0, 0.001, 0.02)),
            chance.choice(("close", "reset", "half", "stay")),
        )


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


async def one_client(port: int, chance: random.Random, done: Counter[str]) -> None:
    drawn = Chance.draw(chance)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    try:
        writer.write(drawn.request[: drawn.sent])
        if drawn.end == "half":
            writer.write_eof()
        read = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while read < drawn.reads and (data := await reader.read(1 << 16)):
                    read += len(data)
                    await asyncio.sleep(drawn.pause)
        if drawn.end == "stay":
            await asyncio.sleep(chance.random())
    except ConnectionError:
        done["closed by the server"] += 1
    finally:
        if drawn.end == "reset":
            connected = writer.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        writer.close()
        done[drawn.end] += 1


async def attack(port: int, seconds: float, clients: int, seed: int) -> Counter[str]:
    done: Counter[str] = Counter()
    until = time.monotonic() + seconds

    async def one_after_the_other(chance: random.Random) -> None:
        while time.monotonic() < until:
            try:
                await one_client(port, chance, done)
            except OSError:
                done["not connected"] += 1
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one_after_the_other(random.Random(f"{seed} {number}")))
    return done


def numbers(port: int) -> dict[str, int]:
    """What the app says of itself. Raises `OSError` where it does not answer in time."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/numbers", timeout=PATIENCE) as answer:
                found: dict[str, int] = json.loads(answer.read())
                return found
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def attack_server(name: str, folder: Path, seconds: float, clients: int, seed: int) -> None:
    """Serve, attack, and print what is left."""
    port = free_port()
    *command, option = SERVERS[name]
    address = f"127.0.0.1:{port}" if option == "--bind" else str(port)
    environment = {**os.environ, "SOAK_FOLDER": str(folder)}
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, option, address], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        numbers(port)  # the first request makes what the next ones share
        before = numbers(port)
        done = asyncio.run(attack(port, seconds, clients, seed))
        time.sleep(SETTLING)
        after = numbers(port)
        server.terminate()
        began = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            server.wait(PATIENCE)
        ended = "did not end" if server.returncode is None else f"ended in {time.monotonic() - began:.1f} s"
    finally:
        server.kill()
        server.wait()
    print(f"{name}: {sum(done.values())} clients, {', '.join(f'{done[key]} {key}' for key in sorted(done))}; {ended}")
    for field in ("descriptors", "tasks", "threads", "kib"):
        print(f"    {field:12} {before[field]:>8} {after[field]:>8}")
    for begun, ended_well in (("begun", "ended"), ("opened", "closed")):
        print(f"    {begun + ', ' + ended_well:16} {after.get(begun, 0):>8} {after.get(ended_well, 0):>8}")
    kinds = ("complete", "disconnected", "failed")
    print(f"    outcomes     {', '.join(f'{after.get(kind, 0)} {kind}' for kind in kinds)}")
    print(f"    lines logged {len(log.read_bytes().splitlines())}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Chaotic clients on every ASGI server.")
    parser.add_argument("--seconds", type=float, default=12.0, help="for each server")
    parser.add_argument("--clients", type=int, default=40, help="at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=sorted(SERVERS), action="append", help="only this one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "soak.bin").write_bytes(bytes(range(256)) * 4000)
        for server in options.server or SERVERS:
            attack_server(server, folder, options.seconds, options.clients, options.seed)


if __name__ == "__main__":
    main()
