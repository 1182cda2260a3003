"""A coroutine that has context variables of its own, in a task that serves one request after the other."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import copy_context
from types import coroutine

__all__ = ["in_context"]


@coroutine
def in_context(work: Coroutine[object, object, None]) -> Generator[object, object, None]:
    """Await `work` in a copy of the task's context: what it sets there is gone afterwards.

    A task for each request would do the same, and takes some 10 µs more (benchmarks/socket_served.py).
    """
    run = copy_context().run
    value: object = None
    error: BaseException | None = None
    while True:
        try:
            waiting = run(work.send, value) if error is None else run(work.throw, error)
        except StopIteration:
            return
        error = None
        try:
            value = yield waiting
        except GeneratorExit:
            run(work.close)
            raise
        except BaseException as thrown:
            error = thrown
