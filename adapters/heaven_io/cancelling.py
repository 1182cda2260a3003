"""Whose cancellation an exception is."""

from __future__ import annotations

import asyncio

import anyio

__all__ = ["cancellations", "is_own_cancellation"]


def cancellations() -> int:
    """How often this task has been cancelled, on asyncio."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return 0
    return 0 if task is None else task.cancelling()


def is_own_cancellation(error: BaseException, before: int = 0) -> bool:
    """Whether it is a cancellation of this task since there were `before`, not of something that it has awaited."""
    if not isinstance(error, anyio.get_cancelled_exc_class()):
        return False
    # On trio a cancellation never comes from anywhere else.
    return not issubclass(type(error), asyncio.CancelledError) or cancellations() > before
