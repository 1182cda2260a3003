"""The lifespan of an app under an ASGI server: entered and left in one task, with the deferred work inside it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from heaven_asgi.types import Receive, Send
from heaven_core.app import App
from heaven_io.deferred import TaskGroupRunner

__all__ = ["run_lifespan"]


async def run_lifespan(
    app: App, receive: Receive, send: Send, use: Callable[[TaskGroupRunner | None], None], deadline: float
) -> None:
    """Serve a lifespan scope.

    `use` is told where deferred work goes while it lasts; at the end it is awaited for `deadline` seconds at most.

    A failing startup is reported to the server, which then does not serve; so is a failing shutdown.
    """
    await receive()
    started = False
    try:
        app.check()
        async with _entered(app), anyio.create_task_group() as group:
            runner = TaskGroupRunner(group)
            use(runner)
            try:
                started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await runner.drain(deadline)
            finally:
                use(None)
    except Exception as error:
        app.report(error, "lifespan")
        stage = "shutdown" if started else "startup"
        await send({"type": f"lifespan.{stage}.failed", "message": f"{type(error).__name__}: {error}"})
    else:
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _entered(app: App) -> AsyncGenerator[None]:
    if app.lifespan is None:
        yield
        return
    manager = app.lifespan(app)
    if isinstance(manager, AbstractAsyncContextManager):
        async with manager:
            yield
        return
    # A sync one may block: the startup is nobody's turn but its own.
    with manager:
        yield
