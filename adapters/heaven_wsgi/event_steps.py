"""The steps of a sync event stream, which end when the process is about to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, final

from heaven_driver.blocking import BlockingStream, Interrupted

__all__ = ["EventSteps"]


@final
class EventSteps:
    """See `heaven_driver.blocking.Stream`. A step takes as long as it takes: there are no heartbeats."""

    __slots__ = ("_interrupted", "_stream")

    def __init__(self, iterable: Iterable[object], interrupted: Callable[[], bool]) -> None:
        self._stream: Final = BlockingStream(iterable)
        self._interrupted: Final = interrupted

    def next(self, timeout: float | None) -> object:
        """See `Stream`. Raises `Interrupted` in place of a step."""
        if self._interrupted():
            raise Interrupted
        return self._stream.next(timeout)

    def close(self) -> None:
        """See `Stream`."""
        self._stream.close()
