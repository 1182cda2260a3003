"""The lifespan of an app, round a test."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Final, TypeGuard, TypeVar, final

from heaven_core.app.app import App

__all__ = ["Lifespan", "run_without_loop"]

R = TypeVar("R")


def run_without_loop(coroutine: Coroutine[object, None, R], advice: str) -> R:
    """What `coroutine` returns. Raises `RuntimeError`, with `advice`, where it would have to wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: R = stop.value
        return result
    coroutine.close()
    raise RuntimeError(f"this app awaits something that needs an event loop: {advice}")


@final
class Lifespan:
    """Enters and leaves what `App(lifespan=)` gives, if it is given. Left, it can be entered again."""

    __slots__ = ("_app", "_entered", "_is_entered")

    def __init__(self, app: App) -> None:
        self._app: Final = app
        self._entered: object = None
        self._is_entered = False

    async def enter(self) -> None:
        """Enter it. Raises what it raises, `TypeError` for what is no context manager, `RuntimeError` a second time."""
        if self._is_entered:
            raise RuntimeError("the client has entered the lifespan of its app already")
        manager = None if self._app.lifespan is None else self._app.lifespan(self._app)
        if _is_async(manager):
            await manager.__aenter__()
        elif _is_sync(manager):
            manager.__enter__()
        elif self._app.lifespan is not None:
            raise TypeError(f"App(lifespan=) gave {type(manager).__name__}, which is no context manager")
        self._entered = manager
        self._is_entered = True

    async def leave(self, error: BaseException | None) -> None:
        """Leave it, with the error that has ended the test. Raises what it raises; `error` it can't keep to itself."""
        manager, self._entered = self._entered, None
        self._is_entered = False
        kind = None if error is None else type(error)
        trace = None if error is None else error.__traceback__
        if _is_async(manager):
            await manager.__aexit__(kind, error, trace)
        elif _is_sync(manager):
            manager.__exit__(kind, error, trace)


def _is_async(value: object) -> TypeGuard[AbstractAsyncContextManager[object]]:
    return isinstance(value, AbstractAsyncContextManager)


def _is_sync(value: object) -> TypeGuard[AbstractContextManager[object]]:
    return isinstance(value, AbstractContextManager)
