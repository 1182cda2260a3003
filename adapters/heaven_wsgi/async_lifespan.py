"""An async lifespan: entered and left in one task on the event loop of the process."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from queue import SimpleQueue
from typing import Final, final

from heaven_wsgi.loop_thread import LoopThread
from heaven_wsgi.waiting import Answer

__all__ = ["AsyncLifespan"]


@final
class AsyncLifespan:
    """A task that lives from `enter` to `leave`; both wait, in whatever thread calls them."""

    __slots__ = ("_answers", "_leaving", "_loop", "_manager")

    def __init__(self, manager: AbstractAsyncContextManager[object], loop: LoopThread) -> None:
        self._manager: Final = manager
        self._loop: Final = loop
        self._leaving: Final = asyncio.Event()
        # None: it has been entered; an answer: the task has ended.
        self._answers: Final[SimpleQueue[Answer | None]] = SimpleQueue()

    def enter(self) -> None:
        """Enter the context manager. Raises what it raises; where an exit ends the waiting, it is left again."""
        living = Answer()
        try:
            self._loop.begin(copy_context(), self._live(), living, self._answers.put)
            answer = self._answers.get()
        except BaseException:
            self._loop.call_soon(living.give_up)
            while self._answers.get() is not living:
                pass
            raise
        if answer is not None:
            answer.get()

    def leave(self) -> None:
        """Leave it. Raises what it raises."""
        if self._loop.call_soon(self._leaving.set):
            answer = self._answers.get()
            if answer is not None:
                answer.get()

    async def _live(self) -> None:
        async with self._manager:
            self._answers.put(None)
            await self._leaving.wait()
