"""What may block, in a thread of a pool of ours, awaited on either event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, TypeVarTuple

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from heaven_io.soon import soon
from heaven_io.threads import FILES, Threads

__all__ = ["run_in", "work_on_file"]

R = TypeVar("R")
Arguments = TypeVarTuple("Arguments")


async def run_in(threads: Threads, work: Callable[[*Arguments], R], *arguments: *Arguments) -> R:
    """What `work` returns, or raises, in one of `threads`; a `StopIteration` comes inside a `RuntimeError`.

    Cancelling this ends the waiting, and not the work, once that has begun: have it done by `detached.begin` where
    somebody has to know of its end.
    """
    call = partial(_call, partial(work, *arguments))
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return await asyncio.get_running_loop().run_in_executor(threads, call)
    await checkpoint_if_cancelled()
    done = anyio.Event()
    tell: Final = soon(done.set)
    future = threads.submit(call)
    future.add_done_callback(lambda _: tell())
    try:
        await done.wait()
    finally:
        future.cancel()  # if it has not begun
    return future.result()


async def work_on_file(work: Callable[[*Arguments], R], *arguments: *Arguments) -> R:
    """See `run_in`, of the threads for files."""
    return await run_in(FILES, work, *arguments)


def _call(work: Callable[[], R]) -> R:
    try:
        return work()
    except StopIteration as error:
        # asyncio's futures refuse it, so that whoever waits for one would wait for ever.
        raise RuntimeError("a call in a thread raised StopIteration") from error
