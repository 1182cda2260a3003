"""`ASGIAdapter(app, reraise=True)`: what stands around the adapter sees what the app has failed at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, NotFound, Request, Response
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.handlers.kit import loose

pytestmark = pytest.mark.anyio

Act = Callable[[Request, Response, Context], None]


def call_of(act: Act, *, reraise: bool = True) -> tuple[Call, list[str]]:
    deferred: list[str] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(lambda app: deferred.append("always"))
        res.defer(lambda app: deferred.append("failed"), "failed")
        act(req, res, ctx)

    app = App()
    app.GET("/", handler)
    return Call(ASGIAdapter(app, reraise=reraise), scope_of()), deferred


def breaks_off(req: Request, res: Response, ctx: Context) -> None:
    async def items() -> AsyncIterator[str]:
        yield "one"
        raise LookupError("in the stream")

    res.stream(items())


def fails(req: Request, res: Response, ctx: Context) -> None:
    raise LookupError("in the handler")


def fails_where_it_is_sent(req: Request, res: Response, ctx: Context) -> None:
    res.headers = "Content-Length", 7
    res.body = "hello"


def nothing(req: Request, res: Response, ctx: Context) -> None:
    """Answers with nothing."""


async def test_a_stream_that_breaks_off_is_raised_when_all_is_done() -> None:
    call, deferred = call_of(breaks_off)
    with anyio.fail_after(PATIENCE), pytest.raises((LookupError, ExceptionGroup)) as raised:
        await call.run()
    assert "in the stream" in repr(raised.value)
    assert (call.answer.body, call.answer.whole) == (b"one", False)
    assert deferred == ["always", "failed"]


@pytest.mark.parametrize("act", [fails, fails_where_it_is_sent])
async def test_a_failure_is_raised_when_its_500_has_gone_out(act: Act) -> None:
    call, deferred = call_of(act)
    with anyio.fail_after(PATIENCE), pytest.raises((LookupError, ValueError, ExceptionGroup)):
        await call.run()
    assert (call.answer.status, call.answer.whole) == (500, True)
    assert deferred == ["failed"]


async def test_what_is_no_failure_is_not_raised() -> None:
    def refuses(req: Request, res: Response, ctx: Context) -> None:
        raise NotFound("nobody")

    for act in (refuses, nothing):
        call, _ = call_of(act)
        await call.run()
        assert call.answer.whole


@pytest.mark.parametrize("act", [fails, breaks_off])
async def test_it_is_off_unless_asked_for(act: Act) -> None:
    call, _ = call_of(act, reraise=False)
    await call.run()
    assert call.sent


def test_it_is_a_flag() -> None:
    with pytest.raises(TypeError, match="reraise= must be True or False"):
        loose(ASGIAdapter)(App(), reraise=1)
