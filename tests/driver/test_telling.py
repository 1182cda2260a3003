"""An async `on_error` runs for so many errors at a time; of the rest the log alone is told."""

from __future__ import annotations

import logging

import anyio
import pytest

from heaven_core import App, Context, Request, Response
from heaven_driver.engine import Engine
from heaven_io.telling import MOST_AT_A_TIME
from tests.driver.memory import PATIENCE, Call

pytestmark = pytest.mark.anyio


async def test_errors_that_come_faster_than_they_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    go = anyio.Event()
    began: list[str] = []
    ended: list[str] = []

    async def on_error(error: BaseException, where: str) -> None:
        began.append(where)
        await go.wait()
        ended.append(where)

    def fails(req: Request, res: Response, ctx: Context) -> None:
        raise LookupError("broken")

    app = App(on_error=on_error)
    app.GET("/", fails)
    engine = Engine(app)
    caplog.set_level(logging.CRITICAL, "heaven_core")
    with anyio.fail_after(PATIENCE):
        for _ in range(MOST_AT_A_TIME):
            await Call(engine).run()
        caplog.set_level(logging.WARNING, "heaven_core")
        for _ in range(3):
            await Call(engine).run()
        go.set()
        while len(ended) < MOST_AT_A_TIME:
            await anyio.sleep(0.001)
        await Call(engine).run()
        while len(ended) <= MOST_AT_A_TIME:
            await anyio.sleep(0.001)
    assert len(began) == MOST_AT_A_TIME + 1
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == [f"on_error is not told of an error: {MOST_AT_A_TIME} of its calls are still running"] * 3
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == (
        ["error in GET '/'"] * 4
    )
