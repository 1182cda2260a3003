"""The steps of a sync iterable, taken in batches: the blocking half, which knows threads but no event loop.

A step of a sync iterable may block, so it has to be taken in a worker thread; a thread for each item would cost more
than most items are worth. So a thread takes several steps, starting with one and twice as many each time, as long as
that takes next to no time. After a slow batch it is one step again.

Whoever owns this sees to it that `fill` and `close` never run at the same time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from inspect import GEN_CLOSED, GEN_CREATED, getgeneratorstate, isgenerator
from typing import Final, final

from heaven_core.protocol.frozen_event import FrozenEvent, as_it_is

__all__ = ["BATCH_BYTES", "BATCH_ITEMS", "FAST", "Steps"]

# How far a source may run ahead of the client. Whatever comes first ends a batch.
BATCH_ITEMS: Final = 16
BATCH_BYTES: Final = 64 * 1024

# Seconds that a batch may take to be followed by a larger one. Twice the interval at which CPython makes threads take
# turns: less, and a busy event loop would make quick steps look slow.
FAST: Final = 0.01


@final
class Steps:
    """Takes the steps of `iterable` in batches, and closes it once.

    `items` are those taken and not yet handed on: the owner removes them on the left, in another thread if it likes.
    `limit` is the number of steps in the next batch. `ended` means that there will be no more items, `error` why, if
    it was not by reaching the end. Each item but bytes goes through `freeze` in its step; what that raises is as the
    iterable's. `enough` may be set by the owner at any time: a batch then ends after its running
    step.
    """

    __slots__ = (
        "_clock",
        "_closed",
        "_context",
        "_iterator",
        "ended",
        "enough",
        "error",
        "freeze",
        "iterable",
        "items",
        "limit",
    )

    def __init__(self, iterable: Iterable[object], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self.iterable: Final = iterable
        self._iterator: Iterator[object] | None = None
        self._context: Context | None = None
        self._closed = False
        self.items: Final[deque[object]] = deque()
        self.limit: int = 1
        self.ended: bool = False
        self.enough: bool = False
        self.error: Exception | None = None
        self.freeze: Callable[[object], object] = as_it_is

    @property
    def can_close_at_once(self) -> bool:
        """Whether closing runs none of the application's code, so that it needs no thread."""
        return all(map(_closes_at_once, self._closables()))

    def fill(self) -> None:
        """Take the next batch of steps. Never raises: what a step raises is `error`, after the items before it."""
        self._in_context(self._fill)

    def close(self) -> None:
        """Close the iterator, and the iterable where that is another, if they can be closed; the first time only.

        Afterwards there is nothing left to take.

        Raises:
            Exception: what the first `close` that failed has raised; a `BaseException` comes inside a `RuntimeError`.

        """
        self.enough = self.ended = True
        self.items.clear()
        if not self._closed:
            self._closed = True
            self._in_context(self._close)

    def _in_context(self, work: Callable[[], None]) -> None:
        # All steps share one context, as they would in a `for` loop: a generator may set a context variable before
        # a `yield` and reset it after. It is copied in the worker thread, where no event loop is said to run.
        if self._context is None:
            self._context = copy_context()
        self._context.run(work)

    def _fill(self) -> None:
        if self.ended or self.enough:
            return
        size = taken = 0
        began = self._clock()
        try:
            iterator = self._iterator
            if iterator is None:
                iterator = self._iterator = iter(self.iterable)
            while True:
                item = next(iterator)
                # What the next step does to a buffer or a dict must not change what goes out.
                if type(item) is not bytes:
                    item = self.freeze(item)
                length = _size_of(item)
                self.items.append(item)
                taken += 1
                size += length
                if self._clock() - began > FAST:
                    self.limit = 1
                    return
                # An item as long as the last one has to fit as well.
                if taken >= self.limit or size + length > BATCH_BYTES or self.enough:
                    self.limit = min(2 * self.limit, BATCH_ITEMS)
                    return
        except StopIteration:
            self.ended = True
        except BaseException as error:
            self.error = _as_exception(error)
            self.ended = True

    def _closables(self) -> tuple[object, ...]:
        iterator, iterable = self._iterator, self.iterable
        return (iterable,) if iterator is None or iterator is iterable else (iterator, iterable)

    def _close(self) -> None:
        failure: BaseException | None = None
        for body in self._closables():
            close: object = getattr(body, "close", None)
            if callable(close):
                try:
                    close()
                except BaseException as error:
                    failure = failure or error
        if failure is not None:
            closing = _as_exception(failure)
            if closing is failure:
                raise failure
            raise closing from failure


def _closes_at_once(body: object) -> bool:
    if isgenerator(body):
        return getgeneratorstate(body) in (GEN_CREATED, GEN_CLOSED)
    return not hasattr(body, "close")


def _as_exception(error: BaseException) -> Exception:
    """What can be raised in an event loop and means what it says.

    The cancellation of something else would be taken for the owner's own, `StopAsyncIteration` for the end of the
    items, `SystemExit` would end the loop: they come inside a `RuntimeError`, as `StopIteration` does in a generator.
    """
    if isinstance(error, Exception) and not isinstance(error, (StopAsyncIteration, StopIteration)):
        return error
    wrapped = RuntimeError(f"the iterable of a stream raised {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped


def _size_of(item: object) -> int:
    if type(item) is FrozenEvent:
        return len(item.data)
    return len(item) if isinstance(item, (bytes, bytearray, str)) else 0
