"""Bodies that are pulled where a call may block: where their response is sent, or in a thread of their own.

Here is no event loop. What is async runs as far as it awaits nothing; where it would wait it is told that it can't.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Protocol, TypeVar, final

from heaven_core._checks import is_awaitable
from heaven_core.machine.loop import Elapsed
from heaven_core.message.bodies import AnyIterable

__all__ = ["BlockingStream", "Stream", "ThreadStream", "run_here", "wait_for"]

R = TypeVar("R")

# How often code that awaits something is told that it can't, before it is given up.
_MOST_REFUSALS: Final = 100
# Seconds that closing a stream waits for a step that is under way in its thread.
_CLOSING_LIMIT: Final = 5.0


class Stream(Protocol):
    """A body that is pulled, as a blocking driver wants it."""

    def next(self, timeout: float | None) -> object:
        """The next item. Raises `StopIteration` at the end, and what the iterable raises.

        Raises `Elapsed` after `timeout` seconds, with the step still under way, where the stream can tell. One of a
        server's own may raise `Interrupted`, too: the server shuts down, and the item is no longer awaited.
        """
        ...

    def close(self) -> None:
        """Close the iterator, or the iterable if it never started. Raises what that raises."""
        ...


async def wait_for(awaitable: Awaitable[R]) -> R:
    """Await any awaitable, as a coroutine."""
    return await awaitable


def run_here(awaitable: Awaitable[R]) -> R:
    """What `awaitable` gives, without an event loop. Where it would wait it is given a `RuntimeError` that says so."""
    coroutine = wait_for(awaitable)
    try:
        coroutine.send(None)
        for _ in range(_MOST_REFUSALS):
            coroutine.throw(RuntimeError("this awaits something, and the server has no event loop to wait in"))
        coroutine.close()
    except StopIteration as ended:
        result: R = ended.value
        return result
    raise RuntimeError("this awaits something again and again, and the server has no event loop to wait in")


@final
class BlockingStream:
    """An iterable that is stepped where its response is sent. It knows no timeouts: a step takes as long as it takes.

    An async one is stepped as far as it awaits nothing; where it waits for something it has failed.
    """

    __slots__ = ("_async_iterator", "_iterable", "_iterator")

    def __init__(self, iterable: AnyIterable) -> None:
        self._iterable: Final = iterable
        self._iterator: Iterator[object] | None = None
        self._async_iterator: AsyncIterator[object] | None = None

    def next(self, timeout: float | None) -> object:
        """See `Stream`."""
        if self._iterator is None and self._async_iterator is None:
            if isinstance(self._iterable, AsyncIterable):
                self._async_iterator = aiter(self._iterable)
            else:
                self._iterator = iter(self._iterable)
        if self._iterator is not None:
            return next(self._iterator)
        assert self._async_iterator is not None  # made above
        try:
            return run_here(anext(self._async_iterator))
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """See `Stream`."""
        iterator = self._async_iterator if self._iterator is None else self._iterator  # either may be false, if empty
        iterable = self._iterable
        try:
            if iterator is not None:
                _close(iterator)
        finally:
            if iterable is not iterator:
                _close(iterable)


@final
class ThreadStream:
    """An iterable that is stepped in a thread of its own, so that its timeouts are kept: the head, the heartbeats.

    The thread is a daemon, begins with the first step and ends when the stream is closed. `closing_limit` is how many
    seconds closing waits for a step that is under way; then the stream is left to itself.
    """

    __slots__ = ("_closing_limit", "_jobs", "_results", "_stepping", "_stream")

    def __init__(self, iterable: AnyIterable, closing_limit: float = _CLOSING_LIMIT) -> None:
        self._stream: Final = BlockingStream(iterable)
        self._closing_limit: Final = closing_limit
        self._jobs: SimpleQueue[Callable[[], object] | None] | None = None
        self._results: Final[SimpleQueue[_Result]] = SimpleQueue()
        self._stepping: bool = False

    def next(self, timeout: float | None) -> object:
        """See `Stream`. After `Elapsed` the next call waits for the same step."""
        jobs = self._jobs
        if jobs is None:
            jobs = SimpleQueue[Callable[[], object] | None]()
            context = copy_context()  # that of the request: all steps share it, as in a `for` loop
            run = partial(context.run, _work, jobs, self._results)
            threading.Thread(target=run, name="heaven-core stream", daemon=True).start()
            self._jobs = jobs  # only now: a process that can start no more threads raises
        if not self._stepping:
            self._stepping = True
            jobs.put(partial(self._stream.next, None))
        try:
            result = self._results.get(timeout=None if timeout is None else min(timeout, threading.TIMEOUT_MAX))
        except Empty:
            raise Elapsed from None
        self._stepping = False
        if result.error is not None:
            raise result.error
        return result.value

    def close(self) -> None:
        """See `Stream`. Raises what a step under way raises, too; `TimeoutError` where it does not return in time."""
        jobs = self._jobs
        if jobs is None:
            self._stream.close()
            return
        jobs.put(self._stream.close)
        jobs.put(None)
        unheard: BaseException | None = None
        try:
            if self._stepping:
                unheard = self._results.get(timeout=self._closing_limit).error
                self._stepping = False
            result = self._results.get(timeout=self._closing_limit)
        except Empty:
            raise TimeoutError(f"closing it took more than {self._closing_limit:g} s and was given up") from None
        if result.error is not None:
            raise result.error
        if unheard is not None and not isinstance(unheard, StopIteration):
            raise unheard


@final
class _Result:
    __slots__ = ("error", "value")

    def __init__(self, value: object, error: BaseException | None) -> None:
        self.value: Final = value
        self.error: Final = error


def _work(jobs: SimpleQueue[Callable[[], object] | None], results: SimpleQueue[_Result]) -> None:
    while (job := jobs.get()) is not None:
        try:
            results.put(_Result(job(), None))
        except BaseException as error:
            results.put(_Result(None, error))


def _close(body: object) -> None:
    close: Callable[[], object] | None = getattr(body, "aclose", None) or getattr(body, "close", None)
    if close is not None:
        result = close()
        if is_awaitable(result):
            run_here(result)
