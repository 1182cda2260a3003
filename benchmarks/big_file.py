"""A big file through uvicorn: how much the process grows, how fast it goes, how long another request waits meanwhile.

    python -m benchmarks.big_file [--mib 1024] [--folder /somewhere/on/a/disk]

A sparse file, whose pages are not in memory (a new one for everybody: to read it once changes that), and a real one,
which has just been written and mostly is. The floor is a bare ASGI callable that reads the same file with `os.pread`
and lets others have a turn after each read. Each application has a server of its own; the growth is what its process
had at most in memory less what it had before the first byte. Nothing is gated. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread

from benchmarks.asgi_apps import ASGI, BARE, OURS, Receive, Scope, Send
from benchmarks.client import Connection
from benchmarks.server import serve
from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, Request, Response

MIB = 1024 * 1024
FLOOR_READ = 256 * 1024
AIM = 16.0  # MiB of growth


def make_ours(folder: str) -> ASGI:
    """For the server's process."""

    async def text(req: Request[object], res: Response, ctx: Context) -> None:
        res.body = "Hello, World"

    async def file(req: Request[object], res: Response, ctx: Context) -> None:
        res.file(req.params.str("name"), within=folder)

    app = App()
    app.GET("/text", text)
    app.GET("/files/:name", file)
    return ASGIAdapter(app)


def make_bare(folder: str) -> ASGI:
    """For the server's process."""

    async def serve_bare(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/text":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"12")]})
            await send({"type": "http.response.body", "body": b"Hello, World"})
            return
        fd = os.open(os.path.join(folder, scope["path"].rpartition("/")[2]), os.O_RDONLY)
        length = os.fstat(fd).st_size
        fields = [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        offset = 0
        while offset < length:
            data = os.pread(fd, FLOOR_READ, offset)
            offset += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": offset < length})
            await asyncio.sleep(0)
        os.close(fd)

    return serve_bare


MAKERS = {BARE: "benchmarks.big_file:make_bare", OURS: "benchmarks.big_file:make_ours"}


def latencies(port: int, until: Callable[[], bool]) -> list[float]:
    """Milliseconds that /text takes, on a connection of its own, every few milliseconds while there is a download."""
    found: list[float] = []
    connection = Connection(port)
    connection.fetch("/text")  # the first one finds cold caches
    while not until():
        began = time.perf_counter()
        connection.fetch("/text")
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(0.002)
    connection.close()
    return found


def measure(factory: str, folder: str, name: str) -> tuple[float, float, list[float], list[float]]:
    """MiB a second, MiB of growth, and the milliseconds of /text when nothing else is asked for and meanwhile."""
    with serve(factory, folder) as server:
        deadline = time.perf_counter() + 1.0
        quiet = latencies(server.port, lambda: time.perf_counter() > deadline)
        before = server.memory("VmRSS")
        done = Event()
        seconds: list[float] = []
        length = 0

        def download() -> None:
            nonlocal length
            try:
                connection = Connection(server.port)
                began = time.perf_counter()
                length = connection.fetch(f"/files/{name}")
                seconds.append(time.perf_counter() - began)
                connection.close()
            finally:
                done.set()

        thread = Thread(target=download)
        thread.start()
        meanwhile = latencies(server.port, done.is_set)
        thread.join()
        if not seconds:
            raise SystemExit("the download failed (see above)")
        return length / MIB / seconds[0], (server.memory("VmHWM") - before) / MIB, quiet, meanwhile


def show(values: list[float]) -> str:
    """Median, 99th percentile and maximum."""
    cuts = quantiles(values, n=100)
    return f"{cuts[49]:>8.2f}{cuts[98]:>7.2f}{max(values):>7.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="A big file through uvicorn.")
    parser.add_argument("--mib", type=int, default=1024, help="size of each file in MiB")
    parser.add_argument("--folder", help="where the files are made for as long as it takes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        with (Path(folder) / "hot").open("wb") as file:
            for _ in range(arguments.mib):
                file.write(os.urandom(4096) * 256)
        print(f"{arguments.mib} MiB through uvicorn; /text in ms: median, 99th percentile, maximum")
        print(f"{'':<22}{'MiB/s':>8}{'part':>6}{'growth, MiB':>13}{'aim':>7}{'/text alone':>22}{'meanwhile':>22}")
        for name in ("sparse", "hot"):
            floor = 0.0
            for who, factory in MAKERS.items():
                if name == "sparse":
                    path = Path(folder) / name
                    path.unlink(missing_ok=True)
                    path.touch()
                    os.truncate(path, arguments.mib * MIB)
                speed, growth, quiet, meanwhile = measure(factory, folder, name)
                floor = floor or speed
                aim = f"< {AIM:g}" if who == OURS else ""
                print(
                    f"{name + ', ' + who:<22}{speed:>8.0f}{speed / floor:>6.2f}{growth:>13.1f}{aim:>7}"
                    f"{show(quiet)}{show(meanwhile)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
