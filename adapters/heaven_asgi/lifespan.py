"""The lifespan scope of an ASGI server: its messages, round the life of the engine."""

from __future__ import annotations

from typing import TypeGuard

import anyio

from heaven_asgi.types import Receive, Send
from heaven_driver.engine import Engine
from heaven_io.cancelling import is_own_cancellation

__all__ = ["run_lifespan"]


async def run_lifespan(engine: Engine, receive: Receive, send: Send, signals: bool) -> None:
    """Serve a lifespan scope. See `Engine.live` for `signals`.

    A failing startup is reported to the server, which then does not serve; so is a failing shutdown.
    """
    await receive()
    started = False

    async def serving() -> None:
        nonlocal started
        started = True
        await send({"type": "lifespan.startup.complete"})
        await receive()

    try:
        await engine.live(serving, signals=signals)
    except BaseException as raised:
        error = _unwrapped(raised)
        if is_own_cancellation(error):
            raise
        engine.report(error, "lifespan")
        stage = "shutdown" if started else "startup"
        # Said also for what is no Exception: uvicorn takes a lifespan that only raises for one that is not supported,
        # and serves.
        await send({"type": f"lifespan.{stage}.failed", "message": f"{type(error).__name__}: {error}"})
        if not isinstance(error, Exception) and not isinstance(error, anyio.get_cancelled_exc_class()):
            raise
    else:
        await send({"type": "lifespan.shutdown.complete"})


def _unwrapped(error: BaseException) -> BaseException:
    """The one error in the group of a task group, since that is what went wrong."""
    while _is_group(error) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)
