"""The sending half of a driver: it performs events on a wire, and keeps the ledger of what has gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final, assert_never, final

from anyio.lowlevel import checkpoint

from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
from heaven_core.protocol.outcome import Outcome
from heaven_driver.stepping import Stepper
from heaven_driver.wire import Peer, SentPart, Wire
from heaven_io.cancelling import is_own_cancellation
from heaven_io.files import READ_SIZE, ReadableFile

__all__ = ["Outbox"]

# A producer that never suspends, on a wire that does not either, would keep everybody else from their turn, and so
# would never hear that its client has left: after this many bytes, with so many for each chunk, others have theirs.
_TURN: Final = 4 * 1024 * 1024
_CHUNK_WEIGHT: Final = 16 * 1024

# One send for each of many small chunks costs more than all else: those that come without the producer's ever having to
# wait are kept and go out together, so many bytes, with some for each chunk. None is kept while anybody waits, nor of a
# producer that is slow by itself: one that computes for so many seconds would keep the last one from the client.
_TOGETHER: Final = 64 * 1024
_KEPT_WEIGHT: Final = 128
_SMALL: Final = 16 * 1024  # what is larger is not copied for the sake of what is small
_SLOW: Final = 0.01


@final
class Outbox:
    """Performs the events of one response; `tell` hears of each when it has been performed.

    `stepper` is there once the driver watches for the client's leaving, which it does where sending can take long.
    `files` are those that are open: one, and perhaps a precompressed sibling that goes out in its place.

    What the driver reads of it: `lost`, nothing can be sent any more; `sent`, the bytes of the `FileRange` under way
    that have left; `error`, of the disk; `broken`, of the server, while nobody awaited the wire; `sending`, whether the
    wire is awaited; `calls`, the deferred work that came.
    """

    __slots__ = (
        "_bursting", "_greed", "_kept", "_kept_weight", "_left", "_slow_at", "_wire", "broken",
        "calls", "error", "files", "lost", "peer", "sending", "sent", "stepper", "tell",
    )  # fmt: skip

    def __init__(self, wire: Wire, peer: Peer, tell: Callable[[Event | Outcome], None] | None) -> None:
        self._wire: Final = wire
        self.peer: Final = peer
        self.tell: Final = tell
        self.stepper: Stepper | None = None
        self.files: list[ReadableFile] | None = None
        self.lost: bool = False
        self.sent: int = 0
        self.error: BaseException | None = None
        self.broken: Exception | None = None
        self.sending: bool = False
        self.calls: tuple[DeferredCall, ...] = ()
        self._left: int | None = None  # body bytes still to be handed to the wire, where the head has said how many
        self._greed = 0
        self._bursting = False  # nobody else has had a turn since a small chunk was sent
        self._kept: list[Chunk] | None = None
        self._kept_weight = 0
        self._slow_at = 0.0  # when the producer counts as slow, if nothing has come by then

    @property
    def unsent(self) -> int:
        """The bytes of the chunks that were kept, or could not be sent."""
        return sum([len(chunk.data) for chunk in self._kept or ()])

    def give_up(self) -> None:
        """Forget what was kept: nothing will be sent any more."""
        self._kept = None
        self.lost = self.sending = False

    async def perform(self, events: tuple[Event, ...]) -> None:
        """Perform the events, in order, or up to the one that can't be sent: then the response is `lost`."""
        self.sent = 0
        self.error = None
        ended = False
        for index, event in enumerate(events):
            following = type(events[index + 1]) if index + 1 < len(events) else None
            sending: Awaitable[None] | None = None
            if type(event) is Start:
                sending = self._send_head(event, following is not None)
            elif type(event) is Chunk:
                ended = following is End  # the last chunk of a body says itself that it is the last
                sending = self.put(event, ended)
            elif type(event) is FileRange:
                sending = self._send_range(event)
            elif type(event) is End:
                sending = None if ended else self._send_body(self._kept or (), True)
            elif type(event) is Reset:
                sending = self._send_body(self._kept, False) if self._kept else None
            elif type(event) is Deferred:
                self.calls = event.calls
            else:
                assert_never(event)
            if sending is not None:
                await sending
            if self.lost and type(event) is not Deferred:
                return
            if type(event) is Reset:
                self._wire.reset()
            if self.tell is not None and type(event) is not Chunk:  # chunks are told of when they have gone
                self.tell(event)

    def put(self, chunk: Chunk, ended: bool) -> Awaitable[None] | None:
        """Send a chunk, or keep it where it may go out with later ones. What is returned has to be awaited."""
        data = chunk.data
        size = len(data)
        if self._left is not None:
            self._left -= size
        kept = self._kept
        if self._bursting and size <= _SMALL and not ended and self._left != 0:
            now = monotonic()
            slow = now > self._slow_at
            self._slow_at = now + _SLOW
            weight = self._kept_weight + size + _KEPT_WEIGHT
            if not slow and weight <= _TOGETHER:
                if kept is None:
                    self._kept = [chunk]
                else:
                    kept.append(chunk)
                self._kept_weight = weight
                return None
        if kept is not None:
            if size > _SMALL or self._kept_weight + size > _TOGETHER:
                return self._send_after_kept(kept, chunk, ended, size)
            kept.append(chunk)
            return self._send_body(kept, ended, size)
        # One by itself, as `_send_body` would send it: a call and a list less for each chunk (benchmarks/chunks.py).
        self.sending = True
        waiting: Awaitable[None] | None = None
        try:
            waiting = self._wire.send_body((data,), ended)
        except OSError:
            self.lost = True
        return self._sent((chunk,), ended, size) if waiting is None else self._wait(waiting, (chunk,), ended, size)

    async def flush(self) -> bool:
        """Send what was kept, with nothing after it, and say whether anything more can be sent."""
        if self._kept:
            try:
                sending = self._send_body(self._kept, False)
                if sending is not None:
                    await sending
            except Exception as error:
                self.broken = error  # the server's, for the owner to raise: it is not the stream that has failed
        return not self.lost and self.broken is None

    async def _send_after_kept(self, kept: list[Chunk], chunk: Chunk, ended: bool, size: int) -> None:
        try:
            sending = self._send_body(kept, False)
            if sending is not None:
                await sending
        except BaseException:
            kept.append(chunk)  # it has not gone either
            raise
        if self.lost:
            kept.append(chunk)
            return
        sending = self._send_body((chunk,), ended, size)
        if sending is not None:
            await sending

    def _send_head(self, start: Start, more: bool) -> Awaitable[None] | None:
        self._left = start.length
        self.sending = True
        waiting: Awaitable[None] | None = None
        try:
            waiting = self._wire.send_head(start.status, start.fields, start.length, start.close, more)
        except OSError:
            self.lost = True
        return self._sent((), more, 0) if waiting is None else self._wait(waiting, (), more, 0)

    def _send_body(self, chunks: Sequence[Chunk], ended: bool, size: int = 0) -> Awaitable[None] | None:
        """Send these chunks; `size` is that of the one that came last, where it counts for who gets a turn."""
        return self._send([chunk.data for chunk in chunks], chunks, ended, size)

    def _send(self, data: Sequence[bytes], chunks: Sequence[Chunk], ended: bool, size: int) -> Awaitable[None] | None:
        """Send bytes, which are those of `chunks` or of a file."""
        self.sending = True
        waiting: Awaitable[None] | None = None
        try:
            waiting = self._wire.send_body(data, ended)
        except OSError:
            self.lost = True
        return self._sent(chunks, ended, size) if waiting is None else self._wait(waiting, chunks, ended, size)

    async def _wait(self, waiting: Awaitable[None], chunks: Sequence[Chunk], ended: bool, size: int) -> None:
        try:
            await waiting
        except OSError:
            self.lost = True
        turn = self._sent(chunks, ended, size)
        if turn is not None:
            await turn

    def _sent(self, chunks: Sequence[Chunk], ended: bool, size: int) -> Awaitable[None] | None:
        """Count a piece that the wire has taken. Gives others their turn, when that is returned and awaited."""
        self.sending = False
        # After the last byte a server may say "disconnect" although the client has got everything.
        if self.peer.gone and not ended and self._left != 0:
            self.lost = True
        if self.lost:
            return None
        if self._kept is not None:
            self._kept = None
            self._kept_weight = 0
            self._greed = _TURN  # it took as long to come as much more does in large chunks
        if self.tell is not None:
            for chunk in chunks:
                self.tell(chunk)
        if not size or ended or self.stepper is None:
            return None
        if size <= _SMALL:
            self._slow_at = monotonic() + _SLOW
            if not self._bursting:
                self.stepper.after_a_turn(self._end_burst)
                self._bursting = True
                self._greed = 0
        self._greed += size + _CHUNK_WEIGHT
        if self._greed <= _TURN:
            return None
        self._greed = 0
        return checkpoint()

    def _end_burst(self) -> None:
        """Send what was kept: the event loop has had its turn, so the owner has suspended, in a step or in sending."""
        self._bursting = False
        if self._kept and self.stepper is not None:
            self.stepper.perform_beside(self.flush)

    async def _send_range(self, event: FileRange) -> None:
        assert self.files  # a FileRange is of one that was opened
        file = self.files[-1]
        if self._kept:  # in a multipart body: the head of this part
            sending = self._send_body(self._kept, False)
            if sending is not None:
                await sending
            if self.lost:
                return
        offset = event.offset
        end = offset + event.count
        by_wire = True
        while offset < end:
            # What one read gets is not worth the trouble, and only of what is read here is it known what has left.
            if by_wire and end - offset > READ_SIZE:
                left = await self._send_file(file, offset, end - offset)
                by_wire = left is not None
                offset += left or 0
                if self.lost or offset == end:
                    return
            size = await self._send_piece(file, offset, min(READ_SIZE, end - offset))
            if not size:
                return
            offset += size

    async def _send_piece(self, file: ReadableFile, offset: int, count: int) -> int:
        """Read a piece of a file and send it: how many bytes, 0 where that is the end of it."""
        try:
            data = await file.read_at(offset, count)
        except Exception as error:  # of an open file that is the application's own it can be any
            self.error = error
            return 0
        except BaseException as error:
            if not is_own_cancellation(error):
                self.error = error  # it ends more than this response, and is its failure all the same
            raise
        if not data:
            return 0  # the file has become shorter, and the machine sees it by what was sent
        if self.peer.gone:
            self.lost = True
            return 0
        if self._left is not None:
            self._left -= len(data)
        sending = self._send((data,), (), False, 0)
        if sending is not None:
            await sending
        if self.lost:
            return 0
        self.sent += len(data)
        return len(data)

    async def _send_file(self, file: ReadableFile, offset: int, count: int) -> int | None:
        """Have the wire send a range without reading it: how many bytes have left, `None` where it can't."""
        sent = 0
        self.sending = True
        try:
            waiting = self._wire.send_file(file, offset, count, count == file.info.size == self._left)
            if waiting is None:
                return None
            sent = await waiting
        except SentPart as part:
            sent = part.sent
            self.lost = True
        except OSError:
            self.lost = True
        finally:
            self.sending = False
        self.sent += sent
        if self._left is not None:
            self._left -= sent
        if self.peer.gone and sent == count and self._left != 0:
            self.lost = True
        return sent
