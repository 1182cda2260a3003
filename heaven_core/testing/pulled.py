"""A body that is pulled where the test runs."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, final

from heaven_core.message.bodies import AnyIterable

__all__ = ["Pulled"]


@final
class Pulled:
    """A body that is pulled where the test runs: no thread, no task."""

    __slots__ = ("_iterable", "_iterator")

    def __init__(self, iterable: AnyIterable) -> None:
        self._iterable: Final = iterable
        self._iterator: AsyncIterator[object] | Iterator[object] | None = None

    async def next(self) -> object:
        """The next item. Raises `StopAsyncIteration` at the end, and what the iterable raises."""
        if self._iterator is None:
            iterable = self._iterable
            self._iterator = aiter(iterable) if isinstance(iterable, AsyncIterable) else iter(iterable)
        if isinstance(self._iterator, AsyncIterator):
            return await anext(self._iterator)
        try:
            return next(self._iterator)
        except StopIteration:
            raise StopAsyncIteration from None

    async def close(self) -> Exception | None:
        """Close the iterator and, where it is another, the iterable. What raises is the answer to `CloseStream`."""
        failure: Exception | None = None
        for body in (self._iterator, None if self._iterator is self._iterable else self._iterable):
            close: Callable[[], object] | None = getattr(body, "aclose", None) or getattr(body, "close", None)
            if close is None:
                continue
            try:
                result = close()
                if isinstance(result, Awaitable):
                    await result
            except Exception as error:
                failure = failure or error
        return failure
