"""An event source whose events outlive the process: line by line in a file, the number of the line is the id."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from heaven_core import App, Context, Replay, Request, Response, ServerSentEvent

__all__ = ["app"]

FILE: Final = Path(os.environ["HEAVEN_TEST_DIRECTORY"]) / "news.txt"
PAGE: Final = """<!doctype html><title>news</title><script>
const got = [];
let opened = 0;
const source = new EventSource("/news");
source.onopen = () => { opened += 1; };
source.onmessage = (event) => { got.push(event.lastEventId + " " + event.data); };
</script>"""

replay: Final = Replay(1000)
listeners: Final[set[asyncio.Queue[ServerSentEvent]]] = set()
lines: Final = FILE.read_text().splitlines() if FILE.exists() else []
for number, line in enumerate(lines, 1):
    replay.add(ServerSentEvent(line, id=str(number)))


def publish(req: Request, res: Response, ctx: Context) -> None:
    lines.append(req.text)
    with FILE.open("a") as file:
        file.write(f"{req.text}\n")
    event = replay.add(ServerSentEvent(req.text, id=str(len(lines))))
    for listener in listeners:
        listener.put_nowait(event)


async def news(req: Request, res: Response, ctx: Context) -> None:
    async def items() -> AsyncIterator[ServerSentEvent]:
        mine: asyncio.Queue[ServerSentEvent] = asyncio.Queue()
        listeners.add(mine)
        try:
            yield ServerSentEvent(retry=50)
            missed = replay.after(req.last_event_id) or []
            had = {event.id for event in missed}
            for event in missed:
                yield event
            while True:
                event = await mine.get()
                if event.id not in had:
                    yield event
        finally:
            listeners.discard(mine)

    res.stream(items(), sse=True)


def page(req: Request, res: Response, ctx: Context) -> None:
    res.html(PAGE)


def text(req: Request, res: Response, ctx: Context) -> None:
    res.body = "text"


app = App()
app.GET("/", page)
app.GET("/text", text)
app.GET("/news", news)
app.POST("/publish", publish)
