"""All scenarios, and the routes that are about time and connections, in one app: a server is started once for them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel

from heaven_core import App, Context, Request, Response
from tests.scenarios import make_app
from tests.table.kit import Log, Notes, notes_of

__all__ = ["app"]

DIRECTORY: Final = Path(os.environ["HEAVEN_TEST_DIRECTORY"])
LOG: Final = Log()


def watch(req: Request, res: Response, ctx: Context) -> None:
    """Each request writes down how it ended."""
    run = req.headers.get("x-run")
    if run is None:
        return

    def ended(app: App) -> None:
        outcome = res.outcome
        assert outcome is not None
        LOG.outcomes[run] = f"{outcome.kind} {outcome.status}"

    res.defer(ended)


def log(req: Request, res: Response, ctx: Context) -> None:
    """What a run has written down so far."""
    run = req.query["run"]
    res.body = {"notes": LOG.notes.get(run, []), "outcome": LOG.outcomes.get(run, ""), "begun": run in LOG.notes}


# Streams that a client leaves


async def endless(req: Request, res: Response, ctx: Context) -> None:
    """Never ends, and awaits in its `finally`."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100
                await anyio.sleep(0.01)
        finally:
            with anyio.CancelScope(shield=True):  # on trio every await is cancelled otherwise
                await anyio.lowlevel.checkpoint()
            notes.write("closed")

    res.stream(items())
    res.defer(notes.later("always"))
    res.defer(notes.later("complete"), "complete")
    res.defer(notes.later("failed"), "failed")


async def flood(req: Request, res: Response, ctx: Context) -> None:
    """Never ends, and is fast."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            notes.write("closed")

    res.stream(items())
    res.defer(notes.later("always"))


async def buffered(req: Request, res: Response, ctx: Context) -> None:
    """More than fits into what operating systems and servers keep of a response."""
    res.body = bytes(12 * 1024 * 1024)
    res.defer(notes_of(ctx).later("always"))


async def silent(req: Request, res: Response, ctx: Context) -> None:
    """Gives one event, then says nothing; not even a heartbeat tells the server that the client has gone."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[str]:
        try:
            yield "first"
            await anyio.sleep_forever()
        finally:
            notes.write("closed")

    res.stream(items(), sse=True, heartbeat=None)
    res.defer(notes.later("always"))


async def mute(req: Request, res: Response, ctx: Context) -> None:
    """Gives nothing at all: the head goes out alone."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[str]:
        try:
            await anyio.sleep_forever()
            yield ""
        finally:
            notes.write("closed")

    res.stream(items(), sse=True)
    res.defer(notes.later("always"))


def endless_sync(req: Request, res: Response, ctx: Context) -> None:
    """A sync one."""
    notes = notes_of(ctx)

    def items() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100
        finally:
            notes.write("closed")

    res.stream(items())
    res.defer(notes.later_async("always"))


async def heartbeats(req: Request, res: Response, ctx: Context) -> None:
    """A comment after each silence."""

    notes = notes_of(ctx)

    async def items() -> AsyncIterator[str]:
        try:
            yield "first"
            await anyio.sleep_forever()
        finally:
            notes.write("closed")

    res.stream(items(), sse=True, heartbeat=0.05)
    res.defer(notes.later("always"))


# Uploads


async def take(req: Request, res: Response, ctx: Context) -> None:
    notes_of(ctx).write("handler")
    res.body = f"{len(req.body)} bytes"


async def take_stream(req: Request, res: Response, ctx: Context) -> None:
    notes = notes_of(ctx)
    notes.write("handler")
    try:
        async for _ in req.stream():
            notes.write("piece")
    except ConnectionError as error:
        notes.write(type(error).__name__)
        raise
    notes.write("end")
    res.body = "all of it"


async def echo(req: Request, res: Response, ctx: Context) -> None:
    """Answers while it reads."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes]:
        try:
            yield b"<"
            async for piece in req.stream():
                yield piece.upper()
        finally:
            notes.write("closed")

    res.stream(items())


