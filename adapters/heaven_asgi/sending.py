"""The sending half of a driver: the events of a response as ASGI messages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import Final, assert_never

from anyio.lowlevel import checkpoint

from heaven_asgi.requests import HTTP1, Departure, Inbox
from heaven_asgi.types import Message, Scope, Send
from heaven_asgi.waiting import Waiting
from heaven_asgi.zero_copy import extensions_of, left_of, path_of, zero_copy_message
from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
from heaven_core.protocol.outcome import Outcome
from heaven_io.files import READ_SIZE, ReadableFile

__all__ = ["Sender"]

# A producer that never suspends, to a server whose send does not either, would keep everybody else from their turn, and
# so would never hear that its client has left: after this many bytes, with so many for each chunk, others have theirs.
_TURN: Final = 4 * 1024 * 1024
_CHUNK_WEIGHT: Final = 16 * 1024

# One message for each of many small chunks costs more than all else: those that come without the producer's ever having
# to wait are kept and go out together, so many bytes, with some for each chunk. None is kept while anybody waits, nor
# of a producer that is slow by itself: one that computes for so many seconds would keep the last one from the client.
_TOGETHER: Final = 64 * 1024
_KEPT_WEIGHT: Final = 128
_SMALL: Final = 16 * 1024  # what is larger is not copied for the sake of what is small
_SLOW: Final = 0.01


class Sender:
    """Performs events. `calls` is the deferred work that came.

    `inbox` says when the client has left, and is watched only where sending can take long; there the server says, too,
    that it is done with the response. `tell` hears what was performed.
    """

    __slots__ = (
        "_broken", "_ended", "_error", "_extensions", "_files", "_greed", "_http1", "_inbox", "_kept", "_kept_weight",
        "_length", "_lost", "_send", "_sent", "_slow_at", "_tell", "_waiting", "calls",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        send: Send,
        inbox: Inbox | Departure,
        tell: Callable[[Event | Outcome], None] | None,
    ) -> None:
        self._send: Final = send
        self._inbox: Final = inbox
        self._tell: Final = tell
        self._http1: Final[bool] = scope["http_version"] in HTTP1
        self._extensions: Final = extensions_of(scope)
        self._length: int | None = None  # of the body, as the head has it
        self._ended = False  # the server ends the body by itself
        self._waiting: Waiting | None = None
        self._files: list[ReadableFile] | None = None  # a file, and a precompressed sibling that goes out in its place
        self._sent = 0
        self._error: Exception | None = None  # of the disk
        self._lost = False  # nothing can be sent any more
        self._broken: Exception | None = None  # of `send`, while a stream was silent
        self._greed = 0
        self._kept: list[Chunk] | None = None
        self._kept_weight = 0
        self._slow_at = 0.0  # when the producer counts as slow, if nothing has come by then
        self.calls: tuple[DeferredCall, ...] = ()

    async def _perform(self, events: tuple[Event, ...]) -> None:
        self._sent = 0
        ended = False
        for index, event in enumerate(events):
            kind = type(event)
            if type(event) is Chunk:
                # The last chunk of a body says itself that it is the last.
                ended = index + 1 < len(events) and type(events[index + 1]) is End
                if ended or self._is_all() or not self._may_wait(event):
                    await self._put_chunk(event, ended)
                if self._lost:
                    return
                continue
            if type(event) is Start:
                fields = [*event.fields, (b"connection", b"close")] if event.close and self._http1 else event.fields
                self._length = event.length
                await self._put({"type": "http.response.start", "status": event.status, "headers": fields})
            elif type(event) is FileRange:
                await self._put_range(event)
            elif type(event) is End:
                if not ended and not self._ended:
                    await self._put_kept(ended=True)
            elif type(event) is Deferred:
                self.calls = event.calls
            elif type(event) is Reset:
                # To return without a last body message is how ASGI says it.
                if self._kept:
                    await self._put_kept(ended=False)
            else:
                assert_never(event)
            if self._lost and kind is not Deferred:
                return
            if self._tell is not None:
                self._tell(event)

    def _may_wait(self, chunk: Chunk) -> bool:
        """Keep it, if it may go out with later ones."""
        size = len(chunk.data)
        if size > _SMALL or self._waiting is None or not self._waiting.bursting:
            return False
        now = monotonic()
        slow = now > self._slow_at
        self._slow_at = now + _SLOW
        weight = self._kept_weight + size + _KEPT_WEIGHT
        if slow or weight > _TOGETHER:
            return False
        if self._kept is None:
            self._kept = []
        self._kept.append(chunk)
        self._kept_weight = weight
        self._waiting.keeping = True
        return True

    async def _put_chunk(self, chunk: Chunk, ended: bool) -> None:
        size = len(chunk.data)
        if self._kept is not None and (size > _SMALL or self._kept_weight + size > _TOGETHER):
            try:
                await self._put_kept(ended=False)
            except BaseException:
                self._kept.append(chunk)  # it has not gone either
                raise
        if self._kept is not None:
            self._kept.append(chunk)
            if not self._lost:
                await self._put_kept(ended)
        else:
            await self._put({"type": "http.response.body", "body": chunk.data, "more_body": not ended}, True)
            if self._tell is not None and not self._lost:
                self._tell(chunk)
        if self._lost or ended or self._waiting is None:
            return
        if size <= _SMALL:
            self._slow_at = monotonic() + _SLOW
            if self._waiting.burst(self._flush):
                self._greed = 0
        self._greed += size + _CHUNK_WEIGHT
        if self._greed > _TURN:
            self._greed = 0
            await checkpoint()

    async def _put_kept(self, ended: bool) -> None:
        """Send all that was kept, if there is anything, in one message, which may be the last."""
        kept = self._kept or ()
        data = b"".join([chunk.data for chunk in kept])
        await self._put({"type": "http.response.body", "body": data, "more_body": not ended}, True)
        if self._lost:
            return
        if self._kept_weight:
            self._greed = _TURN  # it took as long to come as much more does in large chunks
            self._kept_weight = 0
        self._kept = None
        if self._waiting is not None:
            self._waiting.keeping = False
        if self._tell is not None:
            for chunk in kept:
                self._tell(chunk)

    async def _flush(self) -> bool:
        """Send what was kept while the owner waits for an item. Whether that is still wanted."""
        if self._kept:
            try:
                await self._put_kept(ended=False)
            except Exception as error:
                self._broken = error  # the server's, for the owner to raise: it is not the stream that has failed
        return not self._lost and self._broken is None

    @property
    def _unsent(self) -> int:
        """The bytes of the chunks that were kept, or could not be sent."""
        return sum([len(chunk.data) for chunk in self._kept or ()])

    async def _put(self, message: Message, chunk: bool = False) -> None:
        waiting = self._waiting
        if waiting is None:
            try:
                await self._send(message)
            except OSError:
                self._lost = True
            return
        waiting.sending = True
        try:
            await self._send(message)
        except OSError:
            self._lost = True
        finally:
            waiting.sending = False
        # After the last byte a server may say "disconnect" although the client has got everything.
        if self._inbox.gone and not (chunk and self._is_all()):
            self._lost = True

    async def _put_range(self, event: FileRange) -> None:
        assert self._files  # a FileRange is of one that was opened
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
                    await self._inbox.watch()
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

    @abstractmethod
    def _is_all(self) -> bool:
        """Whether the chunks that are performed now complete the body, as far as anybody has promised it."""

    @abstractmethod
    def _watching(self) -> Waiting:
        """Begin to watch for the client's leaving, if that has not happened yet."""
