"""SPEC 4: `close()` or `aclose()` of an iterable that is not its own iterator is called, too (PEP 3333 asks for it)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from io import BytesIO

import anyio
import anyio.lowlevel
import pytest

from heaven_core import App, Context, Request, Response
from heaven_core._typing import override
from heaven_core.testing import Client
from heaven_driver.blocking import serve, system_runtime
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call

pytestmark = pytest.mark.anyio


class Rows:
    """A query, say, that has to be closed when its rows have been read."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def __iter__(self) -> Iterator[str]:
        try:
            yield "row"
        finally:
            self.notes.append("iterator")

    def close(self) -> None:
        self.notes.append("iterable")


class AsyncRows:
    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    async def __aiter__(self) -> AsyncIterator[str]:
        try:
            yield "row"
        finally:
            self.notes.append("iterator")

    async def aclose(self) -> None:
        self.notes.append("iterable")


class Failing(Rows):
    @override
    def close(self) -> None:
        super().close()
        raise LookupError("closing")


def app_of(rows: Rows | AsyncRows) -> App:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(rows)

    app = App()
    app.GET("/", handler)
    return app


@pytest.mark.parametrize("kind", [Rows, AsyncRows])
@pytest.mark.parametrize(("method", "closed"), [("GET", ["iterator", "iterable"]), ("HEAD", ["iterable"])])
async def test_in_an_event_loop(kind: type[Rows | AsyncRows], method: str, closed: list[str]) -> None:
    notes: list[str] = []
    with anyio.fail_after(PATIENCE):
        await Call(Engine(app_of(kind(notes))), method=method).run()
    assert notes == closed


@pytest.mark.parametrize(("method", "closed"), [("GET", ["iterator", "iterable"]), ("HEAD", ["iterable"])])
def test_where_it_may_block(method: str, closed: list[str]) -> None:
    notes: list[str] = []
    assert list(serve(app_of(Rows(notes)), Request(method, "/"), system_runtime()))
    assert notes == closed


@pytest.mark.parametrize("kind", [Rows, AsyncRows])
@pytest.mark.parametrize(("method", "closed"), [("GET", ["iterator", "iterable"]), ("HEAD", ["iterable"])])
async def test_in_the_test_client(kind: type[Rows | AsyncRows], method: str, closed: list[str]) -> None:
    notes: list[str] = []
    await Client(app_of(kind(notes))).arequest(method, "/")
    assert notes == closed


async def test_what_closing_raises_is_reported() -> None:
    errors: list[str] = []
    app = app_of(Failing([]))
    app.on_error = lambda error, where: errors.append(f"{error} {where}")
    with anyio.fail_after(PATIENCE):
        await Call(Engine(app)).run()
    assert errors == ["closing closing of GET '/'"]


class SlowlyClosed(BytesIO):
    """Says when its closing has begun, and ends it when it may."""

    def __init__(self) -> None:
        super().__init__(b"hello")
        self.closings = 0
        self.began = threading.Event()
        self.may_end = threading.Event()

    @override
    def close(self) -> None:
        self.closings += 1
        self.began.set()
        self.may_end.wait(PATIENCE)
        super().close()


async def test_an_open_file_is_closed_once_where_the_request_is_cancelled_meanwhile() -> None:
    file = SlowlyClosed()

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.file(file)

    app = App()
    app.GET("/", handler)
    call = Call(Engine(app))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            while not file.began.is_set():
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
            for _ in range(10):
                await anyio.lowlevel.cancel_shielded_checkpoint()
            file.may_end.set()
        while not file.closed:
            await anyio.sleep(0.001)
    assert file.closings == 1
