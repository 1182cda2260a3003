"""What surrounds a machine: a driver that does as it is told, and a count of its own of what has become of everything.

`World.choices` are all that may happen next, by name; a script is a sequence of such names. Nothing in here asks the
machine how things went: that is what it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from errno import EMFILE
from functools import partial
from typing import Final, TypeAlias, final

from heaven_core import (
    Chunk,
    Deferred,
    End,
    Entry,
    Event,
    FileInfo,
    FileRange,
    Machine,
    Outcome,
    Request,
    Reset,
    Response,
    Start,
)
from heaven_core.events import When
from heaven_core.headers import Field
from heaven_core.needs import CloseFile, CloseStream, Deliver, Finished, ListDirectory, NextItem, OpenFile, UseFile
from heaven_core.outcome import OutcomeKind
from heaven_core.sources import AnyIterable, held_by
from heaven_core.testing import Clock

__all__ = ["WHENS", "Case", "World"]

WHENS: Final[tuple[When, ...]] = ("always", "complete", "failed")
ITEMS: Final = 3
ITEM: Final = b"ab"
SIZE: Final = 5  # of each file
Act: TypeAlias = Callable[[], None]


@final
class Case:
    """A response and a request. `promise` is the number of bytes that a stream of no events has promised."""

    def __init__(
        self,
        name: str,
        body: Callable[[Response], None],
        method: str = "GET",
        *fields: Field,
        status: int = 200,
        promise: int | None = None,
    ) -> None:
        self.name: Final = name
        self.body: Final = body
        self.method: Final = method
        self.fields: Final = list(fields)
        self.status: Final = status
        self.promise: Final = promise


@final
class World:
    """One exchange, from before its start."""

    def __init__(self, case: Case) -> None:
        response = Response()
        response.status = case.status
        case.body(response)
        for when in WHENS:
            response.defer(print, when)
        held = held_by(response.source) if response.source is not None else None
        self.streams: Final[list[AnyIterable]] = [*([] if held is None else [held]), *(response.released or ())]
        self.machine: Final[Machine[AnyIterable]] = Machine(
            response, Request[object](case.method, "/", fields=case.fields), Clock().runtime(), lambda it: it
        )
        self.is_sse: Final = case.name.startswith("events")
        self.promise: Final = case.promise
        self.begun = False
        self.handed: tuple[Event, ...] = ()  # and not performed yet
        self.performed: Final[list[Event]] = []
        self.handed_out: Final[list[Event]] = []
        self.items = 0
        self.yielded = 0  # bytes
        self.elapsed = False  # during this step
        self.in_flight: Iterator[tuple[str, Act]] | None = None  # what may still come of what was being done
        self.left = False  # or could not be sent to, or the request was cancelled
        self.failed: str | None = None  # "before" the head was handed out, or "after" it
        self.kind: OutcomeKind | None = None  # once it is decided; what goes wrong afterwards changes nothing
        self.sent = 0
        self.pending = 0
        self.files_opened = 0
        self.files_closed = 0
        self.streams_closed: Final[list[AnyIterable]] = []
        self.deferred_too_early = False
        self.fulfilled = False

    @property
    def outcome(self) -> Outcome | None:
        need = self.machine.need if self.begun and not self.handed else None
        return need.outcome if type(need) is Finished else None

    def choices(self) -> list[tuple[str, Act]]:
        """All that may happen next; nothing, once it is finished."""
        if not self.begun:
            left = [] if self.left else [("leave before the start", self._leave)]
            return [("start", self._start), *left]
        if self.handed:
            return list(self._performances())
        if self.in_flight is not None:
            late, self.in_flight = list(self.in_flight), None
            return late
        need = self.machine.need
        if type(need) is Finished:
            return []
        leaving = [] if self.left else list(self._leavings())
        return [*self._answers(), *leaving]

    # What is done

    def _start(self) -> None:
        self.begun = True
        self._hand(self.machine.start())

    def _hand(self, events: tuple[Event, ...]) -> None:
        self.handed = events
        self.handed_out.extend(events)
        if any(type(event) is Deferred for event in events):
            open_still = len(self.streams_closed) < len(self.streams) or self.files_closed < self.files_opened
            self.deferred_too_early = self.deferred_too_early or open_still or self.kind is None
            self._perform(len(events))

    def _performances(self) -> Iterator[tuple[str, Act]]:
        """All of it, or only a beginning: then the client is lost, perhaps in the middle of a file."""
        count = len(self.handed)
        yield "perform", lambda: self._perform(count)
        for index, event in enumerate(self.handed):
            yield f"lost at {index}", partial(self._lose, index, 0)
            if type(event) is FileRange:
                yield f"lost in {index}", partial(self._lose, index, event.count // 2)

    def _perform(self, count: int) -> None:
        done, self.handed = self.handed[:count], ()
        self.performed.extend(done)
        self.pending += sum(len(event.data) for event in done if type(event) is Chunk)

    def _lose(self, index: int, sent: int) -> None:
        self._perform(index)
        self._go(sent)

    # What is answered

    def _answers(self) -> Iterator[tuple[str, Act]]:
        need = self.machine.need
        if type(need) is NextItem:
            yield from self._steps()
        elif type(need) is Deliver:
            last = self.performed[-1]
            count = last.count if type(last) is FileRange else 0
            yield "delivered", lambda: self._deliver(count, None)
            yield "delivered with an error", lambda: self._deliver(count, OSError("wire"))
            if count:
                yield "delivered less", lambda: self._deliver(count - 1, None)
        elif type(need) is CloseStream:
            stream = need.stream
            yield "closed", lambda: self._close(stream, None)
            yield "closed with an error", lambda: self._close(stream, ValueError("closing"))
        elif type(need) is CloseFile:
            yield "file closed", lambda: self._close(None, None)
            yield "file closed with an error", lambda: self._close(None, ValueError("closing"))
        else:
            yield from self._openings(type(need) is ListDirectory)

    def _steps(self, late: bool = False) -> Iterator[tuple[str, Act]]:
        machine = self.machine
        if self.items < ITEMS:
            too_much = self.promise is not None and self._missing < len(ITEM)
            yield "item", lambda: self._step(lambda: machine.produced(ITEM), size=len(ITEM), failure=too_much)
            if not self.items:
                yield "empty item", lambda: self._step(lambda: machine.produced(b""), size=0)
        yield "impossible item", lambda: self._step(lambda: machine.produced(object()), failure=True)
        yield "exhausted", lambda: self._step(machine.exhausted, failure=self._missing > 0)
        yield "failure", lambda: self._step(lambda: machine.stream_failed(ValueError("stream")), failure=True)
        yield "shutdown", lambda: self._step(machine.interrupted, failure=not self.is_sse)
        if not self.elapsed and not late:
            yield "timeout", self._elapse

    def _openings(self, listing: bool) -> Iterator[tuple[str, Act]]:
        machine = self.machine
        if listing:
            yield "listed", lambda: self._answer(lambda: machine.listed([Entry("a", 1, 0)]))
        else:
            for size in (SIZE, 0):
                yield f"opened {size}", partial(self._open, size, 0)
            yield "opened, old", lambda: self._open(SIZE, -(10**18))
        for error in (FileNotFoundError(2, "no"), PermissionError(13, "no"), IsADirectoryError(21, "directory")):
            yield type(error).__name__, partial(self._fail_to_open, error)
        yield "too many open files", partial(self._fail_to_open, OSError(EMFILE, "many"), failure=True)

    @property
    def _missing(self) -> int:
        """Bytes of what was promised."""
        return 0 if self.promise is None else self.promise - self.yielded

    def _answer(self, call: Callable[[], tuple[Event, ...]], *, failure: bool = False) -> None:
        """Whatever is answered, but for leaving, says that what was handed out before has gone."""
        self._count(failure=failure)
        self._hand(call())

    def _count(self, *, failure: bool) -> None:
        if self.kind is None:
            self.sent += self.pending
            self.pending = 0
            if failure:
                self._fail()

    def _step(self, call: Callable[[], tuple[Event, ...]], *, size: int | None = None, failure: bool = False) -> None:
        if size is not None:
            self.items += 1
            self.yielded += size
        self.elapsed = False
        self._answer(call, failure=failure)

    def _elapse(self) -> None:
        self.elapsed = True
        self._answer(self.machine.elapsed)

    def _fail_to_open(self, error: OSError, *, failure: bool = False) -> None:
        self._answer(lambda: self.machine.open_failed(error), failure=failure)

    def _open(self, size: int, age_ns: int) -> None:
        self.files_opened += 1
        now = 1_000_000_000 * 10**9
        self._answer(lambda: self.machine.opened(FileInfo(size, now + age_ns)))

    def _deliver(self, sent: int, error: Exception | None) -> None:
        last = self.performed[-1]
        whole = type(last) is not FileRange or sent == last.count
        ends = type(last) in (End, Reset)
        if self.kind is None:
            self.sent += sent
        failure = not whole or error is not None
        self._count(failure=failure)
        if ends and self.kind is None:
            self.kind = "complete" if self.failed is None else "failed"
        self.fulfilled = type(last) is Chunk and self.failed is None
        self._hand(self.machine.delivered(sent, error))

    def _close(self, stream: AnyIterable | None, error: Exception | None) -> None:
        if stream is None:
            self.files_closed += 1
        else:
            self.streams_closed.append(stream)
        self._hand(self.machine.closed(error))

    def _fail(self) -> None:
        if self.failed is None:
            self.failed = "after" if any(type(event) is Start for event in self.handed_out) else "before"

    # Who goes

    def _leavings(self) -> Iterator[tuple[str, Act]]:
        last = self.performed[-1] if self.performed else None
        halves = last.count // 2 if type(last) is FileRange and type(self.machine.need) is Deliver else 0
        for sent in {0, halves}:
            yield f"leave after {sent}", partial(self._go, sent)
        yield "leave, answered late", self._go_with_an_answer_owed
        yield "cancelled", self._cancel

    def _leave(self) -> None:
        self._go(0)

    def _go(self, sent: int) -> None:
        self.left = True
        if self.kind is None:
            self.sent += sent
            if self.failed is not None:
                self.kind = "failed"
            else:
                # Who has all that was promised may go.
                self.kind = "complete" if self.fulfilled and type(self.machine.need) is NextItem else "disconnected"
        events = self.machine.disconnected(sent)
        if self.begun:
            self._hand(events)
            assert self.machine.disconnected() == (), "a second time nothing happens"

    def _go_with_an_answer_owed(self) -> None:
        need = self.machine.need
        self._go(0)
        if type(need) is NextItem:
            self.in_flight = self._steps(late=True)
        elif type(need) is Deliver and not self.handed:
            self.in_flight = iter([("delivered late", lambda: self._hand(self.machine.delivered()))])

    def _cancel(self) -> None:
        """As a driver does whose task is cancelled; what it was opening closes itself."""
        need = self.machine.need
        self._go(0)
        if type(need) in (OpenFile, UseFile, ListDirectory):
            self._hand(self.machine.open_failed(RuntimeError("cancelled")))
