"""Sends on trio that their owner can leave behind: each is done by a task that belongs to nobody.

hypercorn shields what it writes, so that no cancellation gets there. What was left behind ends when the server closes
the connection. The tasks are used again, since a new one for each send takes three times as long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, final

import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, spawn_system_task, wait_task_rescheduled

from heaven_driver.in_context import in_context

__all__ = ["Senders", "Sending"]

# Tasks that are kept for the next sends.
_MOST_IDLE: Final = 100


@final
class Sending:
    """One send, and the owner that waits for it. `given_up`: it was left behind, by `give_up`."""

    __slots__ = ("_error", "_owner", "_scope", "_settled", "given_up", "what")

    def __init__(self, what: Awaitable[None], owner: Task, scope: trio.CancelScope) -> None:
        self.what: Final = what
        self._owner: Final = owner
        self._scope: Final = scope
        self._error: BaseException | None = None
        self._settled = False  # the owner goes on, or is about to
        self.given_up: bool = False

    async def wait(self) -> None:
        """Wait until it has ended, or was given up. Raises what it has raised."""
        await wait_task_rescheduled(self._abort)
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # which leads here, by its traceback

    def give_up(self) -> None:
        """Leave it behind, cancelled as far as that reaches."""
        if not self._settled:
            self.given_up = self._settled = True
            self._scope.cancel()
            reschedule(self._owner)

    def _abort(self, _: Callable[[], None]) -> Abort:
        self._settled = True
        self._scope.cancel()
        return Abort.SUCCEEDED

    async def do(self) -> None:
        """Do it, in the context of its owner, and let that go on, if it still waits."""
        run = self._owner.context.run
        steps = self.what.__await__()
        try:
            try:
                waiting: object = run(steps.send, None)
            except StopIteration:
                pass
            else:
                await in_context(steps, run, waiting)
        except trio.Cancelled:
            raise  # it was given up, or the event loop ends
        except BaseException as error:
            self._error = error
        if not self._settled:
            self._settled = True
            reschedule(self._owner)


@final
class Senders:
    """The tasks of one event loop that do the sends of its responses."""

    __slots__ = ("_idle",)

    def __init__(self) -> None:
        self._idle: Final[list[_Sender]] = []

    def begin(self, what: Awaitable[None]) -> Sending:
        """Have one of them do it; then `wait` is to be awaited at once, by the task that has called this."""
        sender = self._idle.pop() if self._idle else _Sender(self._idle)
        sending = Sending(what, current_task(), sender.scope)
        sender.begin(sending)
        return sending


@final
class _Sender:
    __slots__ = ("_idle", "_sending", "_task", "scope")

    def __init__(self, idle: list[_Sender]) -> None:
        self._idle: Final = idle
        self._sending: Sending | None = None
        self._task: Task | None = None
        self.scope: Final = trio.CancelScope()

    def begin(self, sending: Sending) -> None:
        self._sending = sending
        if self._task is None:
            self._task = spawn_system_task(self._run)
        else:
            reschedule(self._task)

    async def _run(self) -> None:
        with self.scope:
            while self._sending is not None:
                await self._sending.do()
                self._sending = None
                if len(self._idle) < _MOST_IDLE:
                    self._idle.append(self)
                    await wait_task_rescheduled(self._abort)

    def _abort(self, _: Callable[[], None]) -> Abort:
        self._idle.remove(self)
        return Abort.SUCCEEDED
