"""Answers what a machine needs, and has its events sent."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, assert_never, final

import anyio
from anyio.to_thread import run_sync as run_in_thread

from heaven_asgi.sending import Sender
from heaven_asgi.types import Scope, Send
from heaven_asgi.waiting import Waiting, Woken
from heaven_core.errors import ClientDisconnected
from heaven_core.events import Event
from heaven_core.machine import Machine
from heaven_core.needs import (
    CloseFile,
    CloseStream,
    Deliver,
    Finished,
    ListDirectory,
    NextItem,
    OpenFile,
    UseFile,
)
from heaven_core.outcome import Outcome
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
    """One response on its way to `send`, from the machine's first event to its last."""

    __slots__ = ("_cancelled", "_closing_limit", "_machine")

    def __init__(
        self,
        machine: Machine[Stream],
        scope: Scope,
        send: Send,
        watch: Callable[[], Waiting],
        until_gone: Callable[[], Awaitable[None]],
        tell: Callable[[Event | Outcome], None] | None,
        closing_limit: float,
    ) -> None:
        super().__init__(scope, send, watch, until_gone, tell)
        self._machine: Final = machine
        self._closing_limit: Final = closing_limit
        self._cancelled = False

    async def run(self) -> None:
        """Drive the machine to its end. What is open is closed also when this is cancelled."""
        machine = self._machine
        try:
            await self._drive(machine.start())
        except BaseException as error:
            self._cancelled = True
            events = self._leave()
            if type(machine.need) in (OpenFile, UseFile, ListDirectory):
                events += machine.open_failed(error)  # what is opened too late closes itself
            with anyio.CancelScope(shield=True):
                await self._drive(events)
            if self._waiting is None or not self._waiting.is_taken_back(error):
                raise
            if not self._waiting.cut:
                machine.report(RuntimeError(_CANCELLED_BETWEEN), "stream")
        finally:
            if self._waiting is not None:
                self._waiting.stop()

    async def _drive(self, events: tuple[Event, ...]) -> None:
        machine = self._machine
        while True:
            if events:
                await self._perform(events)
                if self._lost:
                    events = self._leave()
                    self._lost = False
                    continue
            # What was known before an await may be stale: ask again.
            need = machine.need
            match need:
                case NextItem():
                    events = await self._next(need)
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
                    error = await self._close(self._files[-1].close)
                    # Only now: where a cancellation comes out of it, the file is still asked to be closed.
                    self._files.pop()
                    events = machine.closed(error)
                case Finished():
                    if self._tell is not None:
                        self._tell(need.outcome)
                    return
                case _:
                    assert_never(need)

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
        self._files.append(file)
        return self._machine.opened(file.info)

    async def _list(self, need: ListDirectory) -> tuple[Event, ...]:
        try:
            entries = await run_in_thread(list_directory, need.path, need.within)
        except Exception as error:
            return self._machine.open_failed(error)
        return self._machine.listed(entries)

    async def _next(self, need: NextItem[Stream]) -> tuple[Event, ...]:
        machine = self._machine
        waiting = self._watching()
        failure: Exception | None = None
        ended = woken = False
        item: object = None
        try:
            item = await waiting.next(need, self._tick)
        except Woken as why:
            woken = True
            if why.given_up:
                machine.report(given_up(self._closing_limit), "closing")
        except StopAsyncIteration:
            ended = True
        except ClientDisconnected:  # the generator was reading the request
            return self._leave()
        except Exception as error:
            failure = error
        if self._broken is not None:
            raise self._broken
        events = self._leave() if waiting.gone or self._lost else ()
        self._lost = False
        if failure is not None and not self._is_decided():
            return events + machine.stream_failed(failure)
        if type(machine.need) is not NextItem:
            return events
        if woken:
            return machine.interrupted()  # by the shutdown, since nothing else has ended it
        return machine.exhausted() if ended else machine.produced(item)

    def _leave(self) -> tuple[Event, ...]:
        events = self._machine.disconnected(self._sent, self._unsent)
        self._kept.clear()
        return events

    def _is_decided(self) -> bool:
        """A tick has found the head impossible and sent a 500 instead, so that the item does not matter."""
        return type(self._machine.need) is Deliver

    async def _tick(self) -> float | None:
        try:
            await self._perform(self._machine.elapsed())
        except Exception as error:
            self._broken = error  # the server's, for the owner to raise: it is not the stream that has failed
            return None
        need = self._machine.need
        if self._lost or type(need) is not NextItem:
            return None
        return math.inf if need.timeout is None else need.timeout
