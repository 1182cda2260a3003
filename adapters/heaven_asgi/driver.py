"""Answers what a machine needs, and has its events sent."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, assert_never, final

import anyio
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync as run_in_thread

from heaven_asgi.open_streams import OpenStreams
from heaven_asgi.requests import Departure, Inbox
from heaven_asgi.sending import Sender
from heaven_asgi.types import Scope, Send
from heaven_asgi.waiting import Waiting, Woken
from heaven_asgi.waiting_asyncio import AsyncioWaiting
from heaven_asgi.waiting_trio import TrioWaiting
from heaven_core._typing import override
from heaven_core.errors import ClientDisconnected
from heaven_core.machine.machine import Machine
from heaven_core.protocol.events import Chunk, Event
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
from heaven_io.closing import close_within, given_up
from heaven_io.files import open_async
from heaven_io.held import use_async
from heaven_io.listing import list_directory
from heaven_io.opening import open_file
from heaven_io.streams import Stream

__all__ = ["Driver"]

_CANCELLED_BETWEEN: Final = (
    "the stream was cancelled by itself between two items, as by a timeout or a task group round a yield: "
    "put it round what the stream awaits"
)


@final
class Driver(Sender):
    """One response on its way to `send`, from the machine's first event to its last.

    `group` is for what goes on beside that on trio; on asyncio there is none.
    """

    __slots__ = ("_cancelled", "_closing_limit", "_machine", "_streams", "group")

    def __init__(
        self,
        machine: Machine[Stream],
        scope: Scope,
        send: Send,
        inbox: Inbox | Departure,
        streams: OpenStreams,
        tell: Callable[[Event | Outcome], None] | None,
        closing_limit: float,
    ) -> None:
        super().__init__(scope, send, inbox, tell)
        self._machine: Final = machine
        self._streams: Final = streams
        self._closing_limit: Final = closing_limit
        self._cancelled = False
        self.group: TaskGroup | None = None

    async def give_up(self, error: BaseException) -> bool:
        """`error` came out of `drive`: close what is open. Whether it was a cancellation that is taken back since."""
        machine = self._machine
        self._cancelled = True
        events = self._leave()
        if type(machine.need) in (OpenFile, UseFile, ListDirectory):
            events += machine.open_failed(error)  # what is opened too late closes itself
        with anyio.CancelScope(shield=True):
            await self.drive(events)
        if self._waiting is None or not self._waiting.is_taken_back(error):
            return False
        if not self._waiting.cut:
            machine.report(RuntimeError(_CANCELLED_BETWEEN), "stream")
        return True

    def stop(self) -> None:
        """End the watch for the client's leaving."""
        if self._waiting is not None:
            self._waiting.stop()

    async def drive(self, events: tuple[Event, ...] | None = None) -> None:
        """Drive the machine to its end: from its start, or from these events on."""
        machine = self._machine
        if events is None:
            events = machine.start()
        while True:
            if events:
                await self._perform(events)
                events = ()  # they are not to be kept while the next item is awaited
            if self._lost:
                self._lost = False
                events = self._leave()
                continue
            # What was known before an await may be stale: ask again.
            need = machine.need
            match need:
                case NextItem():
                    try:
                        item = await (self._waiting or self._watching()).next(need, self)
                    except Exception as error:
                        events = self._stopped(error)
                    else:
                        events = self._took(item)
                        del item
                        if len(events) == 1 and type(events[0]) is Chunk:
                            # One chunk, as nearly always: a tenth of what it costs less than in `_perform`.
                            if type(machine.need) is Deliver or not self._may_wait(events[0]):
                                await self._put_chunk(events[0], ended=False)
                            events = ()
                case Deliver():
                    failure, self._error = self._error, None
                    events = machine.delivered(self._sent, failure)
                case OpenFile() | UseFile():
                    events = await self._open(need)
                case ListDirectory():
                    events = await self._list(need)
                case CloseStream():
                    events = machine.closed(await self._close(need.stream.aclose))
                case CloseFile():
                    events = machine.closed(await self._close_file())
                case Finished():
                    if self._tell is not None:
                        self._tell(need.outcome)
                    return
                case _:
                    assert_never(need)

    async def _close_file(self) -> BaseException | None:
        assert self._files  # one that was opened
        error = await self._close(self._files[-1].close)
        self._files.pop()  # only now: where a cancellation comes out of it, the file is still asked to be closed
        return error

    async def _close(self, close: Callable[[], Awaitable[None]]) -> BaseException | None:
        try:
            return await close_within(self._closing_limit, close)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if not self._cancelled:
                raise
            return error  # once more: it is left to itself, so that the rest is still closed and deferred work runs

    async def _open(self, need: OpenFile | UseFile) -> tuple[Event, ...]:
        try:
            if type(need) is UseFile:
                file = await use_async(need.file)
            else:
                file = await open_async(partial(open_file, need.path, need.within))
        except Exception as error:
            return self._machine.open_failed(error)
        if self._files is None:
            self._files = []
        self._files.append(file)
        return self._machine.opened(file.info)

    async def _list(self, need: ListDirectory) -> tuple[Event, ...]:
        try:
            entries = await run_in_thread(list_directory, need.path, need.within)
        except Exception as error:
            return self._machine.open_failed(error)
        return self._machine.listed(entries)

    def _took(self, item: object) -> tuple[Event, ...]:
        events = () if self._broken is None and not self._lost and not self._inbox.gone else self._meanwhile()
        machine = self._machine
        return machine.produced(item) if type(machine.need) is NextItem else events

    def _stopped(self, error: Exception) -> tuple[Event, ...]:
        """The step has given no item."""
        machine = self._machine
        woken = type(error) is Woken
        if type(error) is Woken and error.given_up:
            machine.report(given_up(self._closing_limit), "closing")
        if isinstance(error, ClientDisconnected):  # the generator was reading the request
            return self._leave()
        ended = isinstance(error, StopAsyncIteration)
        events = self._meanwhile()
        if not ended and not woken and not self._is_decided():
            return events + machine.stream_failed(error)
        if type(machine.need) is not NextItem:
            return events
        # What was woken and is still wanted was woken by the shutdown.
        return machine.exhausted() if ended else machine.interrupted()

    def _meanwhile(self) -> tuple[Event, ...]:
        """What became of the response while the item was awaited."""
        if self._broken is not None:
            raise self._broken
        if not self._lost and not self._inbox.gone and not (self._waiting is not None and self._waiting.cut):
            return ()
        self._lost = False
        return self._leave()

    def _leave(self) -> tuple[Event, ...]:
        events = self._machine.disconnected(self._sent, self._unsent)
        self._kept = None
        return events

    def _is_decided(self) -> bool:
        """A tick has found the head impossible and sent a 500 instead, so that the item does not matter."""
        return type(self._machine.need) is Deliver

    async def tick(self) -> float | None:
        """See `Ticking`."""
        try:
            await self._perform(self._machine.elapsed())
        except Exception as error:
            self._broken = error  # the server's, for the owner to raise: it is not the stream that has failed
            return None
        need = self._machine.need
        if self._lost or type(need) is not NextItem:
            return None
        return math.inf if need.timeout is None else need.timeout

    @override
    def _is_all(self) -> bool:
        return type(self._machine.need) is Deliver

    @override
    def _watching(self) -> Waiting:
        waiting = self._waiting
        if waiting is None:
            if self.group is None:
                waiting = AsyncioWaiting(self._inbox, self._streams, self._closing_limit)
            else:
                waiting = TrioWaiting(self._inbox, self._streams, self.group)
            self._waiting = waiting
        return waiting
