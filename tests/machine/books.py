"""Books about one response: what a driver has been handed, has performed and has answered.

What should come of the whole is `kind`, `sent`, `failed` and the like: worked out here from what the driver has done
and from docs/drivers.md, never read off the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, final

from heaven_core import (
    Chunk,
    ClientError,
    Context,
    Deferred,
    End,
    Event,
    FileRange,
    Machine,
    Request,
    Reset,
    Response,
    Start,
)
from heaven_core.http.headers import Field
from heaven_core.message.bodies import AnyIterable, HeldFile
from heaven_core.message.response import draft_of
from heaven_core.protocol.events import When
from heaven_core.protocol.needs import Deliver, Finished, PageMaker
from heaven_core.protocol.outcome import Outcome, OutcomeKind
from heaven_core.testing import Clock

__all__ = ["Adopted", "Books", "Case", "Events"]

Events: TypeAlias = tuple[Event, ...]


@final
class Case:
    """A response and the request that it answers.

    `body` sets the body, and says which streams and open files will have to be closed. `promise` is the length that the
    stream was said to have. `whens` are those of its deferred calls: the first `kept` of them come from a before-hook,
    so that no failure takes them back. `page` sets the body of the application's page for all that goes wrong, and says
    what has to be closed of it. A stream that `reads` the request hears from there that the client has left, or has
    sent what can't be served.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[Response], list[object]],
        *fields: Field,
        method: str = "GET",
        status: int = 200,
        promise: int | None = None,
        sse: bool = False,
        whens: tuple[When, ...] = ("always", "always", "complete", "failed"),
        kept: int = 1,
        page: Callable[[Response], list[object]] | None = None,
        reads: bool = False,
    ) -> None:
        self.name: Final = name
        self.body: Final = body
        self.fields: Final = list(fields)
        self.method: Final = method
        self.status: Final = status
        self.promise: Final = promise
        self.sse: Final = sse
        self.whens: Final = whens
        self.kept: Final = kept
        self.page: Final = page
        self.reads: Final = reads


@final
class Adopted:
    """What the machine is given in place of an iterable. `origin` is what the application has set."""

    def __init__(self, iterable: AnyIterable) -> None:
        self.origin: Final = iterable.file if type(iterable) is HeldFile else iterable


class Books:
    """One response from before its start to after its end. Each (state, input) that occurs is put in `pairs`."""

    def __init__(self, case: Case, pairs: set[tuple[str, str]]) -> None:
        self.response: Final = Response()
        self.response.status = case.status
        for index, when in enumerate(case.whens):
            if index == case.kept:
                draft_of(self.response).mark()
            self.response.defer(print, when)
        self.held: Final = case.body(self.response)
        if case.page is not None:
            draft_of(self.response).pages = self
        self.page_for: BaseException | None = None
        self.adopted: Final[list[Adopted]] = []
        request = Request[object](case.method, "/", fields=case.fields)
        self.machine: Final[Machine[Adopted]] = Machine(self.response, request, Clock().runtime(), self.adopt)
        self.case: Final = case
        self.pairs: Final = pairs
        self.begun = False
        self.hand: Events = ()  # not performed yet
        self.handed_out: Final[list[Event]] = []
        self.performed: Final[list[Event]] = []
        self.room = case.promise  # bytes still missing of the promise
        self.left = False
        self.failed = ""  # or "before" or "after" the head
        self.broken = False  # it has failed after the head, also where that is of a page for what failed before it
        self.refused = False  # before the head, by what the client has sent
        self.kind: OutcomeKind | None = None  # once it is decided
        self.chunks: Final[list[int]] = []  # their bytes, of those known to have gone
        self.pending = 0
        self.sent: int = 0  # bytes of the body
        self.sizes: Final[list[int]] = []  # of the files that are open
        self.opened: int = 0
        self.closed_files: int = 0
        self.closed_streams: Final[list[Adopted]] = []

    @property
    def context(self) -> Context:
        return Context()

    def find(self, error: Exception | None, status: int, what: str) -> PageMaker | None:
        assert status >= 400
        self.page_for = error
        return self._make_page

    async def _make_page(self) -> None:
        assert self.case.page is not None
        if isinstance(self.page_for, ClientError):
            draft_of(self.response).refuse(self.page_for)
        elif self.page_for is not None:
            draft_of(self.response).fail(self.page_for, repr)
        self.held.extend(self.case.page(self.response))

    @property
    def outcome(self) -> Outcome | None:
        need = self.machine.need
        return need.outcome if type(need) is Finished else None

    def perform(self, count: int) -> None:
        self.performed.extend(self.hand[:count])
        self.hand = ()

    def take(self, events: Events) -> None:
        self.hand = events
        self.handed_out.extend(events)
        if not self.begun:
            assert events == ()
            return
        need = self.machine.need
        for event in events:
            assert type(event) is Deferred or not self.left, "the client has gone"
            if type(event) is Chunk:
                assert event.data
                self.pending += len(event.data)
            elif type(event) is FileRange:
                assert event is events[-1]
                assert event.offset + event.count <= self.sizes[-1], "of the file that was opened last"
            elif type(event) is Deferred:
                assert events == (event,)
                assert type(need) is Finished
                assert len(self.closed_streams) == len(self.held)
                assert self.closed_files == self.opened
                assert self.kind is not None, "what was handed out before has been performed, or can't be any more"
        if type(need) is Deliver:
            assert not self.left
        if events and type(events[-1]) in (FileRange, End, Reset):
            assert type(need) is Deliver

    def say(self, name: str, call: Callable[[], Events], *, failure: bool = False) -> None:
        """An answer. What was handed out before it has gone, unless the client went first."""
        if self.kind is None:
            if self.pending:
                self.chunks.append(self.pending)
            self.sent += self.pending
            if failure:
                after = any(type(event) is Start for event in self.handed_out)
                self.failed = self.failed or ("after" if after else "before")
                self.broken = self.broken or after
        self.pending = 0
        self.pairs.add((self.machine.state, name))
        self.take(call())

    def adopt(self, iterable: AnyIterable) -> Adopted:
        self.adopted.append(Adopted(iterable))
        return self.adopted[-1]
