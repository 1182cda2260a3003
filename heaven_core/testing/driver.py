"""The driver of the tests: it performs the events of a machine in memory."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, assert_never, final

from heaven_core.app.app import App
from heaven_core.errors import ClientDisconnected
from heaven_core.http.headers import Headers
from heaven_core.machine.machine import Machine
from heaven_core.message.bodies import AnyIterable
from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
from heaven_core.protocol.needs import (
    CloseFile,
    CloseStream,
    Deliver,
    Finished,
    ListDirectory,
    NextItem,
    OpenFile,
    UseFile,
)
from heaven_core.protocol.outcome import Outcome
from heaven_core.runtime import Runtime
from heaven_core.testing.disk import Disk, OpenedFile
from heaven_core.testing.result import Exchange

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
        """Close it, started or not; what that raises is the answer to `CloseStream`."""
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
    """Performs the events of one machine, in memory. Short enough to be read as an example of a driver."""

    __slots__ = (
        "_app",
        "_disk",
        "_exchange",
        "_files",
        "_leave_after",
        "_machine",
        "_runtime",
        "_sent",
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
        exchange: Exchange,
        leave_after: int | None,
        shut_down_after: int | None,
    ) -> None:
        self._app: Final = app
        self._runtime: Final = runtime
        self._tell: Final = tell
        self._disk: Final = disk
        self._machine: Final = machine
        self._exchange: Final = exchange
        self._leave_after: Final = leave_after
        self._shut_down_after: Final = math.inf if shut_down_after is None else shut_down_after
        self._files: Final[list[OpenedFile]] = []  # a file, and a precompressed sibling that goes out in its place
        self._sent = 0

    async def run(self) -> None:
        """Drive the machine to its end."""
        machine = self._machine
        events = machine.start()
        while True:
            for event in events:
                if self._leave_after == len(self._exchange.events) and type(event) is not Deferred:
                    for left in machine.disconnected(self._sent):
                        await self._perform(left)
                    break
                await self._perform(event)
            need = machine.need
            match need:
                case OpenFile() | UseFile():
                    try:
                        self._files.append(self._disk.open(need))
                    except Exception as error:  # of an open file that is the application's own it can be any
                        events = machine.open_failed(error)
                    else:
                        events = machine.opened(self._files[-1].info)
                case ListDirectory():
                    try:
                        events = machine.listed(self._disk.entries(need))
                    except OSError as error:
                        events = machine.open_failed(error)
                case NextItem() if need.endless and len(self._exchange.events) >= self._shut_down_after:
                    events = machine.interrupted()
                case NextItem():
                    try:
                        item = await need.stream.next()
                    except StopAsyncIteration:
                        events = machine.exhausted()
                    except ClientDisconnected:  # the generator was reading the request
                        events = machine.disconnected()
                    except Exception as error:
                        events = machine.stream_failed(error)
                    else:
                        events = machine.produced(item)
                case Deliver():
                    events = machine.delivered(self._sent)
                case CloseStream():
                    events = machine.closed(await need.stream.close())
                case CloseFile():
                    self._files.pop().close()
                    events = machine.closed()
                case Finished():
                    self._tell(need.outcome)
                    return
                case _:
                    assert_never(need)

    async def _perform(self, event: Event) -> None:
        exchange = self._exchange
        exchange.events.append(event)
        self._sent = 0
        match event:
            case Start():
                exchange.status = event.status
                exchange.headers = Headers(event.fields)
            case Chunk():
                exchange.body += event.data
            case FileRange():
                data = self._files[-1].read(event.offset, event.count)
                exchange.body += data
                self._sent = len(data)
            case End():
                exchange.ended = True
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

    async def _run(self, call: DeferredCall) -> None:
        try:
            result = call.run(self._app)
            if isinstance(result, Awaitable):
                await result
        except Exception as error:
            self._app.report(error, f"deferred call {call.name}", self._runtime)