# Slow handlers, and clients that don't wait for them


async def asks(req: Request, res: Response, ctx: Context) -> None:
    """Asks whether anybody still waits, until nobody does."""
    notes = notes_of(ctx)
    notes.write(f"left: {await req.is_disconnected()}")
    while not await req.is_disconnected():
        await anyio.sleep(0.01)
    notes.write(f"left: {await req.is_disconnected()}")
    res.body = "answered"


async def asks_and_reads(req: Request, res: Response, ctx: Context) -> None:
    """Asks while the body is on its way, which is not lost by that."""
    size = 0
    looks = [await req.is_disconnected()]
    async for piece in req.stream():
        size += len(piece)
        # Again before what was asked before can have been answered.
        looks += [await req.is_disconnected() for _ in range(3)]
    res.body = f"{size} bytes, left: {any(looks)}"


async def waits(req: Request, res: Response, ctx: Context) -> None:
    """Waits until another request lets it go on, and asks for nothing."""
    notes = notes_of(ctx)
    notes.write("waiting")
    while "go" not in notes.written:
        await anyio.sleep(0.005)
    res.body = "answered"


# Where it is mounted


def place(req: Request, res: Response, ctx: Context) -> None:
    res.body = {"root_path": req.root_path, "path": req.path, "raw_path": req.raw_path.decode(), "url": req.url}


# Deferred work, and the next request on the same connection


async def slow_deferred(req: Request, res: Response, ctx: Context) -> None:
    """Deferred work that waits for another request."""
    notes = notes_of(ctx)

    async def wait(app: App) -> None:
        notes.write("waiting")
        while "go" not in notes.written:
            await anyio.sleep(0.005)
        notes.write("done")

    res.defer(wait)
    res.body = "answered"


def later(req: Request, res: Response, ctx: Context) -> None:
    """Deferred work that reads the request, when others have come and gone."""
    notes = notes_of(ctx)

    async def read(app: App) -> None:
        notes.write("later")
        while "go" not in notes.written:
            await anyio.sleep(0.005)
        notes.write(f"{req.headers['x-secret']} {req.cookies['who']} {req.url}")

    res.defer(read)
    res.body = "answered"


def go(req: Request, res: Response, ctx: Context) -> None:
    """Lets the deferred work of another request go on."""
    Notes(LOG.notes[req.query["run"]]).write("go")
    res.body = {"gone": True}


def big(req: Request, res: Response, ctx: Context) -> None:
    res.file("big.bin", within=DIRECTORY)


def data(req: Request, res: Response, ctx: Context) -> None:
    res.file("data.bin", within=DIRECTORY)


def shrinks(req: Request, res: Response, ctx: Context) -> None:
    res.file("shrinks.bin", within=DIRECTORY)


app: Final = make_app(str(DIRECTORY), LOG)
app.before("*", watch)
for _path, _handler in (
    ("/log", log),
    ("/endless", endless),
    ("/endless-sync", endless_sync),
    ("/flood", flood),
    ("/buffered", buffered),
    ("/silent", silent),
    ("/mute", mute),
    ("/heartbeats", heartbeats),
    ("/place/:name", place),
    ("/slow-deferred", slow_deferred),
    ("/asks", asks),
    ("/waits", waits),
    ("/later", later),
    ("/go", go),
    ("/big", big),
    ("/data", data),
    ("/shrinks", shrinks),
):
    app.GET(_path, _handler)
app.POST("/take", take)
app.POST("/take-stream", take_stream, stream=True)
app.POST("/echo", echo, stream=True)
app.POST("/asks", asks)
large: Final = App(max_body_size=1_000_000)
large.POST("/asks-and-reads", asks_and_reads, stream=True)
app.include("/large", large)
app.POST("/waits", waits)
