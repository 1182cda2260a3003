"""A step of a stream that can be stopped where it waits, by a driver that knows no event loop.

The step's coroutine is stepped by hand. What it waits for is handed on to whatever runs the test, and is known
meanwhile: that is all there is to hold on to, since the core imports neither asyncio nor trio. A future, as asyncio and
uvloop have it, is cancelled as a task would cancel it, at any time. What trio is asked to wait for can be taken back
only before trio has been asked. Anything else makes an event loop take one turn, and a step may be ended there at once.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Final, NoReturn, Protocol, final, runtime_checkable

__all__ = ["Stopped", "WaitingStep"]


@final
class Stopped(BaseException):
    """Raised in a stream where it waits, in place of the cancellation that only an event loop could raise there."""


@runtime_checkable
class _Future(Protocol):
    def cancel(self) -> bool: ...
    def add_done_callback(self, callback: Callable[[object], object], /) -> object: ...


class _Aborted(Protocol):
    @property
    def name(self) -> str: ...


@runtime_checkable
class _Trap(Protocol):
    """What `trio.lowlevel.wait_task_rescheduled` asks trio for."""

    @property
    def abort_func(self) -> Callable[[Callable[[], NoReturn]], _Aborted]: ...


@final
class WaitingStep:
    """Awaits `coroutine`, and calls `on_wait` each time it waits, with whether that may take long.

    `has_loop` says whether anybody will ever wake it. `stopped` says whether it has been stopped, `cancelled` whether
    somebody else has ended it since.
    """

    __slots__ = (
        "_coroutine",
        "_has_loop",
        "_is_expected",
        "_is_wanted",
        "_on_wait",
        "_waits_for",
        "cancelled",
        "stopped",
    )

    def __init__(
        self, coroutine: Coroutine[object, object, object], on_wait: Callable[[bool], None], *, has_loop: bool
    ) -> None:
        self._coroutine: Final = coroutine
        self._on_wait: Final = on_wait
        self._has_loop: Final = has_loop
        self._waits_for: object = None  # what somebody else has been asked to wait for
        self._is_wanted = False  # that it stops
        self._is_expected = False  # that a future is heard of as cancelled
        self.stopped: bool = False
        self.cancelled: bool = False

    def stop(self) -> None:
        """Stop the step where it waits, now or when it waits next; what its `finally` awaits is waited for.

        Raises `RuntimeError` where it waits on trio already.
        """
        self._is_wanted = True
        if isinstance(self._waits_for, _Trap):
            raise RuntimeError(
                "a stream that waits on trio can't be ended from another task, as by clock.advance() there: "
                "have the request do it, as in client.arequest(..., patience=30.0)"
            )
        if isinstance(self._waits_for, _Future):
            self._cancel(self._waits_for)

    def __await__(self) -> Generator[object, object, object]:
        """Run the step to its end. Raises what it raises, `Stopped` or a cancellation if that is why it ended."""
        sent: object = None
        thrown: BaseException | None = None
        while True:
            try:
                wait = self._coroutine.send(sent) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as ended:
                item: object = ended.value
                return item
            sent = None
            if not self.stopped:
                self._on_wait(not self._has_loop or isinstance(wait, _Future | _Trap))
            thrown = self._stop_before(wait) if self._is_wanted and not self.stopped else None
            if thrown is not None:
                continue
            self._waits_for = wait
            try:
                sent = yield wait
            except BaseException as error:
                thrown = error
                if self.stopped and not self._is_expected and not isinstance(error, Exception):
                    self.cancelled = True
            self._waits_for = None
            self._is_expected = False

    def _stop_before(self, wait: object) -> Stopped | None:
        """Stop the step at what nobody has been asked to wait for yet; `None` where it has to be waited for."""
        if self._has_loop and isinstance(wait, _Future):
            self._cancel(wait)
            return None
        self.stopped = not isinstance(wait, _Trap) or wait.abort_func(_raise_stopped).name == "SUCCEEDED"
        return Stopped() if self.stopped else None

    def _cancel(self, future: _Future) -> None:
        if not self.stopped and future.cancel():
            self.stopped = self._is_expected = True


def _raise_stopped() -> NoReturn:
    """What trio would call for the cancellation, and may hand on to a thread."""
    raise Stopped
