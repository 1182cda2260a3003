"""Calling the application's code: what it may give back, and what that means."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import TypeAlias, TypeGuard

from heaven_core._callable_name import callable_name
from heaven_core._checks import is_awaitable
from heaven_core._exception_groups import is_group
from heaven_core.errors import Abort
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response
from heaven_core.runtime import Runtime

__all__ = ["AsyncCall", "beside_abort", "failure_of", "is_async", "settle", "split_exceptions"]

AsyncCall: TypeAlias = Callable[[Request[object], Response, Context], Coroutine[object, object, object]]


def is_async(func: Callable[[Request[object], Response, Context], object]) -> TypeGuard[AsyncCall]:
    """Whether a call of `func` gives a coroutine, as far as that can be known beforehand."""
    return iscoroutinefunction(func)


async def settle(result: object, func: object, runtime: Runtime) -> None:
    """Await what a handler or hook has returned, if it can be. Raises `TypeError` where it has returned a value.

    What calling a class gives is its instance, which is no such value.
    """
    if is_awaitable(result):
        result = await (result if runtime.on_loop is None else runtime.on_loop(result))
    if result is not None and not isinstance(func, type):
        raise TypeError(
            f"{callable_name(func)} returned {type(result).__name__}, which goes nowhere: "
            "a handler or hook answers through res, as in res.body = ..."
        )


def beside_abort(error: BaseException) -> BaseException | None:
    """What is left of an error when the aborts are taken out of it, and out of its groups."""
    if isinstance(error, Abort):
        return None
    return error.split(Abort)[1] if is_group(error) else error


def split_exceptions(error: BaseException | None) -> tuple[Exception | None, BaseException | None]:
    """What is to be reported of an error, and what has to pass through: a cancellation, an exit."""
    if error is None or isinstance(error, Exception):
        return error, None
    return error.split(Exception) if is_group(error) else (None, error)


def failure_of(error: BaseException, runtime: Runtime) -> BaseException:
    """The error itself, or, for a cancellation that is not the request's own, the failure that it is."""
    if isinstance(error, Exception) or not runtime.is_foreign(error):
        return error
    failure = RuntimeError("hooks or handler awaited something that was cancelled")
    failure.__cause__ = error
    return failure
