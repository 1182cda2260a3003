"""Who runs deferred work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from heaven_core.events import DeferredCall

if TYPE_CHECKING:
    from heaven_core.app import App

__all__ = ["DeferRunner"]


class DeferRunner(Protocol):
    """Takes over the deferred calls of a response, at its end.

    `App(defer_runner=...)` takes one's own, that puts them into a queue for other processes, say. The default of each
    adapter runs them in this process, and waits for them at the shutdown.
    """

    def start(self, calls: Sequence[DeferredCall], app: App, /) -> None:
        """See to it that `call.func(app)` is called for each, in this order, each on its own: one may raise.

        Called where the response was sent, so it must not block. What it raises is reported, and the calls are lost.
        """
        ...
