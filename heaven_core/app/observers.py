"""Observers see the responses of an app go out: for logs and metrics, and without a way to change anything."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Final, TypeAlias, final

from heaven_core.app.given import check_callable
from heaven_core.message.request import Request
from heaven_core.protocol.events import Event
from heaven_core.protocol.outcome import Outcome
from heaven_core.runtime import Runtime

__all__ = ["Observer", "Observers"]

Observer: TypeAlias = Callable[[Request[object], Event | Outcome], object]
"""Is told of each event of a response when it has been performed, and at the end of the outcome, once."""


@final
class Observers:
    """The observers of one app. Where there are `any`, a driver tells them: the fast path, without events, won't do."""

    __slots__ = ("_observers", "_report", "any")

    def __init__(self, report: Callable[[BaseException, str, Runtime], None]) -> None:
        self._report: Final = report
        self._observers: Final[list[Observer]] = []
        self.any: bool = False

    def add(self, observer: Observer) -> None:
        """Add an observer. Raises `TypeError` for what can't be called and for an `async def`, which nobody awaits."""
        check_callable(observer, "an observer", "req", "event")
        if iscoroutinefunction(observer) or iscoroutinefunction(type(observer).__call__):
            raise TypeError(f"an observer is a def, since no response waits for it: {observer!r}")
        self._observers.append(observer)
        self.any = True

    def tell(self, request: Request[object], what: Event | Outcome, runtime: Runtime) -> None:
        """Tell all observers. One that raises, an exit too, is reported, and the next is told; a Ctrl-C passes."""
        for observer in self._observers:
            try:
                observer(request, what)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._report(error, f"an observer of {request.method} {request.path!r}", runtime)
