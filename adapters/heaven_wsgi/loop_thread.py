"""The event loop of a process, in a thread of its own: what is async runs there, whichever thread serves the request.

It is asyncio's. Nothing that runs in it ends it, not an abort nor an exit: each comes out where it was asked for.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop, CancelledError, Task
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Final, final

from heaven_wsgi.waiting import Answer, ServerThread

__all__ = ["LoopThread"]

# Seconds that tasks get to end when they have been cancelled, at the end of the process.
_ENDING: Final = 5.0


@final
class LoopThread:
    """An event loop in a daemon thread, which begins with it. Raises what the thread or the loop can't start for."""

    __slots__ = ("_failure", "_loop", "_stopping", "_tasks", "_thread")

    def __init__(self) -> None:
        started = threading.Event()
        self._loop: AbstractEventLoop | None = None
        self._failure: BaseException | None = None
        self._stopping: Final = asyncio.Event()
        self._tasks: Final[set[Task[None]]] = set()  # the loop itself keeps only weak references to them
        self._thread: Final = threading.Thread(
            target=self._run, args=(started,), name="heaven-core event loop", daemon=True
        )
        self._thread.start()
        started.wait()
        if self._failure is not None:
            raise self._failure

    def await_in(self, context: Context, awaitable: Awaitable[object], thread: ServerThread) -> object:
        """Have `awaitable` run in a task with this context, wait for it, and give what it gives, or raise that.

        Nobody may be in the context meanwhile. Where the waiting is ended, by an exit say, the task is cancelled.
        """
        answer = Answer()
        try:
            self.begin(context, awaitable, answer, thread.give)
            thread.wait(answer)
        except BaseException:
            self.call_soon(answer.give_up)
            raise
        return answer.get()

    def begin(
        self, context: Context, awaitable: Awaitable[object], answer: Answer, done: Callable[[Answer], None]
    ) -> None:
        """Have `awaitable` run in a task with this context; `done` gets the answer, in the loop's thread.

        By then the task has left the context, so that another thread may enter it.
        """
        carrying = _carry(awaitable, answer)
        if not self.call_soon(partial(self._begin, context, carrying, answer, done)):
            carrying.close()
            close: Callable[[], object] | None = getattr(awaitable, "close", None)
            if close is not None:
                close()
            answer.error = RuntimeError("the process is ending, and its event loop has gone")
            done(answer)

    def call_soon(self, call: Callable[[], object]) -> bool:
        """Have the loop call this. False once the loop has ended."""
        assert self._loop is not None  # the thread has been waited for
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            return False
        return True

    def stop(self) -> None:
        """Cancel what runs, and end the loop; what takes longer than some seconds is left behind."""
        self.call_soon(self._stopping.set)
        self._thread.join(_ENDING)

    def _run(self, started: threading.Event) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                started.set()
                runner.run(self._live())
        except BaseException as error:
            if started.is_set():
                raise
            self._failure = error
            started.set()

    async def _live(self) -> None:
        await self._stopping.wait()

    def _begin(
        self,
        context: Context,
        carrying: Coroutine[object, object, None],
        answer: Answer,
        done: Callable[[Answer], None],
    ) -> None:
        task = asyncio.get_running_loop().create_task(carrying, context=context)
        answer.cancel = task.cancel
        if answer.given_up:
            task.cancel()
        self._tasks.add(task)
        task.add_done_callback(partial(self._end, answer, done))

    def _end(self, answer: Answer, done: Callable[[Answer], None], task: Task[None]) -> None:
        self._tasks.discard(task)
        done(answer)


async def _carry(awaitable: Awaitable[object], answer: Answer) -> None:
    """Await it, and let nothing out but by the answer: an exit would end the loop for everybody."""
    try:
        answer.value = await awaitable
    except CancelledError as error:
        # Nobody cancels this task but the end of the process, or a wait that is over.
        answer.error = RuntimeError("it was cancelled, or awaited something that was")
        answer.error.__cause__ = error
    except BaseException as error:
        answer.error = error
