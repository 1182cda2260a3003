"""Who watches the responses of an app go out: for logs and metrics, and without a way to change anything."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Final, TypeAlias, final

from heaven_core.message.request import Request
from heaven_core.protocol.events import Event
from heaven_core.protocol.outcome import Outcome
from heaven_core.runtime import Runtime

__all__ = ["Observer", "Observers"]

Observer: TypeAlias = Callable[[Request[object], Event | Outcome], object]
"""Is told of each event of a response when it has been performed, and at the end of the outcome, once."""


@final
class Observers:
    """Those of one app. A driver tells them; it is false where there are none, so that the fast lane will do."""

    __slots__ = ("_observers", "_report")

    def __init__(self, report: Callable[[BaseException, str, Runtime], None]) -> None:
        self._report: Final = report
        self._observers: Final[list[Observer]] = []

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, observer: Observer) -> None:
        """Raises `TypeError` for what can't be called, and for an `async def`: nothing waits for an observer."""
        if not callable(observer):
            raise TypeError(f"an observer must be callable with (req, event), not {type(observer).__name__}")
        if iscoroutinefunction(observer) or iscoroutinefunction(type(observer).__call__):
            raise TypeError(f"an observer is a def, since no response waits for it: {observer!r}")
        self._observers.append(observer)

    def tell(self, request: Request[object], what: Event | Outcome, runtime: Runtime) -> None:
        """Tell all of them. One that raises an `Exception` is reported, and the next is told."""
        for observer in self._observers:
            try:
                observer(request, what)
            except Exception as error:
                self._report(error, f"an observer of {request.method} {request.path!r}", runtime)
