"""Running the application's coroutines in the server's thread, and what is async in them on the event loop."""

from __future__ import annotations

from collections.abc import Coroutine
from contextvars import Context, copy_context
from functools import partial

from heaven_wsgi.process import this_process
from heaven_wsgi.waiting import OnLoop, ServerThread

__all__ = ["go_on", "run_in_this_context"]


def go_on(coroutine: Coroutine[object, object, None], asked: object, context: Context, thread: ServerThread) -> None:
    """Go on with a coroutine that runs in `context`, which nobody is in now: `asked` is the first that it waits for.

    Raises what comes out of the coroutine.
    """
    while True:
        if not isinstance(asked, OnLoop):
            raise TypeError(f"nobody here can wait for {asked!r}")
        try:
            given = this_process().await_in(context, asked.awaitable, thread)
        except BaseException as error:
            step = partial(coroutine.throw, error)
            if thread.left_behind:
                context = context.copy()
        else:
            step = partial(coroutine.send, given)
        try:
            asked = context.run(step)
        except StopIteration:
            return


def run_in_this_context(coroutine: Coroutine[object, object, None], thread: ServerThread) -> None:
    """Run a coroutine to its end, in a copy of the context that this thread is in. Raises what comes out of it."""
    context = copy_context()
    try:
        asked = context.run(coroutine.send, None)
    except StopIteration:
        return
    go_on(coroutine, asked, context, thread)
