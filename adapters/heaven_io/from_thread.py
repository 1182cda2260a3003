"""The way back to asyncio's loop, for threads of our own: what `anyio.from_thread` finds in those of anyio.

anyio's worker threads on asyncio are no daemons, so that the process can't end while one of them hangs. It has no
public word for telling another thread which event loop it belongs to, but `token=` at each call. What it tells its own
has been the same since anyio 4.0. Where a later one has it no more, `CAN_LEAD_BACK` is false, and the application's
code runs in anyio's threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Final, TypeVar

from anyio import CancelScope
from anyio._core import _eventloop

__all__ = ["CAN_LEAD_BACK", "context_without_loop", "leading_back"]

R = TypeVar("R")

CAN_LEAD_BACK: Final = all(
    hasattr(_eventloop, name) for name in ("claim_worker_thread", "get_async_backend", "threadlocals")
)


def leading_back(work: Callable[[], R], scope: CancelScope) -> Callable[[], R]:
    """What does `work` in another thread as anyio's would: in a copy of this context, in which no event loop runs.

    There `anyio.from_thread` leads to the event loop that runs here, and its `check_cancelled` asks `scope`.
    """
    loop = asyncio.get_running_loop()
    backend = _eventloop.get_async_backend()
    context = context_without_loop()

    def in_thread() -> R:
        with _eventloop.claim_worker_thread(backend, loop):
            _eventloop.threadlocals.current_cancel_scope = scope
            try:
                return context.run(work)
            finally:
                del _eventloop.threadlocals.current_cancel_scope

    return in_thread


def context_without_loop() -> Context:
    """A copy of this context, in which no event loop is said to run."""
    context = copy_context()
    with suppress(ImportError):  # where there is none, nothing in a context says that a loop runs
        from sniffio import current_async_library_cvar  # noqa: PLC0415  (anyio has it, or trio)

        context.run(current_async_library_cvar.set, None)
    return context
