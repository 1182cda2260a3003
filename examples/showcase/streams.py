"""Streams: bodies that are made while they are sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Final

import anyio

from heaven_core import App, Context, Outcome, Request, Response, ServerSentEvent

LAST_TICK: Final = 9
POEM: Final = """\
A status and a line of names and values,
a blank, and then the things you came to hear:
I send the first before I know the last one,
and keep no more of them than you can bear.

You read a little slower: I write slower.
You close the page: I put my pencil down,
and what I opened for you is closed after,
and no one waits for words that will not come.
"""

runs: Final = count(1)
outcomes: Final[dict[int, Outcome]] = {}


async def lines() -> AsyncIterator[str]:
    """The poem, at reading speed."""
    for line in POEM.splitlines(keepends=True):
        yield line
        await anyio.sleep(0.5)


async def poem(req: Request, res: Response, ctx: Context) -> None:
    """Each line leaves when it is there. The client may leave, too."""
    run = next(runs)
    res.headers = "X-Run", run
    res.stream(lines())
    res.defer(partial(remember, run, res))


def remember(run: int, res: Response, app: App) -> None:
    """Runs when the stream is over, however it ended. The oldest outcomes are forgotten."""
    if res.outcome is not None:
        outcomes[run] = res.outcome
        outcomes.pop(run - 100, None)


async def outcome(req: Request, res: Response, ctx: Context) -> None:
    """How a stream ended: complete, or the client has disconnected."""
    ended = outcomes.get(req.params.int("run"))
    if ended is None:
        res.status = res.http.NOT_FOUND
        res.abort("This stream has not ended.\n")
    res.body = {
        "kind": ended.kind,
        "body_bytes": ended.body_bytes,
        "duration": round(ended.duration, 3),
    }


async def ticks(after: int) -> AsyncIterator[ServerSentEvent]:
    """Three events, one a second. Then the browser comes back for more."""
    for number in range(after + 1, after + 4):
        tick = {"tick": number, "at": datetime.now(UTC)}
        yield ServerSentEvent(tick, id=str(number), retry=500)
        await anyio.sleep(1)


async def events(req: Request, res: Response, ctx: Context) -> None:
    """A browser that was cut off comes back, and says how far it got."""
    last = req.last_event_id or ""
    after = int(last) if re.fullmatch("[0-9]{1,8}", last) else 0
    if after >= LAST_TICK:
        res.status = res.http.NO_CONTENT  # so an EventSource does not come again
        res.abort()
    res.stream(ticks(after), sse=True)
