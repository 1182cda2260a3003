"""A coroutine that has context variables of its own, in a task that serves one request after the other."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine

__all__ = ["in_context"]


@coroutine
def in_context(
    work: Coroutine[object, object, None] | Generator[object, object, None],
    run: Callable[..., object],
    waiting: object,
) -> Generator[object, object, None]:
    """Await the rest of `work`, which has been begun by `run` of a context, and waits for `waiting`.

    All that it does is done in that context; what is sent, or thrown, in goes to it.
    """
    while True:
        try:
            value = yield waiting
        except GeneratorExit:
            run(work.close)
            raise
        except BaseException as error:
            step, argument = work.throw, error
            try:
                waiting = run(step, argument)
            except StopIteration:
                return
            finally:
                del error, argument
        else:
            try:
                waiting = run(work.send, value)
            except StopIteration:
                return
