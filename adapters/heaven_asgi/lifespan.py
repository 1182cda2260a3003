"""The lifespan of an app under an ASGI server: entered and left in one task, with the deferred work inside it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeGuard

import anyio
from anyio.abc import TaskGroup

from heaven_asgi.open_streams import OpenStreams, soon
from heaven_asgi.signals import heard_first
from heaven_asgi.types import Receive, Send
from heaven_core.app.app import App
from heaven_io.cancelling import is_own_cancellation
from heaven_io.deferred import Report, TaskGroupRunner

__all__ = ["run_lifespan"]


async def run_lifespan(
    app: App,
    receive: Receive,
    send: Send,
    make: Callable[[TaskGroup], TaskGroupRunner],
    use: Callable[[TaskGroupRunner | None], None],
    deadline: float,
    streams: OpenStreams,
    signals: bool,
    report: Report,
) -> None:
    """Serve a lifespan scope.

    `use` is told where deferred work goes while it lasts, which `make` makes; at the end it is awaited for `deadline`
    seconds at most. Before that `streams` are ended; they are told to by `signals`, else when the server says so,
    which for most is when they have ended.

    A failing startup is reported to the server, which then does not serve; so is a failing shutdown.
    """
    await receive()
    started = False
    try:
        app.check()
        async with _entered(app), anyio.create_task_group() as group:
            runner = make(group)
            use(runner)
            group.start_soon(streams.wait_until_told)
            try:
                with heard_first(soon(streams.tell)) if signals else nullcontext():
                    started = True
                    await send({"type": "lifespan.startup.complete"})
                    await receive()
                    await streams.finish()
                    await runner.drain(deadline)
                streams.stop()
            finally:
                use(None)
    except BaseException as raised:
        error = _unwrapped(raised)
        if is_own_cancellation(error):
            raise
        report(error, "lifespan")
        stage = "shutdown" if started else "startup"
        # Said also for what is no Exception: uvicorn takes a lifespan that only raises for one that is not supported,
        # and serves.
        await send({"type": f"lifespan.{stage}.failed", "message": f"{type(error).__name__}: {error}"})
        if not isinstance(error, Exception) and not isinstance(error, anyio.get_cancelled_exc_class()):
            raise
    else:
        await send({"type": "lifespan.shutdown.complete"})


def _unwrapped(error: BaseException) -> BaseException:
    """The one error of a task group, since that is what went wrong."""
    while _is_group(error) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


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
