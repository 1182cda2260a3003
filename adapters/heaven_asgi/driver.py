"""Performs the events of one machine as ASGI messages."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, assert_never, final

import anyio
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync as run_in_thread

from heaven_asgi.requests import HTTP1
from heaven_asgi.types import Message, Scope, Send
from heaven_asgi.waiting import Waiting, Woken
from heaven_asgi.zero_copy import extensions_of, left_of, path_of, zero_copy_message
from heaven_core.errors import ClientDisconnected
from heaven_core.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
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
from heaven_io.files import READ_SIZE, ReadableFile, open_async
from heaven_io.held import use_async
from heaven_io.listing import list_directory
from heaven_io.opening import open_file
from heaven_io.streams import Stream

__all__ = ["Driver"]

# A producer that never suspends, to a server whose send does not either, would keep everybody else from their turn, and
# so would never hear that its client has left: after this many bytes, with so many for each chunk, others have theirs.
_TURN: Final = 64 * 1024
_CHUNK_WEIGHT: Final = 1024

_CANCELLED_BETWEEN: Final = (
    "the stream was cancelled by itself between two items, as by a timeout or a task group round a yield: "
    "put it round what the stream awaits"
)


@final
class Driver:
    """One response on its way to `send`. `calls` is the deferred work that came of it.

    `watch` begins to watch for the client's leaving: called once, and only where sending can take long. `until_gone`
    waits until the server is done with the response, which it says in the same way. `tell` hears what was performed.
    """

    __slots__ = (
        "_broken", "_closing_limit", "_ended", "_error", "_extensions", "_files", "_greed", "_http1", "_length",
        "_lost", "_machine", "_send", "_sent", "_tell", "_until_gone", "_waiting", "_watch", "calls",
    )  # fmt: skip

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
        self._machine: Final = machine
        self._send: Final = send
        self._watch: Final = watch
        self._until_gone: Final = until_gone
        self._tell: Final = tell
        self._http1: Final[bool] = scope["http_version"] in HTTP1
        self._extensions: Final = extensions_of(scope)
        self._length: int | None = None  # of the body, as the head has it
        self._ended = False  # the server ends the body by itself
        self._closing_limit: Final = closing_limit
        self._waiting: Waiting | None = None
        self._files: Final[list[ReadableFile]] = []  # a file, and a precompressed sibling that goes out in its place
        self._sent = 0
        self._error: Exception | None = None  # of the disk
        self._lost = False  # nothing can be sent any more
        self._broken: Exception | None = None  # of `send`, while a stream was silent
        self._greed = 0
        self.calls: tuple[DeferredCall, ...] = ()

    async def run(self) -> None:
        """Drive the machine to its end. What is open is closed also when this is cancelled."""
        machine = self._machine
        try:
            await self._drive(machine.start())
        except BaseException as error:
            events = machine.disconnected(self._sent)
            if type(machine.need) in (OpenFile, UseFile, ListDirectory):
                events += machine.open_failed(error)  # what is opened too late closes itself
            with anyio.CancelScope(shield=True):
                await self._drive(events)
            if self._waiting is None or not self._waiting.is_taken_back(error):
                raise
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
                    events = machine.disconnected(self._sent)
                    self._lost = False
                    continue
            # What was known before an await may be stale: ask again.
            need = machine.need
            match need:
                case NextItem():
                    events = await self._next(need)
                case Deliver():
                    error, self._error = self._error, None
                    events = machine.delivered(self._sent, error)
                case OpenFile() | UseFile():
                    events = await self._open(need)
                case ListDirectory():
                    events = await self._list(need)
                case CloseStream():
                    events = machine.closed(await close_within(self._closing_limit, need.stream.aclose))
                case CloseFile():
                    events = machine.closed(await close_within(self._closing_limit, self._files.pop().close))
                case Finished():
                    if self._tell is not None:
                        self._tell(need.outcome)
                    return
                case _:
                    assert_never(need)

    async def _perform(self, events: tuple[Event, ...]) -> None:
        self._sent = 0
        ended = False
        for index, event in enumerate(events):
            kind = type(event)
            if type(event) is Chunk:
                # The last chunk of a body says itself that it is the last.
                ended = index + 1 < len(events) and type(events[index + 1]) is End
                await self._put({"type": "http.response.body", "body": event.data, "more_body": not ended})
                self._greed += len(event.data) + _CHUNK_WEIGHT
                if self._greed > _TURN:
                    self._greed = 0
                    await checkpoint()
            elif type(event) is Start:
                fields = [*event.fields, (b"connection", b"close")] if event.close and self._http1 else event.fields
                self._length = event.length
                await self._put({"type": "http.response.start", "status": event.status, "headers": fields})
            elif type(event) is FileRange:
                await self._put_range(event)
            elif type(event) is End:
                if not ended and not self._ended:
                    await self._put({"type": "http.response.body", "body": b"", "more_body": False})
            elif type(event) is Deferred:
                self.calls = event.calls
            elif type(event) is Reset:
                pass  # to return without a last body message is how ASGI says it
            else:
                assert_never(event)
            if self._lost and kind is not Deferred:
                return
            if self._tell is not None:
                self._tell(event)

    async def _put(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            self._lost = True
        # After the last message a server may say "disconnect" although the client has got everything.
        if self._waiting is not None and self._waiting.gone and message.get("more_body", True):
            self._lost = True

    async def _put_range(self, event: FileRange) -> None:
        file = self._files[-1]
        if event.count > READ_SIZE:
            # What one read gets is not worth the trouble, and only of what is read here is it known what has left.
            if self._extensions and file.fd is not None and await self._hand_over(event, file.fd, file.info.size):
                return
            self._watching()
        offset = event.offset
        end = offset + event.count
        while offset < end:
            try:
                data = await file.read_at(offset, min(READ_SIZE, end - offset))
            except Exception as error:  # of an open file that is the application's own it can be any
                self._error = error
                return
            if not data:
                return  # the file has become shorter, and the machine sees it by what was sent
            await self._put({"type": "http.response.body", "body": data, "more_body": True})
            if self._lost:
                return
            offset += len(data)
            self._sent += len(data)

    async def _hand_over(self, event: FileRange, fd: int, size: int) -> bool:
        """Let the server send it, if it can."""
        path = path_of(self._extensions, fd) if event.count == size == self._length else None
        if path is not None:
            self._ended = True
            try:
                await self._put(path.message)
                if not self._lost:
                    await self._until_gone()
            finally:
                path.close_later()
        else:
            message = zero_copy_message(self._extensions, fd, event.offset, event.count)
            if message is None:
                return False
            self._watching()
            await self._put(message)
        if not self._lost:
            self._sent = left_of(fd, event.offset, event.count)
        return True

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
            item = await waiting.next(need.stream, need.timeout, self._tick)
        except Woken as why:
            woken = True
            if why.given_up:
                machine.report(given_up(self._closing_limit), "closing")
        except StopAsyncIteration:
            ended = True
        except ClientDisconnected:  # the generator was reading the request
            return machine.disconnected()
        except Exception as error:
            failure = error
        if self._broken is not None:
            raise self._broken
        events = machine.disconnected() if waiting.gone or self._lost else ()
        self._lost = False
        if failure is not None and not self._is_decided():
            return events + machine.stream_failed(failure)
        if woken or type(machine.need) is not NextItem:
            return events
        return machine.exhausted() if ended else machine.produced(item)

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

    def _watching(self) -> Waiting:
        if self._waiting is None:
            self._waiting = self._watch()
        return self._waiting
