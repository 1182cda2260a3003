"""A lifespan that fails in odd ways, and one that not all event loops have."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App, Context, Request, Response
from tests.asgi.memory import Call, scope_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

OPENED: list[str] = []


@pytest.mark.parametrize("error", [SystemExit("no DATABASE_URL"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_a_startup_that_ends_in_no_exception_is_reported_as_failed(error: BaseException) -> None:
    """uvicorn takes a lifespan that only raises for one that is not supported, and serves."""
    heard: list[BaseException] = []
    sent: list[Message] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        if app.peek("database") is None:
            raise error
        yield

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = App(lifespan=lifespan, on_error=lambda error, where: heard.append(error))
    serving = ASGIAdapter(app)({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    if isinstance(error, asyncio.CancelledError):  # of something that the startup has awaited
        await serving
    else:
        with pytest.raises(type(error)):
            await serving
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert heard == [error]


async def test_an_error_inside_the_lifespan_is_named_and_not_its_group() -> None:
    heard: list[BaseException] = []
    calls: list[str] = []

    async def receive() -> Message:
        calls.append("receive")
        if calls.count("receive") == 2:
            raise LookupError("receive")
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        calls.append(message["type"])

    app = App(on_error=lambda error, where: heard.append(error))
    await ASGIAdapter(app)({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert [type(error) for error in heard] == [LookupError]


async def test_deferred_work_stays_on_the_event_loop_of_its_request() -> None:
    """One adapter may serve on several loops, and only one of them need have a lifespan."""
    started, ending = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    async def note(app: App) -> None:
        for _ in range(5):
            await asyncio.sleep(0)  # a task of its own would be lost with its loop by now
        ran.append(threading.get_ident())

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(note)

    async def receive() -> Message:
        if started.is_set():
            await ending.wait()
        return {"type": "lifespan"}

    async def send(message: Message) -> None:
        started.set()

    app = App()
    app.GET("/", handler)
    adapter = ASGIAdapter(app)
    life = asyncio.create_task(adapter({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
    await started.wait()

    def elsewhere() -> int:
        asyncio.run(Call(adapter, scope_of()).run())
        return threading.get_ident()

    other = await asyncio.to_thread(elsewhere)
    assert ran == [other]
    ending.set()
    await life
