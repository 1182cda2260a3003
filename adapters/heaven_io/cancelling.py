"""Telling a task's own cancellation from one of something that it awaited."""

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
    """Whether `error` is a cancellation of this task, beyond the `before` earlier ones, not of something it awaited."""
    if not isinstance(error, anyio.get_cancelled_exc_class()):
        return False
    # On trio a cancellation never comes from anywhere else.
    return not issubclass(type(error), asyncio.CancelledError) or cancellations() > before
