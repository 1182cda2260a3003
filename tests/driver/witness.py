"""An app with each kind of body, that writes down what becomes of it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, final

import anyio
from anyio.lowlevel import checkpoint

from heaven_core import App, Context, Outcome, Request, Response

__all__ = ["Witness", "pause"]


async def pause() -> None:
    """Wait until what was yielded has gone, since what comes without a pause may go out together.

    trio gives the tasks of one turn theirs in any order, and joining takes two.
    """
    for _ in range(3):
        await checkpoint()


@final
class Witness:
    """`notes` in order; `outcomes` and `errors` as they came. `go` lets the streams that wait for it go on."""

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory
        self.notes: Final[list[str]] = []
        self.outcomes: Final[list[Outcome]] = []
        self.errors: Final[list[BaseException]] = []
        self.go = anyio.Event()
        self.go_threads: Final = threading.Event()
        self.waiting = anyio.Event()
        self.waiting_thread: Final = threading.Event()
        self.app: Final = App(on_error=lambda error, where: self.errors.append(error))
        self.app.before("*", self.watch)
        for name, handler in (
            ("text", self.text),
            ("stream", self.stream),
            ("sync-stream", self.sync_stream),
            ("events", self.events),
            ("file", self.file),
            ("large-file", self.large_file),
            ("waiting", self.wait_in_a_stream),
            ("waiting-sync", self.wait_in_a_sync_stream),
            ("waiting-handler", self.wait_in_the_handler),
        ):
            self.app.GET(f"/{name}", handler)
        self.app.POST("/upload", self.upload)

    @property
    def outcome(self) -> str:
        [outcome] = self.outcomes
        return outcome.kind

    @property
    def open_files(self) -> list[str]:
        """Those of our directory that this process has open."""
        links: list[str] = []
        for link in Path("/proc/self/fd").iterdir():
            try:
                links.append(str(link.readlink()))
            except OSError:
                continue  # the one that listed them
        return [link for link in links if link.startswith(str(self.directory))]

    def watch(self, req: Request, res: Response, ctx: Context) -> None:
        def ended(app: App) -> None:
            assert res.outcome is not None
            self.outcomes.append(res.outcome)

        res.defer(ended)

    def _defer(self, res: Response) -> None:
        res.defer(lambda app: self.notes.append("always"))
        res.defer(lambda app: self.notes.append("complete"), "complete")
        res.defer(lambda app: self.notes.append("failed"), "failed")

    def text(self, req: Request, res: Response, ctx: Context) -> None:
        res.body = "text"
        self._defer(res)

    async def _items(self) -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await pause()
            yield b"two"
            await pause()
        finally:
            self.notes.append("closed")

    def stream(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream(self._items())
        self._defer(res)

    def sync_stream(self, req: Request, res: Response, ctx: Context) -> None:
        def items() -> Iterator[bytes]:
            try:
                yield b"one"
                yield b"two"
            finally:
                self.notes.append("closed")

        res.stream(items())
        self._defer(res)

    def events(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream(self._items(), sse=True)
        self._defer(res)

    def file(self, req: Request, res: Response, ctx: Context) -> None:
        res.file("small.txt", within=self.directory)
        self._defer(res)

    def large_file(self, req: Request, res: Response, ctx: Context) -> None:
        res.file("large.bin", within=self.directory)
        self._defer(res)

    async def wait_in_a_stream(self, req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            try:
                yield b"one"
                self.waiting.set()
                await self.go.wait()
                yield b"two"
            finally:
                self.notes.append("closed")

        res.stream(items())
        self._defer(res)

    def wait_in_a_sync_stream(self, req: Request, res: Response, ctx: Context) -> None:
        def items() -> Iterator[bytes]:
            try:
                yield b"one"
                self.waiting_thread.set()
                self.go_threads.wait(10)
                yield b"two"
            finally:
                self.notes.append("closed")

        res.stream(items())
        self._defer(res)

    async def wait_in_the_handler(self, req: Request, res: Response, ctx: Context) -> None:
        stream = self._items()
        await anext(stream)
        res.stream(stream)
        self._defer(res)
        self.waiting.set()
        await self.go.wait()

    async def upload(self, req: Request, res: Response, ctx: Context) -> None:
        self.notes.append("handler")
        res.body = str(len(req.body))
