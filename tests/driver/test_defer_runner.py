"""Whose deferred calls are run by whom: the app's own runner, the lifespan's, or the request itself."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from heaven_core import App, Context, DeferredCall, Request, Response
from heaven_core.testing import Client
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call

pytestmark = pytest.mark.anyio


class Queue:
    """A runner that only remembers."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def start(self, calls: Sequence[DeferredCall], app: object, /) -> None:
        self.names += [call.name for call in calls]


def work(app: App) -> None:
    raise AssertionError("not here")


def text(req: Request, res: Response, ctx: Context) -> None:
    res.body = "text"
    res.defer(work)


def stream(req: Request, res: Response, ctx: Context) -> None:
    res.stream([b"stream"])
    res.defer(work)


@pytest.mark.parametrize("path", ["/text", "/stream"])
async def test_an_app_may_bring_its_own(path: str) -> None:
    queue = Queue()
    app = App(defer_runner=queue)
    app.GET("/text", text)
    app.GET("/stream", stream)
    call = Call(Engine(app), path)
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.whole
    assert queue.names == ["work"]


def test_the_runner_of_an_app_is_asked_in_memory_too() -> None:
    queue = Queue()
    app = App(defer_runner=queue)
    app.GET("/text", text)
    assert Client(app).get("/text").body == b"text"
    assert queue.names == ["work"]


@pytest.mark.parametrize(("running", "waiting"), [(0, 1), (1, -1)])
def test_limits_that_let_nothing_run_are_refused(running: int, waiting: int) -> None:
    with pytest.raises(ValueError, match="max_deferred"):
        Engine(App(), max_deferred=running, max_deferred_waiting=waiting)
