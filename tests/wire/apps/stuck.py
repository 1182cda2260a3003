"""An app whose `def` code waits for something that never comes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from heaven_core import App, Context, Request, Response

__all__ = ["app"]

DIARY: Final = Path(os.environ["HEAVEN_TEST_DIRECTORY"]) / os.environ["HEAVEN_TEST_DIARY"]
# Under it the tests ask whether a stuck one has begun.
NOTHING: Final[SimpleQueue[str]] = SimpleQueue()


def wait(what: str) -> str:
    with DIARY.open("a") as diary:
        diary.write(f"{what} {'daemon' if threading.current_thread().daemon else 'no daemon'}\n")
    return NOTHING.get()


def stuck_items(what: str) -> Iterator[str]:
    yield "one\n"
    yield wait(what)


def stuck_closing() -> Iterator[str]:
    try:
        while True:
            yield "one\n"
    finally:
        wait("closing")


def stuck_handler(req: Request, res: Response, ctx: Context) -> None:
    res.body = wait("handler")


def stuck_call(app: App) -> None:
    wait("deferred")


app: Final = App()
app.GET("/text", lambda req, res, ctx: setattr(res, "body", "hello"))
app.GET("/step", lambda req, res, ctx: res.stream(stuck_items("step")))
app.GET("/own", lambda req, res, ctx: res.stream(stuck_items("own"), thread="own"))
app.GET("/closing", lambda req, res, ctx: res.stream(stuck_closing()))
app.GET("/deferred", lambda req, res, ctx: res.defer(stuck_call))
app.GET("/handler", stuck_handler, thread=True)
app.GET("/quick", lambda req, res, ctx: res.stream(iter(["answ", "ered"])))
app.GET("/quick-handler", lambda req, res, ctx: setattr(res, "body", "answered"), thread=True)
