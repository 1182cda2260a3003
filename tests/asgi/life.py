"""The lifespan of a server that is no more than two functions."""

from __future__ import annotations

from typing import Final, final

import anyio

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App

__all__ = ["SHUTDOWN", "STARTUP", "Life"]

STARTUP: Final[Message] = {"type": "lifespan.startup"}
SHUTDOWN: Final[Message] = {"type": "lifespan.shutdown"}


@final
class Life:
    """The lifespan of one server. `shut_down` lets it end."""

    def __init__(
        self, app: App, *, deferred_deadline: float = 10.0, signals: bool = True, adapter: ASGIAdapter | None = None
    ) -> None:
        self.adapter = adapter or ASGIAdapter(app, deferred_deadline=deferred_deadline, signals=signals)
        self.ending = anyio.Event()
        self.sent: list[Message] = []
        self.received: list[Message] = []
        self.started = anyio.Event()
        self.ended = anyio.Event()

    async def run(self) -> None:
        await self.adapter({"type": "lifespan", "asgi": {"version": "3.0"}}, self.receive, self.send)
        self.ended.set()

    async def receive(self) -> Message:
        if self.received:
            await self.ending.wait()
        self.received.append(SHUTDOWN if self.received else STARTUP)
        return self.received[-1]

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        self.started.set()

    def shut_down(self) -> None:
        self.ending.set()

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.sent]
