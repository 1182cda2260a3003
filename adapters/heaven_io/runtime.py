"""The core's `Runtime`, as this operating system has it."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Awaitable, Callable

from heaven_core.runtime import Runtime, run_at_once
from heaven_io.reporting import log_error

__all__ = ["system_runtime"]


def system_runtime(
    spawn: Callable[[Awaitable[object]], None] = run_at_once,
    log: Callable[[BaseException, str], None] = log_error,
    date_lag: float = 0.0,
    on_loop: Callable[[Awaitable[object]], Awaitable[object]] | None = None,
) -> Runtime:
    """The real clocks, 128 random bits as hexadecimal digits, tracebacks as Python prints them, and the log.

    `log` is the logger `heaven_core` unless given. `spawn`, `date_lag` and `on_loop` are as in `Runtime`.
    """
    return Runtime(
        time.time, time.monotonic, _token, _describe, log, spawn, date_lag,
        on_loop=on_loop, is_foreign=_is_foreign,
    )  # fmt: skip


def _token() -> str:
    return secrets.token_hex(16)


def _describe(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _is_foreign(error: BaseException) -> bool:
    """Whether this is a cancellation of asyncio's, and nobody has asked one of the task that runs.

    On trio a cancellation never comes from anywhere else.
    """
    from asyncio import CancelledError, current_task  # noqa: PLC0415  (where nothing is async nobody needs to have it)

    if not isinstance(error, CancelledError):
        return False
    try:
        task = current_task()
    except RuntimeError:
        return True  # no event loop runs here, and nobody cancels a thread
    # Without a task, the loop has a way of its own to run coroutines, and to cancel them.
    return task is not None and not task.cancelling()
