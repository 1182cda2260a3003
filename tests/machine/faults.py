"""A driver that follows a script: what may come at each step, and what may go wrong there.

`Play.choices` are all the things that may happen next, as far as docs/drivers.md allows them. What comes of them is
kept, and judged, by `Books`.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator
from errno import EACCES, EISDIR, EMFILE, ENOENT
from functools import partial
from typing import Final, TypeAlias, final

from heaven_core import BadRequest, Chunk, ClientDisconnected, Deferred, End, FileInfo, FileRange, Reset, Start
from heaven_core.message.draft import CLIENT_LEFT
from heaven_core.message.response import draft_of
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
from heaven_io.blocking_streams import run_here
from tests.machine.books import Adopted, Books, Case, Events

__all__ = ["ITEM", "Play"]

ITEMS: Final = 3
ITEM: Final = b"ab"
BYE: Final = b"data: bye\n\n"
SIZE: Final = 5  # of each file that is not empty
OLD, NEW = 0, 10**9  # in nanoseconds: when files were changed

Choice: TypeAlias = tuple[str, Callable[[], None]]


@final
class Play(Books):
    """`story` are the choices that were taken."""

    def __init__(self, case: Case, pairs: set[tuple[str, str]]) -> None:
        super().__init__(case, pairs)
        self.story: Final[list[str]] = []
        self.done = False
        self.steps = 0  # that gave an item
        self.ticks = 0  # timeouts in this step
        self.in_step = self.pulled = False
        self.owed: str | None = None  # what was being done when the client left, and may still be answered
        self.yielded = b""  # as it has to go out
        self.fulfilled = False  # what was promised has been delivered
        self.has_page = False
        self.quiet = False  # after a cancellation nothing else goes wrong

    def do(self, choice: Choice) -> None:
        self.story.append(choice[0])
        choice[1]()

    def choices(self) -> list[Choice]:
        """All that may happen next, first of all what goes well; nothing when all is over."""
        if self.done:
            return []
        if not self.begun:
            start: Choice = ("start", self._start)
            gone = [("leave before the start", self._leave), ("cancel in the handler", self._cancel_the_handler)]
            return [start] if self.left or draft_of(self.response).refusal is CLIENT_LEFT else [start, *gone]
        if self.hand:
            return list(self._performances())
        answers = list(self._answers())
        if self.quiet:
            return answers[:1]
        return answers if self.left else [*answers, *self._leavings()]

    # The events

    def _performances(self) -> Iterator[Choice]:
        """All of them; or the client is lost, or the task cancelled, at one, which may be half done."""
        yield "perform", partial(self.perform, len(self.hand))
        if self.left or type(self.hand[0]) is Deferred:
            return
        for index, event in enumerate(self.hand):
            for sent in (0, event.count - 1) if type(event) is FileRange and event.count > 1 else (0,):
                yield f"lost at {index}, {sent} bytes sent", partial(self._lose, index, sent, self._leave)
            yield f"cancelled at {index}", partial(self._lose, index, 0, self._cancel)

    def _lose(self, index: int, sent: int, how: Callable[[int], None]) -> None:
        self.perform(index)
        how(sent)

    # The answers

    def _start(self) -> None:
        self.begun = True
        if draft_of(self.response).refusal is CLIENT_LEFT:
            self.left, self.kind = True, "disconnected"
        self.say("start", self.machine.start)

    def _answers(self) -> Iterator[Choice]:
        need = self.machine.need
        if self.owed == "item":
            yield from self._items(None)
        elif self.owed == "delivery":
            yield from self._late_deliveries()
        if type(need) is NextItem:
            assert need.stream not in self.closed_streams
            self.in_step = self.pulled = True
            yield from self._items(need.timeout)
        elif type(need) is Deliver:
            yield from self._deliveries()
        elif type(need) is CloseStream:
            assert need.stream not in self.closed_streams
            for closing in (None, ValueError("closing")):
                yield f"stream closed: {closing}", partial(self._close_stream, need.stream, closing)
        elif type(need) is CloseFile:
            assert self.sizes
            for closing in (None, ValueError("closing")):
                yield f"file closed: {closing}", partial(self._close_file, closing)
        elif type(need) is Finished:
            yield "finished", self._finish
        elif type(need) is MakePage:
            yield "page made", partial(self._page_made, need)
        else:
            yield from self._openings(type(need) is ListDirectory)

    def _finish(self) -> None:
        self.done = True

    def _page_made(self, need: MakePage) -> None:
        run_here(need.make())
        self.pulled = False
        self.has_page = True
        self.say("page_made", self.machine.page_made)

    def _items(self, timeout: float | None) -> Iterator[Choice]:
        machine = self.machine
        if self.steps < ITEMS:
            yield "item", partial(self._item, ITEM)
            if not self.steps:
                yield "empty item", partial(self._item, b"")
        yield "exhausted", partial(self._step, "exhausted", machine.exhausted, failure=bool(self.room))
        yield "bad item", partial(self._step, "produced", partial(machine.produced, object()), failure=True)
        yield "failed", partial(self._step, "stream_failed", partial(machine.stream_failed, KeyError()), failure=True)
        if self.case.reads:
            yield "can't be served", self._refuse
            yield "says that the client has left", self._say_left
        yield "interrupted", self._interrupt
        if self.ticks < 2 if timeout is not None or self.fulfilled else self.owed is not None and not self.ticks:
            yield "elapsed", self._tick

    def _item(self, item: bytes) -> None:
        self.steps += 1
        data = b"data: %b\n\n" % item if self.case.sse else item
        failure = self.room is not None and self.room < len(data)
        self.room = None if self.room is None else max(0, self.room - len(data))
        if self.kind is None and not failure:
            self.yielded += data
        self._step("produced", partial(self.machine.produced, item), failure=failure)

    def _interrupt(self) -> None:
        """The server shuts down: only events end in order, with their last one, and what they promised is kept."""
        ends = self.case.sse and not self.room
        if self.kind is None and ends and self.case.promise is None:
            self.yielded += BYE
        self._step("interrupted", self.machine.interrupted, failure=not ends)

    def _refuse(self) -> None:
        begun = any(type(event) is Start for event in self.handed_out)
        self.refused = self.kind is None and not begun
        call = partial(self.machine.stream_failed, BadRequest("no"))
        self._step("stream_failed", call, failure=begun)

    def _say_left(self) -> None:
        if self.kind is None:
            self.sent += self.pending
            if self.pending:
                self.chunks.append(self.pending)
            self.pending = 0
            self.kind = "complete" if self.fulfilled else "disconnected"
        self.left = True
        self._step("stream_failed", partial(self.machine.stream_failed, ClientDisconnected("gone")))

    def _step(self, name: str, call: Callable[[], Events], *, failure: bool = False) -> None:
        self.in_step, self.owed, self.ticks = False, None, 0
        self.say(name, call, failure=failure)

    def _tick(self) -> None:
        self.ticks += 1
        self.say("elapsed", self.machine.elapsed)

    def _openings(self, listing: bool) -> Iterator[Choice]:
        machine = self.machine
        if listing:
            yield "listed", partial(self.say, "listed", partial(machine.listed, "page"))
        else:
            for size, changed in ((SIZE, NEW), (0, NEW), (SIZE, OLD)):
                yield f"opened, {size} bytes of {changed}", partial(self._open, FileInfo(size, changed))
        for code in (ENOENT, EACCES, EISDIR, EMFILE):
            call = partial(machine.open_failed, OSError(code, "no"))
            sibling = bool(self.sizes) and self.machine.state == "OPENING_SIBLING"
            lost = self.has_page and not sibling  # an application whose own page is missing has failed
            yield f"not opened: {code}", partial(self.say, "open_failed", call, failure=code == EMFILE or lost)

    def _open(self, info: FileInfo) -> None:
        self.opened += 1
        self.sizes.append(info.size)
        self.say("opened", partial(self.machine.opened, info))

    def _deliveries(self) -> Iterator[Choice]:
        last = self.performed[-1]
        count = last.count if type(last) is FileRange else 0
        for sent in (count, count - 1) if count else (0,):
            for error in (None, OSError("disk or wire")):
                yield f"delivered {sent}: {error}", partial(self._deliver, sent, count, error)

    def _deliver(self, sent: int, count: int, error: OSError | None) -> None:
        self.sent += sent
        over = type(self.performed[-1]) in (End, Reset)
        failure = sent < count or error is not None
        self.fulfilled = type(self.performed[-1]) in (Chunk, Start) and not failure
        if over:
            self.kind = "failed" if self.failed or failure else "complete"
            self.sent += self.pending
        self.say("delivered", partial(self.machine.delivered, sent, error), failure=failure)

    def _late_deliveries(self) -> Iterator[Choice]:
        for sent, error in ((0, None), (1, None), (0, OSError("late"))):
            call = partial(self.machine.delivered, sent, error)
            yield f"delivered {sent} late: {error}", partial(self._step, "delivered", call)

    def _close_stream(self, stream: Adopted, error: ValueError | None) -> None:
        self.closed_streams.append(stream)
        self.owed = None  # who closes it has waited for its step
        self.say("closed", partial(self.machine.closed, error))

    def _close_file(self, error: ValueError | None) -> None:
        self.closed_files += 1
        self.sizes.pop()
        self.owed = None
        self.say("closed", partial(self.machine.closed, error))

    # Who goes

    def _leavings(self) -> Iterator[Choice]:
        need = self.machine.need
        yield "leave", self._leave
        yield "cancel", self._cancel
        last = self.performed[-1] if self.performed else None
        if type(need) is Deliver and type(last) is FileRange:
            yield "leave, all sent", partial(self._leave, last.count)
        if self.kind is None and self.chunks and not self.opened and not self.fulfilled:
            yield "leave, one more chunk kept", partial(self._leave, 0, self.chunks[-1])

    def _leave(self, sent: int = 0, kept: int = 0) -> None:
        """`kept` bytes of chunks were taken for sent by the machine, and were not."""
        need = self.machine.need if self.begun else None
        if self.kind is None:
            # Who has had all that was promised may go.
            had_all = self.fulfilled and type(need) is NextItem
            self.kind = "failed" if self.failed else "complete" if had_all else "disconnected"
            self.sent += sent - kept
            self.owed = "delivery" if type(need) is Deliver else "item" if self.in_step else None
        self.left = True
        unsent = self.pending + kept if kept else 0
        self.say("disconnected", partial(self.machine.disconnected, sent, unsent))
        self.pairs.add((self.machine.state, "disconnected"))
        assert self.machine.disconnected() == (), "nothing happens the second time"

    def _cancel(self, sent: int = 0) -> None:
        """What is being opened closes itself, and the late answer of anything else is never given."""
        opening = type(self.machine.need) in (OpenFile, UseFile, ListDirectory)
        paging = type(self.machine.need) is MakePage
        self._leave(sent)
        self.quiet, self.owed = True, None
        if opening:
            self.say("open_failed", partial(self.machine.open_failed, CancelledError()))
        elif paging:
            self.say("page_made", self.machine.page_made)

    def _cancel_the_handler(self) -> None:
        draft_of(self.response).lose_client()
        self.quiet = True
