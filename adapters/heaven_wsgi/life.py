"""An app in one process, from its first request to the end: its lifespan, deferred work, and open event streams."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from contextvars import copy_context
from threading import Condition, current_thread, main_thread
from typing import Final, final

from heaven_core import App, DeferredCall
from heaven_driver.blocking import run_deferred
from heaven_driver.signals import heard_first
from heaven_io.reporting import Report, hand_over
from heaven_wsgi.deferred import DeferredThread
from heaven_wsgi.process import Process
from heaven_wsgi.waiting import ServerThread

__all__ = ["Life", "Limits"]

# Modules that are there under servers in which Python is embedded. Their signals' handlers are none of Python's, which
# would put its own in their place: the server would never end.
_EMBEDDING: Final = frozenset({"uwsgi", "mod_wsgi"})


@final
class Limits:
    """What `WSGIAdapter` was told; times are in seconds."""

    __slots__ = ("closing_limit", "deferred_deadline", "max_deferred_waiting", "signals", "stream_deadline")

    def __init__(
        self,
        deferred_deadline: float,
        max_deferred_waiting: int,
        closing_limit: float,
        stream_deadline: float,
        signals: bool,
    ) -> None:
        self.deferred_deadline: Final = deferred_deadline
        self.max_deferred_waiting: Final = max_deferred_waiting
        self.closing_limit: Final = closing_limit
        self.stream_deadline: Final = stream_deadline
        self.signals: Final = signals


@final
class Life:
    """One app in one process. Its event streams get `closing_limit` seconds to close."""

    __slots__ = (
        "_begun", "_changed", "_deferred", "_ended", "_ending", "_leaving", "_limits", "_listening",
        "_report", "_streams", "app", "closing_limit", "process",
    )  # fmt: skip

    def __init__(self, app: App, process: Process, report: Report, limits: Limits) -> None:
        self.app: Final = app
        self._report: Final = report
        self._limits: Final = limits
        self.process: Final = process
        self.closing_limit: Final = limits.closing_limit
        self._changed: Final = Condition()
        self._leaving: Final = ExitStack()
        self._begun = False
        self._ended = False
        self._listening = False
        self._deferred: Final = DeferredThread(process, report, limits.max_deferred_waiting)
        self._streams: Final[dict[ServerThread, None]] = {}
        self._ending = False

    def begin(self) -> None:
        """Enter the lifespan, the first time; whoever comes meanwhile waits. The next one tries again if it fails.

        Raises what the lifespan raises, `ValueError` where `app.check()` does, and `RuntimeError` after `end`.
        """
        with self._changed:
            if self._ended:
                raise RuntimeError("this adapter was stopped in this process: make another one")
            if self._begun:
                return
            self.app.check()
            manager = None if self.app.lifespan is None else self.app.lifespan(self.app)
            if isinstance(manager, AbstractAsyncContextManager):
                from heaven_wsgi.async_lifespan import AsyncLifespan  # noqa: PLC0415  (it needs asyncio)

                lifespan = AsyncLifespan(manager, self.process.get_loop())
                lifespan.enter()
                self._leaving.callback(lifespan.leave)
            elif manager is not None:
                self._leaving.enter_context(manager)
            self.process.at_end(self.end)
            self._begun = True

    def end(self) -> None:
        """End the event streams, wait for deferred work, and leave the lifespan; the first time."""
        with self._changed:
            ended, self._ended = self._ended, True
            if ended or not self._begun:
                return
        self.tell()
        with self._changed:
            self._changed.wait_for(lambda: not self._streams, self._limits.stream_deadline)
        self._deferred.drain(self._limits.deferred_deadline)
        try:
            self._leaving.close()
        except Exception as error:
            self._report(error, "the lifespan")

    # Event streams, which have no end of their own.

    def join(self, thread: ServerThread) -> None:
        """Count an event stream that begins in this thread."""
        self.listen()
        self._streams[thread] = None

    def leave(self, thread: ServerThread) -> None:
        """Forget one that has ended."""
        if thread in self._streams:
            del self._streams[thread]
            with self._changed:
                self._changed.notify_all()

    def tell(self) -> None:
        """Begin to end the event streams; don't wait for it. May be called in a signal's handler."""
        self._ending = True
        for thread in tuple(self._streams):
            thread.interrupt()

    def is_ending(self) -> bool:
        """Whether event streams are to end."""
        return self._ending

    def listen(self) -> None:
        """Have SIGTERM and SIGINT end the event streams, where this is the main thread: there are none elsewhere."""
        wanted = self._limits.signals and not self._listening and not _EMBEDDING & sys.modules.keys()
        if wanted and current_thread() is main_thread():
            self._listening = True
            self._leaving.enter_context(heard_first(self.tell))

    # Deferred work.

    def defer(self, calls: Sequence[DeferredCall]) -> None:
        """Hand over to the app's own runner, else to the thread; run the calls here where no thread runs."""
        runner = self.app.defer_runner
        if runner is not None:
            hand_over(calls, self.app, runner, self._report)
        elif threads_run():
            hand_over(calls, self.app, self._deferred, self._report)
        else:
            run_deferred(calls, self.app, self._report, self._wait_here)

    def _wait_here(self, awaitable: Awaitable[object]) -> object:
        return self.process.get_loop().await_in(copy_context(), awaitable, ServerThread())


def threads_run() -> bool:
    """Whether a thread goes on when the request has ended: under uWSGI only where it was told so."""
    uwsgi = sys.modules.get("uwsgi")
    options: Mapping[str, object] = getattr(uwsgi, "opt", {"enable-threads": True})
    return "enable-threads" in options or "threads" in options
