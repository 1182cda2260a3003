"""SPEC 3: each kind of work has threads of its own, so that one which is slow holds no other up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Final, final

import anyio
import anyio.to_thread
import pytest

from heaven_core import App, Context, Request, Response
from heaven_core._typing import override
from heaven_driver.engine import Engine, on_asyncio
from heaven_io.worker_threads import MAX_THREADS
from tests.driver.memory import PATIENCE, Call

pytestmark = pytest.mark.anyio

# More than anybody's threads are at a time, but for those that streams have for themselves.
MANY: Final = 60


@final
class Slow:
    """Everything that can hold a thread up, until `go`. `held` counts what does so."""

    def __init__(self, directory: Path, **limits: int) -> None:
        self.go: Final = threading.Event()
        self.held = 0
        self.app: Final = App()
        self.engine: Final = Engine(
            self.app,
            max_handler_threads=limits.get("handlers", MAX_THREADS),
            max_stream_threads=limits.get("steps", MAX_THREADS),
            max_deferred_threads=limits.get("deferred", MAX_THREADS),
            closing_limit=0.1,
        )
        (directory / "file.txt").write_bytes(b"0123456789")
        self.app.GET("/slow/own", lambda req, res, ctx: res.stream(self._items(), thread="own"))
        self.app.GET("/slow/steps", lambda req, res, ctx: res.stream(self._items()))
        self.app.GET("/slow/files", lambda req, res, ctx: res.file(SlowFile(self), name="slow.txt"))
        self.app.GET("/slow/handlers", self._wait, thread=True)
        self.app.GET("/slow/deferred", lambda req, res, ctx: res.defer(lambda app: self.hold()))
        self.app.GET("/handlers", lambda req, res, ctx: setattr(res, "body", "answered"), thread=True)
        self.app.GET("/steps", lambda req, res, ctx: res.stream(iter(["ans", "wered"])))
        self.app.GET("/own", lambda req, res, ctx: res.stream(iter(["ans", "wered"]), thread="own"))
        self.app.GET("/files", lambda req, res, ctx: res.file("file.txt", within=directory))
        self.app.GET("/held-files", lambda req, res, ctx: res.file(Wrapped(b"0123456789"), name="held.txt"))
        self.app.files("/listing/*", directory, listing=True)

    def hold(self) -> None:
        self.held += 1
        self.go.wait(2 * PATIENCE)

    def _items(self) -> Iterator[str]:
        self.hold()
        yield "slow"

    def _wait(self, req: Request, res: Response, ctx: Context) -> None:
        self.hold()

    @asynccontextmanager
    async def calls(self, kind: str, count: int = MANY) -> AsyncGenerator[None]:
        """So many requests that hold threads of this kind up, as many as there are."""
        async with anyio.create_task_group() as group:
            try:
                for _ in range(count):
                    group.start_soon(Call(self.engine, f"/slow/{kind}").run)
                await self.until_held(count if kind == "own" else 1)
                yield
            finally:
                self.go.set()

    async def until_held(self, count: int) -> None:
        """Until so many are, and as many more as there are threads for."""
        with anyio.fail_after(PATIENCE):
            while self.held < count:
                await anyio.sleep(0.001)
            held = -1
            while held < self.held:
                held = self.held
                await anyio.sleep(0.05)

    async def answer(self, path: str) -> str:
        call = Call(self.engine, path)
        with anyio.fail_after(PATIENCE):
            await call.run()
        assert call.answer.status == 200
        return call.answer.body.decode()


class Wrapped(BytesIO):
    """Read in threads, since it may do anything."""


class SlowFile(BytesIO):
    def __init__(self, slow: Slow) -> None:
        super().__init__(b"slow")
        self._slow = slow

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        self._slow.hold()
        return super().read(size)


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path)


@asynccontextmanager
async def jobs_of_the_app(slow: Slow) -> AsyncGenerator[None]:
    """In all the threads that the event loop has for everybody."""
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(anyio.create_task_group())
        for _ in range(MANY):
            group.start_soon(anyio.to_thread.run_sync, slow.hold)
            if on_asyncio():
                group.start_soon(asyncio.to_thread, slow.hold)
        await slow.until_held(1)
        try:
            yield
        finally:
            slow.go.set()


ANSWERS: Final = {"handlers": "answered", "steps": "answered", "own": "answered", "files": "0123456789"}
OTHERS: Final = [
    (kind, other)
    for kind in ("own", "steps", "files", "handlers", "deferred")
    for other in ("handlers", "steps", "own", "files")
    if kind != other or kind == "own"
]


@pytest.mark.parametrize(("kind", "other"), OTHERS, ids=[f"slow-{kind}-{other}" for kind, other in OTHERS])
async def test_one_kind_does_not_wait_for_another(kind: str, other: str, slow: Slow) -> None:
    """Streams with threads of their own don't even wait for each other."""
    async with slow.calls(kind):
        assert await slow.answer(f"/{other}") == ANSWERS[other]


@pytest.mark.parametrize("other", [*ANSWERS, "held-files"])
async def test_jobs_of_the_app_hold_nothing_of_ours_up(other: str, slow: Slow) -> None:
    async with jobs_of_the_app(slow):
        assert await slow.answer(f"/{other}") == ANSWERS.get(other, "0123456789")


async def test_a_listing_is_file_work(slow: Slow) -> None:
    async with jobs_of_the_app(slow):
        assert "file.txt" in await slow.answer("/listing/")


async def test_deferred_work_has_threads_of_its_own_without_a_lifespan_too(slow: Slow) -> None:
    done: list[str] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(lambda app: done.append("done"))

    slow.app.GET("/defers", handler)
    async with jobs_of_the_app(slow):
        await slow.answer("/defers")
    assert done == ["done"]


@pytest.mark.parametrize("kind", ["own", "steps", "files", "handlers"])
async def test_what_waits_for_a_thread_gets_one(kind: str, slow: Slow) -> None:
    """When those before it are done."""
    calls: Final = [Call(slow.engine, f"/slow/{kind}") for _ in range(MANY)]
    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(call.run)
        await slow.until_held(1)
        slow.go.set()
    assert [call.answer.status for call in calls] == [200] * MANY


@pytest.mark.parametrize("kind", ["handlers", "steps", "deferred"])
async def test_there_are_as_many_threads_of_a_kind_as_it_was_given(kind: str, tmp_path: Path) -> None:
    slow = Slow(tmp_path, **{kind: 2})
    async with slow.calls(kind):
        assert slow.held == 2
    assert slow.held == MANY


@pytest.mark.parametrize("kind", ["handlers", "steps"])
async def test_work_that_was_given_up_no_longer_counts(kind: str, tmp_path: Path) -> None:
    """Its request was cancelled: a thread can't be."""
    slow = Slow(tmp_path, **{kind: 1})
    async with anyio.create_task_group() as group:
        group.start_soon(Call(slow.engine, f"/slow/{kind}").run)
        await slow.until_held(1)
        group.cancel_scope.cancel()
    assert await slow.answer(f"/{kind}") == ANSWERS[kind]
    slow.go.set()
