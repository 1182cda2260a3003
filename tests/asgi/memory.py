"""A server that is no more than two functions: one call of the adapter, with a client that the test controls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, final

import anyio

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message, Scope
from heaven_core.http.headers import Field
from tests.table.kit import Answer

__all__ = ["PATIENCE", "Call", "scope_of"]

# Seconds until something that takes milliseconds counts as hung.
PATIENCE: Final = 10.0


def scope_of(
    method: str = "GET", path: str = "/", headers: Iterable[tuple[str, str]] = (), **more: object
) -> dict[str, object]:
    """An HTTP scope, as uvicorn makes it."""
    raw_path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"test"), *[(name.lower().encode(), value.encode()) for name, value in headers]],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        **more,
    }


@final
class Call:
    """`sent` are the messages that came. `at_send`, if set, is awaited with the number and text of each before it
    counts as sent: there a test raises, waits or leaves."""

    def __init__(self, adapter: ASGIAdapter, scope: Scope, messages: Iterable[Message] | None = None) -> None:
        self.adapter: Final = adapter
        self._scope: Final = scope
        request: Message = {"type": "http.request", "body": b"", "more_body": False}
        self._messages: Final[list[Message]] = [request] if messages is None else list(messages)
        self._gone: Final = anyio.Event()
        self._changed = anyio.Event()
        self.sent: Final[list[Message]] = []
        self.received: Final[list[Message]] = []
        self.at_send: Callable[[int, Message], Awaitable[None]] | None = None
        self.at_receive: Callable[[], Awaitable[None]] | None = None

    async def run(self) -> None:
        await self.adapter(self._scope, self.receive, self.send)

    async def receive(self) -> Message:
        if self.at_receive is not None:
            await self.at_receive()
        if not self._messages:
            await self._gone.wait()
            message: Message = {"type": "http.disconnect"}
        else:
            message = self._messages.pop(0)
        self.received.append(message)
        return message

    async def send(self, message: Message) -> None:
        if self.at_send is not None:
            await self.at_send(len(self.sent), message)
        self.sent.append(message)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def leave(self) -> None:
        """The client goes."""
        self._gone.set()

    async def until_sent(self, count: int) -> None:
        """Until so many messages have come."""
        with anyio.fail_after(PATIENCE):
            while len(self.sent) < count:
                await self._changed.wait()

    @property
    def answer(self) -> Answer:
        """What the client of a real server would have got of it."""
        status, fields, body, whole = 0, list[Field](), b"", False
        for message in self.sent:
            assert not whole, f"after the last message: {message}"
            if message["type"] == "http.response.start":
                assert status == 0
                status, fields = message["status"], message["headers"]
            else:
                assert message["type"] == "http.response.body"
                assert status != 0
                body += message["body"]
                whole = not message.get("more_body", False)
        return Answer(status, fields, body, whole)
