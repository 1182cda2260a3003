"""An async body, stepped on the event loop by a server's thread that waits for each item."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Queue
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextvars import copy_context
from functools import partial
from typing import Final, final

from heaven_core._checks import is_awaitable
from heaven_core.machine.loop import Elapsed
from heaven_io.reporting import log_error
from heaven_wsgi.loop_thread import LoopThread
from heaven_wsgi.waiting import Answer, ServerThread

__all__ = ["AsyncStream"]


@final
class AsyncStream:
    """See `heaven_driver.blocking.Stream`. All steps, and the closing, are those of one task; none runs ahead.

    The task has a copy of the request's context, since the server's thread stays in that one. `interrupted` says
    whether the stream is to end; it is asked when somebody calls `ServerThread.interrupt`. Closing has a limit in
    seconds.
    """

    __slots__ = (
        "_answer", "_begun", "_closed", "_closing", "_closing_limit", "_commands", "_ended", "_interrupted",
        "_iterable", "_iterator", "_loop", "_stepping", "_task", "_thread",
    )  # fmt: skip

    def __init__(
        self,
        iterable: AsyncIterable[object],
        loop: Callable[[], LoopThread],
        thread: ServerThread,
        interrupted: Callable[[], bool] | None,
        closing_limit: float,
    ) -> None:
        self._iterable: Final = iterable
        self._loop: Final = loop
        self._thread: Final = thread
        self._interrupted: Final = interrupted
        self._closing_limit: Final = closing_limit
        self._begun = False
        self._answer: Answer | None = None  # of the step that is under way
        self._closed: Answer | None = None  # of the closing
        # What belongs to the loop's thread.
        self._commands: Final[Queue[Answer]] = Queue()
        self._task: asyncio.Task[object] | None = None
        self._iterator: AsyncIterator[object] | None = None
        self._stepping = False
        self._closing: Answer | None = None
        self._ended = False

    def next(self, timeout: float | None) -> object:
        """See `Stream`. After `Elapsed` the next call waits for the same step."""
        answer = self._answer
        if answer is None:
            answer = self._answer = Answer()
            self._command(answer)
        self._thread.wait(answer, timeout, self._interrupted)
        self._answer = None
        return answer.get()

    def close(self) -> None:
        """See `Stream`. A step under way is cancelled. Raises `TimeoutError` where closing takes too long.

        In the loop's thread, where Python may happen to collect a response that nobody has closed, nobody waits.
        """
        answer = self._closed = Answer()
        self._command(answer, closing=True)
        if self._loop().is_current:
            return
        try:
            self._thread.wait(answer, self._closing_limit)
        except Elapsed:
            self._loop().call_soon(self._give_up)
            raise TimeoutError(f"closing it took more than {self._closing_limit:g} s and was given up") from None
        answer.get()

    def _command(self, answer: Answer, closing: bool = False) -> None:
        loop = self._loop()
        if not self._begun:
            self._begun = True
            loop.begin(copy_context(), self._walk(), Answer(), self._end)
        if not loop.call_soon(partial(self._take_command, answer, closing)):
            self._refuse(answer, closing)

    def _refuse(self, answer: Answer, closing: bool = False) -> None:
        """Give no more items: the process is ending, and what has begun has been closed."""
        if not closing:
            answer.error = RuntimeError("the stream was ended: the process is ending")
        self._thread.give(answer)

    # In the loop's thread.

    def _take_command(self, answer: Answer, closing: bool) -> None:
        if self._ended:
            self._refuse(answer, closing)
            return
        self._commands.put_nowait(answer)
        if closing:
            self._closing = answer
            if self._stepping and self._task is not None:
                self._task.cancel()

    def _give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _walk(self) -> None:
        self._task = asyncio.current_task()
        raised: BaseException | None = None
        try:
            raised = await self._take_steps()
        finally:
            if self._is_cancelled() and self._task is not None:
                self._task.uncancel()  # so that what the iterator awaits in the end is not cancelled, too
            closed = self._closing
            raised = await _error_of_closing(self._iterator, self._iterable) or raised
            if closed is not None:
                closed.error = raised
                self._thread.give(closed)
            elif raised is not None:
                log_error(raised, "a stream that the end of the process has closed")

    async def _take_steps(self) -> BaseException | None:
        """Take each step that is asked for, until the stream is to be closed. What the last raised, if that cut it."""
        answer = await self._commands.get()
        while not self._is_closing():  # a step that was asked for just before is nobody's any more
            try:
                self._stepping = True
                if self._iterator is None:
                    self._iterator = aiter(self._iterable)
                answer.value = await anext(self._iterator)
            except StopAsyncIteration:
                answer.error = StopIteration()
            except CancelledError as error:
                if self._is_closing():
                    return None
                if self._is_cancelled():
                    self._refuse(answer)
                    raise
                answer.error = RuntimeError("the stream awaited something that was cancelled")
                answer.error.__cause__ = error
            except BaseException as error:
                if self._is_closing():
                    return error
                answer.error = error
            finally:
                self._stepping = False
            self._thread.give(answer)
            answer = await self._commands.get()
        return None

    def _is_closing(self) -> bool:
        """Whether it is to be closed. Asked again after each await."""
        return self._closing is not None

    def _is_cancelled(self) -> bool:
        """Whether the task itself has been cancelled, by a closing or the end of the process."""
        return self._task is not None and self._task.cancelling() > 0

    def _end(self, answer: Answer) -> None:
        """Learn that the task has ended: whoever still waits, waits in vain."""
        self._task = None
        self._ended = True
        if self._answer is not None:
            self._refuse(self._answer)
        if self._closed is not None and self._closed is not self._closing:
            self._refuse(self._closed, closing=True)


async def _error_of_closing(
    iterator: AsyncIterator[object] | None, iterable: AsyncIterable[object]
) -> BaseException | None:
    """Close the iterator, if there is one, and the iterable, which may be another."""
    raised: BaseException | None = None
    for body in (iterator, None if iterable is iterator else iterable):
        close: Callable[[], object] | None = getattr(body, "aclose", None) or getattr(body, "close", None)
        if close is not None:
            try:
                result = close()
                if is_awaitable(result):
                    await result
            except BaseException as error:
                raised = raised or error
    return raised
