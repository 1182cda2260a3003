"""A clock for `Timers` where the event loop has no timers of its own to offer, as on trio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import anyio
from anyio.abc import TaskGroup

__all__ = ["TaskClock"]


@final
class TaskClock:
    """See `Clock`: each call waits in a task of `group`."""

    __slots__ = ("_group",)

    def __init__(self, group: TaskGroup) -> None:
        self._group: Final = group

    def time(self) -> float:
        """See `Clock`."""
        return anyio.current_time()

    def call_at(self, when: float, callback: Callable[[], object], /) -> None:
        """See `Clock`."""
        self._group.start_soon(self._call_at, when, callback)

    async def _call_at(self, when: float, callback: Callable[[], object]) -> None:
        await anyio.sleep_until(when)
        callback()
