"""The app of the soak: each kind of answer, and a ledger of what has begun and what has ended."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel

from heaven_core import App, Context, Request, Response, ServerSentEvent
from heaven_socket import Limits, SocketAdapter

__all__ = ["CONTENT", "adapter"]

CONTENT: Final = bytes(range(256)) * 4000  # of the file, some 1 MB
FOLDER: Final = Path(os.environ["SOAK_FOLDER"])
ledger: Final[Counter[str]] = Counter()


def watch(req: Request, res: Response, ctx: Context) -> None:
    """Count each request, and how it ended: the deferred call has to come for each."""
    ledger["begun"] += 1

    def ended(app: App) -> None:
        assert res.outcome is not None
        ledger["ended"] += 1
        ledger[res.outcome.kind] += 1

    res.defer(ended)


def text(req: Request, res: Response, ctx: Context) -> None:
    res.headers = "Content-Type", "text/plain"
    res.body = f"text {req.query['n']}"


async def slow(req: Request, res: Response, ctx: Context) -> None:
    await anyio.sleep(0.01)
    res.body = {"n": req.query["n"]}


def failing(req: Request, res: Response, ctx: Context) -> None:
    raise ValueError("as it is meant to")


async def stream(req: Request, res: Response, ctx: Context) -> None:
    async def items() -> AsyncIterator[str]:
        ledger["opened"] += 1
        try:
            for number in range(50):
                yield f"{number},"
                if number % 10 == 0:
                    await anyio.lowlevel.checkpoint()
            if "break" in req.query:
                raise ValueError("as it is meant to")
        finally:
            ledger["closed"] += 1

    res.stream(items())


def sync_stream(req: Request, res: Response, ctx: Context) -> None:
    def items() -> Iterator[bytes]:
        ledger["opened"] += 1
        try:
            for _ in range(200):
                yield b"x" * 10_000
        finally:
            ledger["closed"] += 1

    res.stream(items())


async def events(req: Request, res: Response, ctx: Context) -> None:
    async def items() -> AsyncIterator[ServerSentEvent]:
        ledger["opened"] += 1
        try:
            while True:
                yield ServerSentEvent("tick")
                await anyio.sleep(0.05)
        finally:
            ledger["closed"] += 1

    res.stream(items(), sse=True)


async def upload(req: Request, res: Response, ctx: Context) -> None:
    size = 0
    async for piece in req.stream():
        size += len(piece)
    res.body = f"{size}"


def file(req: Request, res: Response, ctx: Context) -> None:
    res.file("soak.bin", within=FOLDER)


def numbers(req: Request, res: Response, ctx: Context) -> None:
    """What the ledger says, without this very request; and what the process has open."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    res.body = {
        **ledger,
        "pid": os.getpid(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": int(status["Threads"]),
        "tasks": len(anyio.get_running_tasks()),
        "kib": int(status["VmRSS"].split()[0]),
    }


logging.getLogger("heaven_core").disabled = True  # what is meant to fail is no news
app = App(on_error=lambda error, where: None)
for path, handler in (
    ("/text", text),
    ("/slow", slow),
    ("/failing", failing),
    ("/stream", stream),
    ("/sync-stream", sync_stream),
    ("/events", events),
    ("/file", file),
):
    app.before(path, watch)
    app.GET(path, handler)
app.before("/upload", watch)
app.POST("/upload", upload, stream=True)
app.GET("/numbers", numbers)
adapter: Final = SocketAdapter(app, limits=Limits(linger_time=1), send_timeout=5, response_deadline=10)
