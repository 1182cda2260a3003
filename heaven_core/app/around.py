"""Hooks round all others: what they do before and after is one function, with a `yield` in between."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from inspect import iscoroutinefunction
from typing import TypeAlias, TypeGuard

from heaven_core.app.given import check_callable
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response
from heaven_core.runtime import Runtime

__all__ = ["AroundHook", "Manager", "check_around_hook", "enter", "leave"]

Manager: TypeAlias = AbstractAsyncContextManager[object] | AbstractContextManager[object]
AroundHook: TypeAlias = Callable[
    [Request[object], Response, Context], AsyncIterator[object] | Iterator[object] | Manager
]
"""A generator function with one `yield`, async or not, or what gives a context manager."""


def check_around_hook(hook: AroundHook) -> AroundHook:
    """`hook`, if it can be one. Raises `TypeError`."""
    check_callable(hook, "an around-hook", "req", "res", "ctx")
    if iscoroutinefunction(hook):
        raise TypeError(f"an around-hook has one yield, which divides before from after, and {hook!r} has none")
    return hook


async def enter(
    hook: AroundHook, request: Request[object], response: Response, context: Context, runtime: Runtime
) -> Manager:
    """Run what `hook` does before. Raises what that raises, and `TypeError` where it gives no context manager."""
    manager = _manager_of(hook(request, response, context), hook)
    if isinstance(manager, AbstractAsyncContextManager):
        entering = manager.__aenter__()
        await (entering if runtime.on_loop is None else runtime.on_loop(entering))
    else:
        manager.__enter__()
    return manager


async def leave(manager: Manager, error: BaseException | None, runtime: Runtime) -> None:
    """Run what the hook does after. `error` ends a request that is not answered. Raises what the hook raises."""
    what = (None, None, None) if error is None else (type(error), error, error.__traceback__)
    if isinstance(manager, AbstractAsyncContextManager):
        leaving = manager.__aexit__(*what)
        await (leaving if runtime.on_loop is None else runtime.on_loop(leaving))
    else:
        manager.__exit__(*what)


def _manager_of(made: object, hook: AroundHook) -> Manager:
    if _is_async_generator(made):
        return asynccontextmanager(lambda: made)()
    if _is_generator(made):
        return contextmanager(lambda: made)()
    if _is_manager(made):
        return made
    raise TypeError(
        f"the around-hook {hook!r} gave {type(made).__name__}: it needs one yield, or to give a context manager"
    )


def _is_async_generator(value: object) -> TypeGuard[AsyncGenerator[object, None]]:
    return isinstance(value, AsyncGenerator)


def _is_generator(value: object) -> TypeGuard[Generator[object, None, None]]:
    return isinstance(value, Generator)


def _is_manager(value: object) -> TypeGuard[Manager]:
    return isinstance(value, (AbstractAsyncContextManager, AbstractContextManager))
