"""A body that is pulled: what the machine adopts on every adapter that has an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Final, final

from heaven_core.message.bodies import AnyIterable, InOneThread
from heaven_core.protocol.frozen_event import as_it_is
from heaven_io.batches import BatchedIterator
from heaven_io.worker_threads import WorkerThreads

__all__ = ["Stream"]


@final
class Stream:
    """An async iterable in the task that calls `next`, or a sync one in batches in `threads`.

    Nothing of the application runs before the first `next`.
    """

    __slots__ = ("_iterable", "_iterator", "_threads")

    def __init__(self, iterable: AnyIterable, threads: WorkerThreads) -> None:
        self._iterable: Final = iterable
        self._threads: Final = threads
        self._iterator: AsyncIterator[object] | BatchedIterator | None = None

    def next(self, freeze: Callable[[object], object] = as_it_is) -> Awaitable[object]:
        """The next item, once it is awaited. Raises `StopAsyncIteration` at the end, and what the iterable raises.

        `freeze` is that of `NextItem`, for items that are taken ahead of time.
        """
        iterator = self._iterator
        if iterator is None:
            iterable = self._iterable
            iterator = aiter(iterable) if isinstance(iterable, AsyncIterable) else self._batched(iterable)
            self._iterator = iterator
        if isinstance(iterator, BatchedIterator):
            return iterator.next(freeze)
        return anext(iterator)

    async def aclose(self) -> None:
        """Close the iterator, and the iterable where that is another; what can't be closed is left alone.

        Raises what the first of them raises.
        """
        iterator = self._iterator
        iterable = self._iterable
        if not isinstance(iterable, AsyncIterable):
            batched = iterator if isinstance(iterator, BatchedIterator) else self._batched(iterable)
            await batched.aclose()
            return
        try:
            if iterator is not None and iterator is not iterable:
                await _aclose(iterator)
        finally:
            await _aclose(iterable)

    def _batched(self, iterable: Iterable[object]) -> BatchedIterator:
        if type(iterable) is InOneThread:
            return BatchedIterator(iterable.iterable, self._threads, own_thread=True)
        return BatchedIterator(iterable, self._threads)


async def _aclose(body: object) -> None:
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()
