"""The driver of the tests: it performs the events of a machine in memory."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Final, assert_never, final

from heaven_core.app.app import App
from heaven_core.http.headers import Headers
from heaven_core.machine.loop import Gone, Interrupted, Sent, Step, steps_of
from heaven_core.machine.machine import Machine
from heaven_core.message.bodies import AnyIterable
from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
from heaven_core.protocol.needs import CloseStream, MakePage, NextItem
from heaven_core.protocol.outcome import Outcome
from heaven_core.runtime import Runtime
from heaven_core.testing.disk import Disk, OpenedFile
from heaven_core.testing.result import Result

__all__ = ["Driver", "Pulled"]


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
        """Close the iterable, started or not; what that raises is the answer to `CloseStream`."""
        body = self._iterable if self._iterator is None else self._iterator
        close: Callable[[], object] | None = getattr(body, "aclose", None) or getattr(body, "close", None)
        if close is None:
            return None
        try:
            result = close()
            if isinstance(result, Awaitable):
                await result
        except Exception as error:
            return error
        return None


@final
class Driver:
    """Performs the events of one machine, in memory, and tells the machine what the test wants to happen."""

    __slots__ = (
        "_app",
        "_disk",
        "_result",
        "_files",
        "_leave_after",
        "_machine",
        "_runtime",
        "_shut_down_after",
        "_tell",
    )

    def __init__(
        self,
        app: App,
        runtime: Runtime,
        tell: Callable[[Event | Outcome], None],
        disk: Disk,
        machine: Machine[Pulled],
        result: Result,
        *,
        leave_after: int | None,
        shut_down_after: int | None,
    ) -> None:
        self._app: Final = app
        self._runtime: Final = runtime
        self._tell: Final = tell
        self._disk: Final = disk
        self._machine: Final = machine
        self._result: Final = result
        self._leave_after: Final = leave_after
        self._shut_down_after: Final = math.inf if shut_down_after is None else shut_down_after
        self._files: Final[list[OpenedFile]] = []  # a file, and a precompressed sibling that goes out in its place

    async def run(self) -> None:
        """Drive the machine to its end."""
        steps = steps_of(self._machine, self._disk, self._files)
        try:
            step = next(steps)
            while True:
                if type(step) is NextItem:
                    step = await self._take_item(steps, step)
                elif type(step) is MakePage:
                    await step.make()
                    step = steps.send(None)
                elif type(step) is CloseStream:
                    step = steps.send(await step.stream.close())
                else:
                    step = steps.send(await self._perform(step))
        except StopIteration as ended:
            self._tell(ended.value)

    async def _take_item(self, steps: Generator[Step[Pulled], object, Outcome], need: NextItem[Pulled]) -> Step[Pulled]:
        if need.endless and len(self._result.events) >= self._shut_down_after:
            return steps.throw(Interrupted())
        try:
            item = await need.stream.next()
        except Exception as error:
            raised = error
        else:
            return steps.send(item)
        return steps.throw(raised)

    async def _perform(self, event: Event) -> Gone | Sent | None:
        result = self._result
        answer: Sent | None = None
        if self._leave_after == len(result.events) and type(event) is not Deferred:
            return Gone()
        result.events.append(event)
        match event:
            case Start():
                result.status = event.status
                result.headers = Headers(event.fields)
            case Chunk():
                result.body += event.data
            case FileRange():
                data = self._files[-1].read(event.offset, event.count)
                result.body += data
                answer = Sent(len(data))
            case End():
                result.ended = True
            case Reset():
                pass  # the client sees that nothing has ended the body
            case Deferred():
                if self._app.defer_runner is not None:
                    self._app.defer_runner.start(event.calls, self._app)
                else:
                    for call in event.calls:
                        await self._run(call)
            case _:
                assert_never(event)
        self._tell(event)
        return answer

    async def _run(self, call: DeferredCall) -> None:
        try:
            result = call.run(self._app)
            if isinstance(result, Awaitable):
                await result
        except Exception as error:
            self._app.report(error, f"deferred call {call.name}", self._runtime)
