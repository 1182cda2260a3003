"""Calling the application's code: what it may give back, and what that means."""

from __future__ import annotations

from typing import TypeGuard

from heaven_core.checks import is_awaitable
from heaven_core.errors import Abort

__all__ = ["beside_abort", "settle"]


async def settle(result: object, func: object) -> None:
    """Await what a handler or hook has returned, if it can be. Raises `TypeError` where it has returned an answer.

    What calling a class gives is its instance, which is no answer.
    """
    if is_awaitable(result):
        result = await result
    if result is not None and not isinstance(func, type):
        name = getattr(func, "__qualname__", repr(func))
        raise TypeError(
            f"{name} returned {type(result).__name__}, which goes nowhere: "
            "a handler or hook answers through res, as in res.body = ..."
        )


def beside_abort(error: BaseException) -> BaseException | None:
    """What is left of an error when the aborts are taken out of it, and out of its groups."""
    if isinstance(error, Abort):
        return None
    return error.split(Abort)[1] if _is_group(error) else error


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)
