"""The lifespan protocol, message by message, and where deferred work runs while it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TypedDict

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, Request, Response
from tests.asgi.life import STARTUP, Life
from tests.asgi.memory import PATIENCE, Call, scope_of

pytestmark = pytest.mark.anyio


class Thing(TypedDict):
    name: str


def life_of(kind: str, notes: list[str]) -> App:
    """An app whose lifespan is of this kind."""

    @asynccontextmanager
    async def asynchronous(app: App) -> AsyncGenerator[None]:
        if kind == "async, fails to start":
            raise ConnectionError("the database is away")
        notes.append("entered")
        yield
        notes.append("left")
        if kind == "async, fails to end":
            raise ConnectionError("the database is gone")

    @contextmanager
    def synchronous(app: App) -> Generator[None]:
        if kind == "sync, fails to start":
            raise ConnectionError("the database is away")
        notes.append("entered")
        yield
        notes.append("left")
        if kind == "sync, fails to end":
            raise ConnectionError("the database is gone")

    if kind == "none":
        return App()
    return App(lifespan=asynchronous if kind.startswith("async") else synchronous)


@pytest.mark.parametrize("kind", ["none", "async", "sync"])
async def test_from_startup_to_shutdown(kind: str) -> None:
    notes: list[str] = []
    life = Life(life_of(kind, notes))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            assert life.types == ["lifespan.startup.complete"]
            assert notes == ([] if kind == "none" else ["entered"])
            life.shut_down()
    assert life.types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert notes == ([] if kind == "none" else ["entered", "left"])


@pytest.mark.parametrize("kind", ["async, fails to start", "sync, fails to start"])
async def test_a_startup_that_fails_is_reported(kind: str) -> None:
    """To the server, which then does not serve, and to `on_error`."""
    notes: list[str] = []
    app = life_of(kind, notes)
    errors: list[BaseException] = []

    def on_error(error: BaseException, where: str) -> None:
        errors.append(error)

    app.on_error = on_error
    life = Life(app)
    with anyio.fail_after(PATIENCE):
        await life.run()
    assert life.types == ["lifespan.startup.failed"]
    assert "the database is away" in life.sent[0]["message"]
    assert [type(error) for error in errors] == [ConnectionError]
    assert life.received == [STARTUP]


@pytest.mark.parametrize("kind", ["async, fails to end", "sync, fails to end"])
async def test_a_shutdown_that_fails_is_reported(kind: str) -> None:
    notes: list[str] = []
    life = Life(life_of(kind, notes))
    life.shut_down()
    with anyio.fail_after(PATIENCE):
        await life.run()
    assert life.types == ["lifespan.startup.complete", "lifespan.shutdown.failed"]
    assert "the database is gone" in life.sent[1]["message"]


async def test_a_schema_without_a_route_fails_the_startup() -> None:
    """A typo in its pattern would let every field leave."""
    app = App()
    app.schema.GET("/things", returns=Thing)
    life = Life(app)
    with anyio.fail_after(PATIENCE):
        await life.run()
    assert life.types == ["lifespan.startup.failed"]
    assert "/things" in life.sent[0]["message"]


# Deferred work


class Deferring:
    """An app that defers what waits until it may go on."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.waiting = anyio.Event()
        self.go = anyio.Event()
        self.app = App()
        self.app.GET("/text", self.text)
        self.app.GET("/stream", self.stream)

    async def work(self, app: App) -> None:
        self.waiting.set()
        await self.go.wait()
        self.notes.append("done")

    def text(self, req: Request, res: Response, ctx: Context) -> None:
        res.body = "text"
        res.defer(self.work)

    def stream(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream([b"text"])
        res.defer(self.work)


@pytest.mark.parametrize("path", ["/text", "/stream"])
async def test_deferred_work_runs_in_a_task_of_the_lifespan(path: str) -> None:
    """The request is over before it has ended; the shutdown waits for it."""
    deferring = Deferring()
    life = Life(deferring.app)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            call = Call(life.adapter, scope_of(path=path))
            await call.run()
            assert call.answer.body == b"text"
            await deferring.waiting.wait()
            assert deferring.notes == []
            life.shut_down()
            await anyio.wait_all_tasks_blocked()
            assert not life.ended.is_set()
            deferring.go.set()
    assert deferring.notes == ["done"]
    assert life.types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("path", ["/text", "/stream"])
async def test_without_a_lifespan_in_that_of_the_request(path: str) -> None:
    deferring = Deferring()
    call = Call(ASGIAdapter(deferring.app), scope_of(path=path))
    finished = anyio.Event()

    async def run() -> None:
        await call.run()
        finished.set()

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await deferring.waiting.wait()
            assert call.answer.whole
            assert not finished.is_set()
            deferring.go.set()
    assert deferring.notes == ["done"]


async def test_after_the_shutdown_again_in_that_of_the_request() -> None:
    """A connection may outlive the lifespan: what it defers is not lost."""
    deferring = Deferring()
    deferring.go.set()
    life = Life(deferring.app)
    life.shut_down()
    with anyio.fail_after(PATIENCE):
        await life.run()
        await Call(life.adapter, scope_of(path="/text")).run()
    assert deferring.notes == ["done"]


async def test_deferred_work_pending_at_the_deadline_is_cancelled_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    deferring = Deferring()
    life = Life(deferring.app, deferred_deadline=0.01)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            await Call(life.adapter, scope_of(path="/text")).run()
            await deferring.waiting.wait()
            life.shut_down()
    assert deferring.notes == []
    [record] = caplog.records
    assert record.getMessage() == (
        "deferred call Deferring.work is lost: it had not ended 0.01 s after the shutdown began"
    )


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_server_that_cancels_the_lifespan(caplog: pytest.LogCaptureFixture) -> None:
    """It comes out, the app's own end runs, and what was pending is logged."""
    notes: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            notes.append("left")

    deferring = Deferring()
    app = App(lifespan=lifespan)
    app.GET("/text", deferring.text)
    life = Life(app)
    task = asyncio.ensure_future(life.run())
    await life.started.wait()
    await Call(life.adapter, scope_of(path="/text")).run()
    await deferring.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notes == ["left"]
    assert deferring.notes == []
    assert [record.getMessage() for record in caplog.records] == [
        "deferred call Deferring.work is lost: its task was cancelled"
    ]
