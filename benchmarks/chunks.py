"""Many chunks in one response, in process: 100,000 of 64 bytes and 2,000 of 64 KiB, as ratios to a bare loop of sends.

    python -m benchmarks.chunks [--rounds 7]

heaven-core, Starlette's `StreamingResponse` and a bare callable that sends what the same async generator yields.
Counted is the CPU time of this process, of everything from the server's call of the application on:

- with uvicorn's own protocols (httptools, h11) on a TCP connection that another process reads, so that a send costs
  what it does; what the kernel does to take the bytes is counted, too;
- with a `send` that does nothing: there a message costs next to nothing, and what is left is what each does for a
  chunk.

In each round everyone has a turn, beginning with another one each time; a ratio is the median over the rounds of (the
bare loop's time / this one's in that round): more is faster. Nothing is gated. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib.util import find_spec
from statistics import median
from time import process_time

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from benchmarks.asgi_apps import ASGI, BARE, OURS, Message, Receive, Scope, Send
from benchmarks.dispatch import make_parts
from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, Request, Response

TYPE = "application/octet-stream"
# Size, count, aim, and how many times as many rounds: what is over soon varies more.
JOBS = {"100,000 of 64 bytes": (64, 100_000, 1.5, 1), "2,000 of 64 KiB": (64 * 1024, 2_000, 0.9, 6)}
Run = Callable[[ASGI], Awaitable[float]]


async def chunks(size: int, count: int) -> AsyncIterator[bytes]:
    data = bytes(size)
    for _ in range(count):
        yield data


def make_bare(size: int, count: int) -> ASGI:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", TYPE.encode())]})
        async for data in chunks(size, count):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return bare


def make_ours(size: int, count: int) -> ASGI:
    async def handler(req: Request[object], res: Response, ctx: Context) -> None:
        res.stream(chunks(size, count), TYPE)

    app = App()
    app.GET("/hello", handler)
    return ASGIAdapter(app)


def contenders(size: int, count: int) -> dict[str, ASGI]:
    """The bare loop first."""
    found = {BARE: make_bare(size, count), OURS: make_ours(size, count)}
    if find_spec("starlette") is not None:
        from benchmarks.peers.on_starlette import make_stream  # noqa: PLC0415  (it may not be installed)

        found["Starlette"] = make_stream(partial(chunks, size, count), TYPE)
    else:
        print("(Starlette is not installed, and left out: pip install --group bench)")
    return found


async def run_on(protocol: type[HttpToolsProtocol | H11Protocol], app: ASGI) -> float:
    """CPU seconds on a server's protocol, whose client is another process that throws everything away."""
    config = Config(app, access_log=False, log_level="critical", lifespan="off", interface="asgi3")
    config.load()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    theirs.sendall(b"GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    state = ServerState()
    with theirs:
        client = await asyncio.create_subprocess_exec("cat", stdin=theirs.fileno(), stdout=subprocess.DEVNULL)
    began = process_time()
    await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol(config, state, {}), ours)
    await client.wait()
    return process_time() - began


async def run_on_nothing(app: ASGI) -> float:
    """CPU seconds with a `send` that does nothing."""
    scope, _ = make_parts()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    began = process_time()
    await app(scope, receive, send)
    return process_time() - began


WIRES: dict[str, Run] = {
    "uvicorn, httptools": partial(run_on, HttpToolsProtocol),
    "uvicorn, h11": partial(run_on, H11Protocol),
    "send does nothing": run_on_nothing,
}


async def measure(job: str, rounds: int) -> None:
    size, count, aim, times = JOBS[job]
    apps = contenders(size, count)
    names = list(apps)
    for wire, run in WIRES.items():
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for number in range(times * rounds + 1):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                gc.collect()
                taken = await run(apps[name])
                if number:  # the first round is for warming up
                    seconds[name].append(taken)
        for name in names:
            ratio = median(bare / own for bare, own in zip(seconds[BARE], seconds[name], strict=True))
            goal = f">= {aim:g}" if name == OURS and run is not run_on_nothing else ""
            cost = median(seconds[name]) / count * 1e6
            print(f"{job:<22}{wire:<20}{name:<16}{cost:>8.2f}{ratio:>8.2f}{goal:>9}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Many chunks in one response.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds: int = parser.parse_args().rounds
    print(f"{'chunks':<22}{'on':<20}{'':<16}{'µs each':>8}{'x bare':>8}{'aim':>9}")
    for job in JOBS:
        asyncio.run(measure(job, rounds))


if __name__ == "__main__":
    main()
