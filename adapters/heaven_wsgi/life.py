"""An app in one process, from its first request to the end: its lifespan, deferred work, and open event streams."""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from contextvars import copy_context
from threading import current_thread, main_thread
from typing import Final, final

from heaven_core import App, DeferredCall
from heaven_driver.blocking import run_deferred
from heaven_driver.given import check_flag, check_seconds, lifespan_of
from heaven_driver.signals import SIGQUIT, heard_first
from heaven_io.reporting import Report, hand_over
from heaven_wsgi.deferred import DeferredThread
from heaven_wsgi.process import Process
from heaven_wsgi.waiting import ServerThread

__all__ = ["Life", "Limits"]

# Modules that are there under servers in which Python is embedded. Their signals' handlers are none of Python's, which
# would put its own in their place: the server would never end.
_EMBEDDING: Final = frozenset({"uwsgi", "mod_wsgi"})

# How far it has come.
_NEW: Final = 0
_BEGINNING: Final = 1
_OPEN: Final = 2
_ENDED: Final = 3


@final
class Limits:
    """What `WSGIAdapter` was told; times are in seconds. Raises `TypeError` and `ValueError` for what can't be."""

    __slots__ = ("closing_limit", "deferred_deadline", "max_deferred_waiting", "signals", "stream_deadline")

    def __init__(
        self,
        deferred_deadline: float,
        max_deferred_waiting: int,
        closing_limit: float,
        stream_deadline: float,
        signals: bool,
    ) -> None:
        if max_deferred_waiting < 1:
            raise ValueError(f"max_deferred_waiting= must be 1 or more, not {max_deferred_waiting}")
        self.deferred_deadline: Final = _seconds("deferred_deadline", deferred_deadline)
        self.max_deferred_waiting: Final = max_deferred_waiting
        self.closing_limit: Final = _seconds("closing_limit", closing_limit)
        self.stream_deadline: Final = _seconds("stream_deadline", stream_deadline)
        self.signals: Final = check_flag("signals", signals)


def _seconds(name: str, value: object) -> float:
    """A number of seconds that a lock can wait."""
    return min(check_seconds(name, value), threading.TIMEOUT_MAX)


@final
class Life:
    """One app in one process. Its event streams get `closing_limit` seconds to close."""

    __slots__ = (
        "_beginning", "_changed", "_deferred", "_ending", "_leaving", "_limits", "_listening", "_report", "_state",
        "_streams", "_told", "app", "closing_limit", "process",
    )  # fmt: skip

    def __init__(self, app: App, process: Process, report: Report, limits: Limits) -> None:
        self.app: Final = app
        self._report: Final = report
        self._limits: Final = limits
        self.process: Final = process
        self.closing_limit: Final = limits.closing_limit
        # Whoever comes meanwhile waits; a signal's handler, which may be in the middle of either, does not.
        self._beginning: Final = threading.RLock()
        self._ending: Final = threading.RLock()
        self._state = _NEW
        self._leaving: Final = ExitStack()
        self._listening = False
        self._deferred: Final = DeferredThread(process, report, limits.max_deferred_waiting)
        self._streams: Final[dict[ServerThread, None]] = {}
        self._changed: Final = threading.Condition()  # of the streams
        self._told = False

    @property
    def is_open(self) -> bool:
        """Whether it has begun, and not ended."""
        return self._state == _OPEN

    def begin(self) -> None:
        """Enter the lifespan, the first time; whoever comes meanwhile waits. The next one tries again if it fails.

        Raises what the lifespan raises, `ValueError` where `app.check()` does, and `RuntimeError` after `end`.
        """
        with self._beginning:
            if self._state == _OPEN:
                return
            if self._state == _ENDED:
                raise RuntimeError("this adapter was stopped in this process: make another one")
            if self._state == _BEGINNING:
                raise RuntimeError("the lifespan of this app has asked the app itself, which waits for it")
            self._state = _BEGINNING
            try:
                self._enter()
            except BaseException:
                if self._state == _BEGINNING:
                    self._state = _NEW
                raise
            if self._state != _BEGINNING:  # a signal's handler has ended it meanwhile
                self._leaving.close()
                raise RuntimeError("this adapter was stopped while it started")
            self.process.at_end(self.end)
            self._state = _OPEN

    def use(self) -> None:
        """Begin, for a request that is under way: after the end it goes on, and what it defers is lost, and logged."""
        if self._state == _NEW:
            self.begin()

    def end(self) -> None:
        """End the event streams, wait for deferred work, and leave the lifespan; whoever comes meanwhile waits.

        Raises `RuntimeError` where it would wait for itself: on the event loop, and in deferred work.
        """
        if self.process.is_loop_thread or self._deferred.is_current:
            raise RuntimeError("stop() waits for the event loop and for deferred work: call it from neither")
        with self._ending:
            begun, self._state = self._state == _OPEN, _ENDED
            if not begun:
                return
            self.tell()
            try:
                with self._changed:
                    self._changed.wait_for(lambda: not self._streams, self._limits.stream_deadline)
            finally:
                try:
                    self._deferred.drain(self._limits.deferred_deadline)
                finally:
                    self.process.forget(self.end)
                    self._leave()

    def _enter(self) -> None:
        self.app.check()
        manager = lifespan_of(self.app)
        if isinstance(manager, AbstractAsyncContextManager):
            from heaven_wsgi.async_lifespan import AsyncLifespan  # noqa: PLC0415  (it needs asyncio)

            lifespan = AsyncLifespan(manager, self.process.get_loop())
            lifespan.enter()
            self._leaving.callback(lifespan.leave)
        elif manager is not None:
            self._leaving.enter_context(manager)

    def _leave(self) -> None:
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
        if self._streams.pop(thread, thread) is None:
            with self._changed:
                self._changed.notify_all()

    def tell(self) -> None:
        """Begin to end the event streams; don't wait for it. May be called in a signal's handler."""
        self._told = True
        for thread in tuple(self._streams):
            thread.interrupt()

    def is_told(self) -> bool:
        """Whether event streams are to end."""
        return self._told

    def listen(self) -> None:
        """Have signals end the event streams, where this is the main thread: there are none elsewhere."""
        wanted = self._limits.signals and not self._listening and not _EMBEDDING & sys.modules.keys()
        if wanted and current_thread() is main_thread():
            self._listening = True
            self._leaving.enter_context(heard_first(self.tell, SIGQUIT))

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
        return self.process.await_in(copy_context(), awaitable, ServerThread())


def threads_run() -> bool:
    """Whether a thread goes on when the request has ended: under uWSGI only where it was told so."""
    uwsgi = sys.modules.get("uwsgi")
    options: Mapping[str, object] = getattr(uwsgi, "opt", {"enable-threads": True})
    return "enable-threads" in options or "threads" in options
