"""Hooks: before and after each handler, whichever it is."""

from __future__ import annotations

from time import perf_counter
from typing import Final

from heaven_core import Context, Key, Request, Response

STARTED: Final = Key[float]("started")


async def before(req: Request, res: Response, ctx: Context) -> None:
    """Keep a value for whoever comes later in this request."""
    ctx.keep(STARTED, perf_counter())


async def after(req: Request, res: Response, ctx: Context) -> None:
    """Tell the client how long the handler took, in milliseconds."""
    started = ctx.peek(STARTED)
    if started is not None:
        elapsed = (perf_counter() - started) * 1000
        res.headers = "Server-Timing", f"handler;dur={elapsed:.2f}"
