"""The event loop of a process, in a thread of its own: what is async runs there, whichever thread serves the request.

It is asyncio's. Nothing that runs in it ends it, not an abort nor an exit: what comes out of a request's own code comes
out where it was asked for, what comes out of a task beside it is logged.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop, CancelledError, Task
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Final, final

from heaven_core.machine.loop import Elapsed
from heaven_io.reporting import log_error
from heaven_wsgi.waiting import Answer, ServerThread

__all__ = ["LoopThread", "close_unawaited"]

# Seconds that tasks get to end when they have been cancelled, where nobody can wait any longer.
_ENDING: Final = 5.0
_ENDED: Final = "the process is ending, and its event loop has gone"


@final
class LoopThread:
    """An event loop in a daemon thread, which begins with it. Raises what the thread or the loop can't start for."""

    __slots__ = ("_asked", "_ended", "_failure", "_lock", "_loop", "_stopping", "_tasks", "_thread")

    def __init__(self) -> None:
        started = threading.Event()
        self._loop: AbstractEventLoop | None = None
        self._failure: BaseException | None = None
        self._stopping: Final = asyncio.Event()
        self._tasks: Final[set[Task[None]]] = set()  # the loop itself keeps only weak references to them
        # Answers that somebody waits for, and how they are given back: none is forgotten at the end.
        self._asked: Final[dict[Answer, Callable[[Answer], None]]] = {}
        self._ended = False
        self._lock: Final = threading.RLock()
        self._thread: Final = threading.Thread(
            target=self._run, args=(started,), name="heaven-core event loop", daemon=True
        )
        self._thread.start()
        started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def is_current(self) -> bool:
        """Whether this is called in its thread."""
        return threading.current_thread() is self._thread

    def await_in(self, context: Context, awaitable: Awaitable[object], thread: ServerThread) -> object:
        """Have `awaitable` run in a task with this context, wait for it, and give what it gives, or raise that.

        Nobody may be in the context meanwhile. Where the waiting is ended, by an exit say, the task is cancelled, and
        gets some seconds to leave the context: see `ServerThread.left_behind`.
        """
        answer = Answer()
        try:
            self.begin(context, awaitable, answer, thread.give)
            thread.wait(answer)
        except BaseException:
            thread.left_behind = True
            self.call_soon(answer.give_up)
            try:
                thread.wait(answer, _ENDING)
                thread.left_behind = False
            except Elapsed:
                pass
            raise
        return answer.get()

    def begin(
        self, context: Context, awaitable: Awaitable[object], answer: Answer, done: Callable[[Answer], None]
    ) -> None:
        """Have `awaitable` run in a task with this context; `done` gets the answer, in the loop's thread.

        By then the task has left the context, so that another thread may enter it.
        """
        carrying = _carry(awaitable, answer)
        with self._lock:
            if not self._ended:
                self._asked[answer] = done
        if not self.call_soon(partial(self._begin, context, carrying, answer)):
            carrying.close()
            close_unawaited(awaitable)
            self._asked.pop(answer, None)
            answer.error = RuntimeError(_ENDED)
            done(answer)

    def call_soon(self, call: Callable[[], object]) -> bool:
        """Have the loop call this. False once the loop has ended."""
        with self._lock:
            if self._ended:
                return False
            assert self._loop is not None  # the thread has been waited for
            self._loop.call_soon_threadsafe(call)
            return True

    def stop(self) -> None:
        """Cancel what runs, and end the loop; what takes longer than some seconds is left behind."""
        self.call_soon(self._stopping.set)
        self._thread.join(_ENDING)

    def _run(self, started: threading.Event) -> None:
        try:
            runner = asyncio.Runner()
            self._loop = runner.get_loop()
        except BaseException as error:
            self._failure = error
            started.set()
            return
        living = self._loop.create_task(self._live())
        started.set()
        while not living.done():
            try:
                self._loop.run_until_complete(living)
            except BaseException as error:  # an exit of a task that some handler has made; or somebody's loop.stop()
                log_error(error, "a task on the event loop, which goes on")
        with self._lock:
            self._ended = True  # what was asked for before still begins, to be cancelled; nothing comes after it
        try:
            runner.close()
        except BaseException as error:
            log_error(error, "the end of the event loop")
        while self._asked:
            answer, done = self._asked.popitem()
            answer.error = RuntimeError(_ENDED)
            done(answer)

    async def _live(self) -> None:
        await self._stopping.wait()

    def _begin(self, context: Context, carrying: Coroutine[object, object, None], answer: Answer) -> None:
        task = asyncio.get_running_loop().create_task(carrying, context=context)
        answer.cancel = task.cancel
        if answer.given_up:
            task.cancel()
        self._tasks.add(task)
        task.add_done_callback(partial(self._end, answer))

    def _end(self, answer: Answer, task: Task[None]) -> None:
        self._tasks.discard(task)
        done = self._asked.pop(answer, None)
        if done is not None:
            done(answer)


def close_unawaited(awaitable: Awaitable[object]) -> None:
    """Close what nobody will await, if it can be: Python would warn of a coroutine."""
    close: Callable[[], object] | None = getattr(awaitable, "close", None)
    if close is not None:
        close()


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
