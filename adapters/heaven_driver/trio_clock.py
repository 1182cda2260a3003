"""A clock for `Timers` on trio, whose event loop calls nobody at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import trio

__all__ = ["TRIO_CLOCK"]


@final
class _TrioClock:
    """See `Clock`. Each call waits in a task of the system's, which ends with the event loop."""

    __slots__ = ()

    def time(self) -> float:
        """See `Clock`."""
        return trio.current_time()

    def call_at(self, when: float, callback: Callable[[], object], /) -> None:
        """See `Clock`."""
        trio.lowlevel.spawn_system_task(_call_at, when, callback)


async def _call_at(when: float, callback: Callable[[], object]) -> None:
    await trio.sleep_until(when)
    callback()


TRIO_CLOCK: Final = _TrioClock()
