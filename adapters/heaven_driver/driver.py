"""Answers what a machine needs, and has its events performed."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, assert_never, final

import anyio
from anyio.abc import TaskGroup

from heaven_core.errors import ClientDisconnected
from heaven_core.machine.machine import Machine
from heaven_core.protocol.events import Chunk, DeferredCall, Event, FileRange
from heaven_core.protocol.needs import (
    CloseFile,
    CloseStream,
    Deliver,
    Finished,
    ListDirectory,
    MakePage,
    NextItem,
    OpenFile,
    UseFile,
)
from heaven_core.protocol.outcome import Outcome
from heaven_driver.outbox import Outbox
from heaven_driver.shutdown import OpenStreams
from heaven_driver.stepping import Stepper, Woken
from heaven_driver.stepping_asyncio import AsyncioStepper
from heaven_driver.wire import Peer, Wire
from heaven_io.cancelling import is_own_cancellation
from heaven_io.closing import close_within, given_up
from heaven_io.files import READ_SIZE, open_async
from heaven_io.held import use_async
from heaven_io.in_threads import work_on_file
from heaven_io.listing import list_directory
from heaven_io.opening import open_file
from heaven_io.streams import Stream

__all__ = ["Driver"]

_CANCELLED_BETWEEN: Final = (
    "the stream was cancelled by itself between two items, as by a timeout or a task group round a yield: "
    "put it round what the stream awaits"
)


# How far it has come.
_DRIVING: Final = 0
_DECIDED: Final = 1  # a tick has found the head impossible and sent a 500 instead, so that no item matters any more
_CANCELLED: Final = 2


@final
class Driver:
    """One response on its way to its wire, from the machine's first event to its last.

    `group` is for what goes on beside that on trio; on asyncio there is none.
    """

    __slots__ = ("_machine", "_outbox", "_stage", "_streams", "group")

    def __init__(
        self,
        machine: Machine[Stream],
        wire: Wire,
        peer: Peer,
        streams: OpenStreams,
        tell: Callable[[Event | Outcome], None] | None,
    ) -> None:
        self._machine: Final = machine
        self._outbox: Final = Outbox(wire, peer, tell)
        self._streams: Final = streams
        self._stage = _DRIVING
        self.group: TaskGroup | None = None

    @property
    def calls(self) -> tuple[DeferredCall, ...]:
        """The deferred work that came."""
        return self._outbox.calls

    async def give_up(self, error: BaseException) -> bool:
        """`error` came out of `drive`: close what is open. Whether it was a cancellation that is taken back since."""
        machine = self._machine
        self._stage = _CANCELLED
        stepper = self._outbox.stepper
        if stepper is not None and stepper.hurried:
            machine.report(given_up(self._streams.closing_limit), "closing")
        ends_the_process = not isinstance(error, (Exception, GeneratorExit)) and not is_own_cancellation(error)
        if ends_the_process:  # what is made of it is not sent: all of it ends
            self._fail(error)
        events = self._leave()
        if type(machine.need) in (OpenFile, UseFile, ListDirectory):
            events += machine.open_failed(error)  # what is opened too late closes itself
        elif type(machine.need) is MakePage:
            events += machine.page_made()
        with anyio.CancelScope(shield=True):
            await self.drive(events)
        stepper = self._outbox.stepper  # which may have been made meanwhile
        if stepper is None or not stepper.is_taken_back(error):
            return False
        if not stepper.cut:
            machine.report(RuntimeError(_CANCELLED_BETWEEN), "stream")
        return True

    def _fail(self, error: BaseException) -> None:
        machine = self._machine
        need = machine.need
        if type(need) is NextItem:
            machine.stream_failed(error)
        elif type(need) is OpenFile or type(need) is UseFile or type(need) is ListDirectory:
            machine.open_failed(error)
        elif type(need) is Deliver and self._outbox.error is error:  # reading a file has raised it
            machine.delivered(self._outbox.sent, error)

    def stop(self) -> None:
        """End the watch for the client's leaving."""
        stepper, self._outbox.stepper = self._outbox.stepper, None  # which ends the circle of references between them
        if stepper is not None:
            stepper.stop()

    async def drive(self, events: tuple[Event, ...] | None = None) -> None:  # noqa: C901, PLR0912, PLR0915  # an arm a need
        """Drive the machine to its end: from its start, or from these events on."""
        machine = self._machine
        outbox = self._outbox
        if events is None:
            events = machine.start()
        while True:
            if events:
                if _takes_long(events[-1]):
                    self._watching(False)
                await outbox.perform(events)
                events = ()  # they are not to be kept while the next item is awaited
            if outbox.lost:
                events = self._leave()
                continue
            # What was known before an await may be stale: ask again.
            need = machine.need
            match need:
                case NextItem():
                    try:
                        item = await (outbox.stepper or self._watching(True)).next(need, self)
                    except Exception as error:
                        events = self._stopped(error)
                    else:
                        # PERF: no call of its own (benchmarks/chunks.py). What was known of the outbox before the await
                        # may be stale, and type checkers don't know it of a name that is not bound again.
                        outbox = self._outbox
                        if (
                            outbox.broken is None
                            and not outbox.lost
                            and not outbox.peer.gone
                            and self._stage == _DRIVING
                        ):
                            events = machine.produced(item)
                        else:
                            events = self._took(item)
                        del item
                        if len(events) == 1 and type(events[0]) is Chunk:
                            # One chunk, as nearly always: a tenth of what it costs less than in `perform`.
                            sending = outbox.put(events[0], False)
                            events = ()
                            if sending is not None:
                                await sending
                                del sending
                case Deliver():
                    events = machine.delivered(outbox.sent, outbox.error)
                case OpenFile() | UseFile():
                    events = await self._open(need)
                case ListDirectory():
                    events = await self._list(need)
                case MakePage():
                    await need.make()
                    events = machine.page_made()
                case CloseStream():
                    events = machine.closed(await self._close(need.stream.aclose))
                case CloseFile():
                    events = machine.closed(await self._close_file())
                case Finished():
                    if outbox.tell is not None:
                        outbox.tell(need.outcome)
                    return
                case _:
                    assert_never(need)

    async def _close_file(self) -> BaseException | None:
        files = self._outbox.files
        assert files  # one that was opened
        error = await self._close(files[-1].close)
        files.pop()  # only now: where a cancellation comes out of it, the file is still asked to be closed
        return error

    async def _close(self, close: Callable[[], Awaitable[None]]) -> BaseException | None:
        try:
            return await close_within(self._streams.closing_limit, close)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if self._stage != _CANCELLED:
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
        outbox = self._outbox
        if outbox.files is None:
            outbox.files = []
        outbox.files.append(file)
        return self._machine.opened(file.info)

    async def _list(self, need: ListDirectory) -> tuple[Event, ...]:
        try:
            page = await work_on_file(_list, need)
        except Exception as error:
            return self._machine.open_failed(error)
        return self._machine.listed(page)

    def _took(self, item: object) -> tuple[Event, ...]:
        """Tell the machine of an item that has come while something else has happened."""
        events = self._meanwhile()
        machine = self._machine
        return machine.produced(item) if type(machine.need) is NextItem else events

    def _stopped(self, error: Exception) -> tuple[Event, ...]:
        """Tell the machine of a step that has given no item."""
        machine = self._machine
        woken = type(error) is Woken
        if type(error) is Woken and error.given_up:
            machine.report(given_up(self._streams.closing_limit), "closing")
        if isinstance(error, ClientDisconnected):  # the generator was reading the request
            return self._leave()
        ended = isinstance(error, StopAsyncIteration)
        events = self._meanwhile()
        if not ended and not woken and self._stage != _DECIDED:
            return events + machine.stream_failed(error)
        if type(machine.need) is not NextItem:
            return events
        # What was woken and is still wanted was woken by the shutdown.
        return machine.exhausted() if ended else machine.interrupted()

    def _meanwhile(self) -> tuple[Event, ...]:
        """What became of the response while the item was awaited."""
        outbox = self._outbox
        if outbox.broken is not None:
            raise outbox.broken
        if not outbox.lost and not outbox.peer.gone and not (outbox.stepper is not None and outbox.stepper.cut):
            return ()
        return self._leave()

    def _leave(self) -> tuple[Event, ...]:
        outbox = self._outbox
        events = self._machine.disconnected(outbox.sent, outbox.unsent)
        outbox.give_up()
        return events

    async def tick(self) -> float | None:
        """See `Ticking`."""
        outbox = self._outbox
        try:
            await outbox.perform(self._machine.elapsed())
        except Exception as error:
            outbox.broken = error  # the server's, for the owner to raise: it is not the stream that has failed
            return None
        need = self._machine.need
        if type(need) is not NextItem:
            self._stage = _DECIDED
            return None
        if outbox.lost:
            return None
        return math.inf if need.timeout is None else need.timeout

    def _watching(self, streaming: bool) -> Stepper:
        """Begin to watch for the client's leaving, if that has not happened yet."""
        outbox = self._outbox
        stepper = outbox.stepper
        if stepper is None:
            if self.group is None:
                stepper = AsyncioStepper(outbox, self._streams, streaming)
            else:
                from heaven_driver.stepping_trio import TrioStepper  # noqa: PLC0415  (nobody on asyncio needs trio)

                stepper = TrioStepper(outbox, self._streams, streaming, self.group)
            outbox.stepper = stepper
        return stepper


def _list(need: ListDirectory) -> str:
    return need.page(list_directory(need.path, need.within))


def _takes_long(event: Event) -> bool:
    return type(event) is FileRange and event.count > READ_SIZE
