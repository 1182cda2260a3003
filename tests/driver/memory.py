"""A wire that is no more than a list: one request served by an engine, with a client that the test controls."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import anyio
import anyio.lowlevel

from heaven_core import Request
from heaven_core.http.headers import Field
from heaven_driver.engine import Engine
from heaven_driver.wire import SentPart, Wakeable
from heaven_io.files import ReadableFile
from tests.table.kit import Answer

__all__ = ["PATIENCE", "Call", "Living", "Sent"]

# Seconds until something that takes milliseconds counts as hung.
PATIENCE: Final = 10.0


@final
@dataclass(frozen=True, slots=True)
class Sent:
    """One call of the wire: a head, or chunks of a body, `ended` where the body is whole after them."""

    status: int = 0
    fields: list[Field] = field(default_factory=list[Field])
    chunks: tuple[bytes, ...] = ()
    ended: bool = False

    @property
    def is_head(self) -> bool:
        return self.status != 0

    @property
    def data(self) -> bytes:
        """The bytes of all chunks."""
        return b"".join(self.chunks)


@final
class Call:
    """A request, the `Wire` of its response and the `Peer` that sent it.

    `sent` is what came. `at_send`, if set, is awaited with the number and the content of each before it counts as sent,
    and `at_watch` when the watch begins: there a test raises, waits or leaves. With `takes_files` it sends files by
    their descriptors, `file_turn` bytes at a time, if that is set, and the client goes when `leaves_after` bytes of one
    have gone. With `hears_by_itself` it needs no watch beside it; `confirmed` is what it says of a small response;
    `streaming` is what the watch was told.
    """

    def __init__(
        self, engine: Engine, path: str = "/", method: str = "GET", headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        self.engine: Final = engine
        fields = [(name.lower().encode(), value.encode()) for name, value in headers]
        self.request: Final = Request[object](method, path, fields=fields)
        self._leaving: Final = anyio.Event()
        self._changed = anyio.Event()
        self.gone = False
        self.broken_off = False
        self.takes_files = False
        self.file_turn: int | None = None
        self.leaves_after: int | None = None
        self.confirmed: bool | None = None
        self.asked_to_confirm = 0
        self.hears_by_itself = False
        self.streaming: bool | None = None
        self._waiting: Wakeable | None = None
        self.sent: Final[list[Sent]] = []
        self.at_send: Callable[[int, Sent], Awaitable[None]] | None = None
        self.at_watch: Callable[[], Awaitable[None]] | None = None

    async def run(self) -> None:
        await self.engine.serve(self.request, self, self)

    async def send_whole(self, status: int, fields: list[Field], body: bytes, close: bool) -> None:
        await self._take(Sent(status, fields))
        await self._take(Sent(chunks=(body,), ended=True))

    def send_head(
        self, status: int, fields: list[Field], length: int | None, close: bool, more: bool
    ) -> Awaitable[None]:
        return self._take(Sent(status, fields))

    def send_body(self, chunks: Sequence[bytes], ended: bool) -> Awaitable[None]:
        return self._take(Sent(chunks=tuple(chunks), ended=ended))

    def send_file(self, file: ReadableFile, offset: int, count: int, whole: bool) -> Awaitable[int] | None:
        return self._take_file(file.fd, offset, count) if self.takes_files and file.fd is not None else None

    def reset(self) -> None:
        self.broken_off = True

    def confirm(self) -> Awaitable[bool] | None:
        self.asked_to_confirm += 1
        return None if self.confirmed is None else self._confirm(self.confirmed)

    async def _confirm(self, confirmed: bool) -> bool:
        await anyio.lowlevel.checkpoint()
        return confirmed

    def watch(self, waiting: Wakeable, streaming: bool) -> Coroutine[object, object, None] | None:
        self.streaming = streaming
        if self.hears_by_itself:
            self._waiting = waiting
            return None
        return self._watch(waiting)

    async def _watch(self, waiting: Wakeable) -> None:
        try:
            if self.at_watch is not None:
                await self.at_watch()
            await self._leaving.wait()
        except Exception:  # a wire that can't be watched has lost its client
            pass
        self.gone = True
        waiting.wake()

    async def _take(self, sent: Sent) -> None:
        if self.at_send is not None:
            await self.at_send(len(self.sent), sent)
        self.sent.append(sent)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _take_file(self, fd: int, offset: int, count: int) -> int:
        wanted = min(size for size in (count, self.file_turn, self.leaves_after) if size is not None)
        data = os.pread(fd, wanted, offset)
        await self._take(Sent(chunks=(data,)))
        if self.leaves_after is not None:
            self.gone = True
            raise SentPart(len(data))
        return len(data)

    def leave(self) -> None:
        """The client goes."""
        self._leaving.set()
        if self._waiting is not None:
            self.gone = True
            self._waiting.wake()

    async def until_sent(self, count: int) -> None:
        """Until so many calls of the wire have been taken."""
        with anyio.fail_after(PATIENCE):
            while len(self.sent) < count:
                await self._changed.wait()

    @property
    def answer(self) -> Answer:
        """What a client would have got of it."""
        status, fields, body, whole = 0, list[Field](), b"", False
        for sent in self.sent:
            assert not whole, f"after the end: {sent}"
            if sent.is_head:
                assert status == 0
                status, fields = sent.status, sent.fields
            else:
                assert status != 0
                body += sent.data
                whole = sent.ended
        return Answer(status, fields, body, whole)


@final
class Living:
    """The life of an engine, in a task of the test's. `shut_down` lets it end."""

    def __init__(self, engine: Engine) -> None:
        self.engine: Final = engine
        self.started: Final = anyio.Event()
        self._ending: Final = anyio.Event()

    async def run(self) -> None:
        await self.engine.live(self._serve)

    async def _serve(self) -> None:
        self.started.set()
        await self._ending.wait()

    def shut_down(self) -> None:
        self._ending.set()
