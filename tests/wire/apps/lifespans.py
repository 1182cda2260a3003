"""An app whose lifespan is what HEAVEN_TEST_LIFESPAN says; it writes down in a file what happens, line by line."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import anyio

from heaven_core import App, Context, Request, Response
from heaven_core.app.app import Lifespan

__all__ = ["app"]

DIRECTORY: Final = Path(os.environ["HEAVEN_TEST_DIRECTORY"])
DIARY: Final = DIRECTORY / os.environ["HEAVEN_TEST_DIARY"]


def write(line: str) -> None:
    with DIARY.open("a") as diary:
        diary.write(f"{line}\n")


@asynccontextmanager
async def asynchronous(app: App) -> AsyncGenerator[None]:
    await anyio.sleep(0)
    app.keep("greeting", "hello")
    write("entered")
    yield
    await anyio.sleep(0)
    write("left")


@contextmanager
def synchronous(app: App) -> Generator[None]:
    app.keep("greeting", "hello")
    write("entered")
    yield
    write("left")


@asynccontextmanager
async def failing(app: App) -> AsyncGenerator[None]:
    await anyio.sleep(0)
    if app.peek("database") is None:
        raise ConnectionError("the database is away")
    yield


@contextmanager
def failing_synchronously(app: App) -> Generator[None]:
    if app.peek("database") is None:
        raise ConnectionError("the database is away")
    yield


LIFESPANS: Final[dict[str, Lifespan]] = {
    "asynchronous": asynchronous,
    "synchronous": synchronous,
    "failing": failing,
    "failing synchronously": failing_synchronously,
}


def greet(req: Request, res: Response, ctx: Context) -> None:
    """Has what the startup has made."""
    res.body = str(app.peek("greeting", "nothing"))


async def ends_when_told(app: App) -> None:
    write("deferred call has begun")
    while not (DIRECTORY / f"{DIARY.name}.go").exists():
        await anyio.sleep(0.005)
    await anyio.sleep(0.3)  # so that the shutdown, which the test has asked for before, has begun
    write("deferred call has ended")


async def never_ends(app: App) -> None:
    write("deferred call has begun")
    await anyio.sleep_forever()


def defer(req: Request, res: Response, ctx: Context) -> None:
    res.defer(ends_when_told)


def defer_forever(req: Request, res: Response, ctx: Context) -> None:
    res.defer(never_ends)


async def one_and_no_more() -> AsyncIterator[str]:
    try:
        yield "one"
        await anyio.sleep_forever()
    finally:
        write("stream closed")


def events(req: Request, res: Response, ctx: Context) -> None:
    """One event, and another only at the shutdown."""
    res.stream(one_and_no_more(), sse=True, at_shutdown="bye")
    res.defer(write_outcome(res))


def text(req: Request, res: Response, ctx: Context) -> None:
    """A body with an end of its own, which comes too late."""
    res.stream(one_and_no_more())
    res.defer(write_outcome(res))


def write_outcome(res: Response) -> Callable[[App], None]:
    def call(app: App) -> None:
        write(res.outcome.kind if res.outcome is not None else "no outcome")

    return call


app: Final = App(lifespan=LIFESPANS[os.environ["HEAVEN_TEST_LIFESPAN"]])
app.GET("/text", greet)
app.GET("/events", events)
app.GET("/unending", text)
app.GET("/defer", defer)
app.GET("/defer-forever", defer_forever)
