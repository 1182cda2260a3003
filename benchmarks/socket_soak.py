"""Mixed traffic on heaven-core's own server: no lost answer that was promised, no leak, flat memory.

    python -m benchmarks.socket_soak [--backend asyncio] [--exchanges 200000] [--clients 40] [--restarts 4]

Clients ask for texts, JSON, files and ranges, streams, uploads, one by one and several at once; and they leave in the
middle, reset the connection, read slowly, send garbage. Meanwhile the server is restarted: another one begins on the
same listening socket, and the first is told to end. What has begun to arrive has to arrive whole and as it should be,
but for streams that break off on purpose; each request's deferred call has to come, each stream's generator to be
closed; and in the end there are as many descriptors and tasks as in the beginning. Exits with 1 where that is not so.
Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import h11

ROOT: Final = Path(__file__).parents[1]
CONTENT: Final = bytes(range(256)) * 4000
PATIENCE: Final = 30.0
QUARTERS: Final = 4
TIMERS: Final = 8  # on trio each length of timeout that is in use has a task


class Lost(Exception):
    """An answer that was promised did not come, or was another one."""


class Client:
    """One connection, made anew where it has ended."""

    def __init__(self, port: int, chance: random.Random, seen: Counter[str]) -> None:
        self.port = port
        self.chance = chance
        self.seen = seen
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def send(self, data: bytes) -> asyncio.StreamReader:
        if self.writer is None or self.writer.is_closing() or self.reader is None or self.reader.at_eof():
            self.drop()
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        self.writer.write(data)
        assert self.reader is not None
        return self.reader

    def drop(self, reset: bool = False) -> None:
        writer, self.writer, self.reader = self.writer, None, None
        if writer is not None:
            if reset:
                connected = writer.get_extra_info("socket")
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            writer.close()

    async def answers(self, data: bytes, methods: list[str]) -> list[tuple[int, bytes]]:
        """What comes to these requests. None where the connection was closed before a single byte did."""
        reader = await self.send(data)
        found: list[tuple[int, bytes]] = []
        left = b""
        for method in methods:
            parser = h11.Connection(h11.CLIENT)
            parser.send(h11.Request(method=method, target="/", headers=[("Host", "test")]))
            parser.send(h11.EndOfMessage())
            if left:
                parser.receive_data(left)
            status, body, begun = 0, b"", bool(left)
            while True:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    piece = await asyncio.wait_for(reader.read(1 << 16), PATIENCE)
                    if not piece and not begun:
                        self.drop()
                        return found  # a connection that was idle is closed by a server that ends
                    begun = True
                    parser.receive_data(piece)
                elif isinstance(event, h11.Response):
                    status = event.status_code
                    closes = (b"connection", b"close") in list(event.headers)
                    if closes:
                        self.seen["closes"] += 1
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    raise Lost(f"{event} after {status} {body[:50]!r}")
            left = parser.trailing_data[0]
            found.append((status, body))
        if left:
            raise Lost(f"more than was asked for: {left[:50]!r}")
        return found

    # What clients do.

    async def plain(self) -> None:
        number = self.chance.randrange(10**6)
        for status, body in await self.answers(get(f"/text?n={number}"), ["GET"]):
            check((status, body) == (200, b"text %d" % number), status, body)

    async def slow(self) -> None:
        number = self.chance.randrange(10**6)
        for status, body in await self.answers(get(f"/slow?n={number}"), ["GET"]):
            check((status, json.loads(body)) == (200, {"n": str(number)}), status, body)

    async def pipelined(self) -> None:
        wanted = [self.chance.randrange(10**6) for _ in range(5)]
        data = b"".join([get(f"/text?n={number}") for number in wanted])
        for number, (status, body) in zip(wanted, await self.answers(data, ["GET"] * 5), strict=False):
            check((status, body) == (200, b"text %d" % number), status, body)

    async def part(self) -> None:
        start = self.chance.randrange(len(CONTENT))
        end = self.chance.randrange(start, len(CONTENT))
        data = get("/file", f"Range: bytes={start}-{end}")
        for status, body in await self.answers(data, ["GET"]):
            check(status == 206 and body == CONTENT[start : end + 1], status, body)

    async def head(self) -> None:
        for status, body in await self.answers(get("/file").replace(b"GET", b"HEAD"), ["HEAD"]):
            check((status, body) == (200, b""), status, body)

    async def stream(self) -> None:
        for status, body in await self.answers(get("/stream"), ["GET"]):
            check(status == 200 and body == b"".join([b"%d," % number for number in range(50)]), status, body)

    async def sync_stream(self) -> None:
        for status, body in await self.answers(get("/sync-stream"), ["GET"]):
            check(status == 200 and len(body) == 2_000_000, status, body)

    async def failing(self) -> None:
        for status, body in await self.answers(get("/failing"), ["GET"]):
            check(status == 500, status, body)

    async def upload(self) -> None:
        size = self.chance.randrange(300_000)
        body = b"x" * size
        if self.chance.random() < 0.5:
            data = b"POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s" % (size, body)
        else:
            chunks = b"%x\r\n%s\r\n" % (size, body) if size else b""
            data = b"POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % chunks
        for status, answer in await self.answers(data, ["POST"]):
            check((status, answer) == (200, b"%d" % size), status, answer)

    async def broken(self) -> None:
        """A stream that breaks off: the client can tell, by the missing last chunk."""
        reader = await self.send(get("/stream?break=1"))
        data = await asyncio.wait_for(reader.read(-1), PATIENCE)
        self.drop()
        check(not data or (data.startswith(b"HTTP/1.1 200") and not data.endswith(b"0\r\n\r\n")), 0, data)

    async def garbage(self) -> None:
        data = bytearray(get("/text?n=1") * 2)
        for _ in range(5):
            data[self.chance.randrange(len(data))] = self.chance.randrange(256)
        reader = await self.send(bytes(data) + b"\r\n\r\n")
        with_end = self.writer
        assert with_end is not None
        with_end.write_eof()
        await asyncio.wait_for(reader.read(-1), PATIENCE)
        self.drop()

    async def leaving(self) -> None:
        path = self.chance.choice(["/file", "/events", "/sync-stream", "/stream", "/slow?n=1", "/text?n=1"])
        reader = await self.send(get(path))
        if self.chance.random() < 0.7:
            await asyncio.wait_for(reader.read(self.chance.choice([1, 100, 100_000])), PATIENCE)
        self.drop(reset=self.chance.random() < 0.5)

    async def half_an_upload(self) -> None:
        await self.send(b"POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
        await asyncio.sleep(self.chance.random() / 100)
        self.drop(reset=self.chance.random() < 0.5)

    async def slow_reader(self) -> None:
        self.drop()
        reader = await self.send(get("/file"))
        data = b""
        for _ in range(20):
            data += await asyncio.wait_for(reader.read(20_000), PATIENCE)
            await asyncio.sleep(0.002)
        head, _, body = data.partition(b"\r\n\r\n")
        check(not data or (head.startswith(b"HTTP/1.1 200") and CONTENT.startswith(body)), 0, head)
        self.drop()


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: test", *lines, "", ""]).encode()


def check(right: bool, status: int, body: bytes) -> None:
    if not right:
        raise Lost(f"{status} {len(body)} bytes {body[:100]!r}")


WEIGHTS: Final[dict[str, int]] = {
    "plain": 40, "slow": 8, "pipelined": 10, "part": 8, "head": 3, "stream": 8, "sync_stream": 1, "failing": 3,
    "upload": 5, "broken": 2, "garbage": 3, "leaving": 6, "half_an_upload": 2, "slow_reader": 1,
}  # fmt: skip


async def visit(client: Client, left: list[int], lost: list[str]) -> None:
    names = list(WEIGHTS)
    while left[0] > 0:
        left[0] -= 1
        name = client.chance.choices(names, list(WEIGHTS.values()))[0]
        do: Callable[[], Awaitable[None]] = getattr(client, name)
        try:
            await do()
            client.seen[name] += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            client.drop()
            client.seen["reset"] += 1  # an idle connection of a server that has ended, or one that was refused
        except (Lost, h11.RemoteProtocolError, TimeoutError) as error:
            client.drop()
            lost.append(f"{name}: {type(error).__name__} {error}")
    client.drop()


class Server:
    """A process that serves on the listening socket of this one."""

    def __init__(self, backend: str, listener: socket.socket, folder: str) -> None:
        command = [
            *(sys.executable, "-m", "heaven_cli", "serve", "benchmarks.soak_app:adapter", "--adapter", "socket"),
            *("--backend", backend, "--fd", str(listener.fileno()), "--no-access-log", "--log-level", "warning"),
        ]
        paths = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
        environment = {**os.environ, "PYTHONPATH": paths, "SOAK_FOLDER": folder}
        self.process: Final = subprocess.Popen(command, env=environment, pass_fds=[listener.fileno()])

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


async def numbers(port: int) -> dict[str, int]:
    client = Client(port, random.Random(0), Counter())
    [(_, body)] = await client.answers(get("/numbers", "Connection: close"), ["GET"])
    client.drop()
    found: dict[str, int] = json.loads(body)
    return found


async def settle(port: int, first: dict[str, int]) -> dict[str, int]:
    """What the ledger says when everything has come to its end, or when that has taken too long."""
    deadline = time.monotonic() + PATIENCE
    while True:
        now = await numbers(port)
        even = now.get("begun") == now.get("ended") and now.get("opened") == now.get("closed")
        if (even and now["descriptors"] <= first["descriptors"]) or time.monotonic() > deadline:
            return now
        await asyncio.sleep(0.2)


async def soak(arguments: argparse.Namespace, folder: str) -> bool:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    port: int = listener.getsockname()[1]
    seen: Counter[str] = Counter()
    lost: list[str] = []
    right = True
    began = time.monotonic()
    server = Server(arguments.backend, listener, folder)
    parts = arguments.restarts + 1
    for part in range(parts):
        clients = [Client(port, random.Random(f"{part} {number}"), seen) for number in range(arguments.clients)]
        first = await numbers(port)
        last, memory = first, list[str]()
        for _ in range(QUARTERS):  # after the first of which memory has to be flat
            left = [arguments.exchanges // parts // QUARTERS]
            await asyncio.gather(*[visit(client, left, lost) for client in clients])
            last = await settle(port, first)
            memory.append(str(last["kib"]))
        print(f"server {last['pid']}: " + ", ".join(f"{key} {value}" for key, value in last.items() if key != "pid"))
        print(f"  memory after each quarter, KiB: {', '.join(memory)}", flush=True)
        if last.get("begun") != last.get("ended") or last.get("opened") != last.get("closed"):
            print("  NOT EVERYTHING THAT BEGAN HAS ENDED")
            right = False
        if last["descriptors"] > first["descriptors"] or last["tasks"] > first["tasks"] + TIMERS:
            print(f"  A LEAK: it had {first['descriptors']} descriptors and {first['tasks']} tasks")
            right = False
        if part + 1 < parts:
            # The next one begins beside it, under load, before it is told to end.
            left = [2000]
            visits = asyncio.gather(*[visit(client, left, lost) for client in clients])
            following = Server(arguments.backend, listener, folder)
            await asyncio.sleep(1.5)
            status = await asyncio.to_thread(server.end)
            await visits
            right = right and status == 0
            print(f"  ended under load with {status}")
            server = following
    status = server.end()
    print(f"{sum(seen.values())} exchanges in {time.monotonic() - began:.0f} s: {dict(seen)}")
    print(f"{len(lost)} answers lost" + "".join(f"\n  {line}" for line in lost[:20]))
    return right and not lost and status == 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Mixed traffic on a socket.")
    parser.add_argument("--backend", default="asyncio", choices=("asyncio", "uvloop", "trio"))
    parser.add_argument("--exchanges", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--restarts", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        (Path(folder) / "soak.bin").write_bytes(CONTENT)
        sys.exit(0 if asyncio.run(soak(arguments, folder)) else 1)


if __name__ == "__main__":
    main()
