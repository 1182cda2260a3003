"""A server in the test's own event loop, and a client that is a stream of bytes."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, final

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus

from heaven_core import App, Context, Request, Response
from heaven_socket import SocketAdapter
from tests.wire.raw import WireAnswer, read_answers

__all__ = ["KINDS", "PATIENCE", "Backend", "Client", "Ending", "Kind", "Served", "serving"]

PATIENCE: Final = 10.0

Backend: TypeAlias = tuple[str, dict[str, object]]


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """A transport on an event loop. `streams`: connections are accepted by anyio, and served as any stream is."""

    name: str
    backend: Backend
    streams: bool = False


KINDS: Final = (
    Kind("asyncio", ("asyncio", {})),
    Kind("uvloop", ("asyncio", {"use_uvloop": True})),
    Kind("trio", ("trio", {})),
    Kind("streams-asyncio", ("asyncio", {}), streams=True),
    Kind("streams-trio", ("trio", {}), streams=True),
)


@final
class Client:
    """One connection."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream: Final = stream
        self.received = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send(data)

    async def receive(self) -> bool:
        """Whether something came; not where the server has closed, or reset, the connection."""
        try:
            with anyio.fail_after(PATIENCE):
                self.received += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return False
        return True

    async def until(self, marker: bytes) -> bytes:
        """All that came, once `marker` has."""
        while marker not in self.received:
            assert await self.receive(), f"closed before {marker!r} came: {self.received!r}"
        return self.received

    async def until_closed(self) -> bytes:
        """All that came until the server closed the connection."""
        while await self.receive():
            pass
        return self.received

    async def answers(self, methods: Sequence[str] = ("GET",)) -> list[WireAnswer]:
        """The responses to requests with these methods, in all that comes until the connection is closed."""
        return read_answers(await self.until_closed(), methods)

    async def answer(self) -> WireAnswer:
        [only] = await self.answers()
        return only

    async def end(self) -> None:
        """Say that nothing more comes."""
        await self.stream.send_eof()

    async def leave(self) -> None:
        """Close the connection, as a browser does."""
        await self.stream.aclose()

    async def reset(self) -> None:
        """Leave as a machine does whose program has died."""
        raw = self.stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await anyio.aclose_forcefully(self.stream)


@final
class Ending:
    """How the requests of an app have ended; `ended` is set when the first one has."""

    def __init__(self, app: App) -> None:
        self.outcomes: Final[list[str]] = []
        self.ended: Final = anyio.Event()
        app.before("*", self._watch)

    def _watch(self, req: Request, res: Response, ctx: Context) -> None:
        async def note(app: App) -> None:
            assert res.outcome is not None
            self.outcomes.append(res.outcome.kind)
            self.ended.set()

        res.defer(note)


@final
class Served:
    """What `serving` serves: connect to it as often as you like."""

    def __init__(self, adapter: SocketAdapter, port: int) -> None:
        self.adapter: Final = adapter
        self.port: Final = port

    @asynccontextmanager
    async def connect(self, receive_buffer: int | None = None) -> AsyncGenerator[Client]:
        """A client, whose machine keeps so many bytes, or more, that it has not taken yet."""
        if receive_buffer is None:
            async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
                yield Client(stream)
            return
        connected = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connected.connect(("127.0.0.1", self.port))  # it does not wait: the server listens
        async with await SocketStream.from_socket(connected) as stream:
            yield Client(stream)

    async def ask(self, data: bytes, methods: Sequence[str] = ("GET",)) -> list[WireAnswer]:
        """Send this on a connection of its own; what comes until the server closes it."""
        async with self.connect() as client:
            await client.send(data)
            return await client.answers(methods)


@asynccontextmanager
async def serving(kind: Kind, app: App, adapter: SocketAdapter | None = None) -> AsyncGenerator[Served]:
    """Serve the app on a free port, until the block is left."""
    adapter = SocketAdapter(app) if adapter is None else adapter
    async with anyio.create_task_group() as group:
        if kind.streams:
            [place] = await group.start(_serve_streams, adapter)
        else:
            [place] = await group.start(partial(adapter.serve, port=0, signals=False))
        yield Served(adapter, int(place.rpartition(":")[2]))
        group.cancel_scope.cancel()


async def _serve_streams(adapter: SocketAdapter, *, task_status: TaskStatus[list[str]]) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with adapter.running() as serve_connection, listener:
        task_status.started([f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"])
        await listener.serve(serve_connection)


logging.getLogger("heaven_socket").setLevel(logging.DEBUG)  # what is logged at all is made in tests, too
