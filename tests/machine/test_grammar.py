"""Whatever application, disk, clock and client do: the events keep their grammar, the ledger its sum.

A Hypothesis rule-based machine plays the driver. Its rules are the answers that the need allows, and the client's
leaving at any time.
"""

from __future__ import annotations

from errno import EMFILE
from io import BytesIO
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from heaven_core import (
    Chunk,
    Deferred,
    End,
    Event,
    FileInfo,
    FileRange,
    Machine,
    Request,
    Reset,
    Response,
    Start,
)
from heaven_core.message.bodies import AnyIterable, DirectorySource, FileSource, held_by
from heaven_core.message.response import draft_of
from heaven_core.protocol.events import When
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
from heaven_core.testing import Clock

WHENS: Final[tuple[When, ...]] = ("always", "complete", "failed")
CODINGS: Final = (b"accept-encoding", b"br, gzip")
ERRORS: Final = (
    FileNotFoundError(2, "no"),
    PermissionError(13, "no"),
    IsADirectoryError(21, "directory"),
    OSError(EMFILE, "many"),
)
ITEMS: Final = st.one_of(st.binary(max_size=5), st.text(max_size=5), st.none())


class Result(RuleBasedStateMachine):
    """One response, from start to Finished and beyond."""

    @initialize(
        body=st.sampled_from(["buffered", "file", "precompressed", "directory", "held", "stream", "sse"]),
        method=st.sampled_from(["GET", "HEAD"]),
        status=st.sampled_from([200, 204, 205, 304, 404]),
        replaced=st.integers(0, 2),
        length=st.none() | st.integers(0, 12),
        text=st.binary(max_size=9),
    )
    def begin(self, body: str, method: str, status: int, replaced: int, length: int | None, text: bytes) -> None:
        """Any response may go through a machine."""
        response = Response()
        streams: list[AnyIterable] = []
        for _ in range(replaced):
            streams.append([b"never"])
            response.stream(streams[-1])
        response.status = status
        if body == "buffered":
            response.body = text
        elif body == "file" or body == "precompressed":
            response.file("/f", precompressed=body == "precompressed")
        elif body == "directory":
            listing = DirectorySource("d", "/", lambda entries: "page", FileSource("/fallback"))
            draft_of(response).set_source(FileSource("d/index.html", directory_location=b"./d/", otherwise=listing))
        elif body == "held":
            response.file(BytesIO(b"held"))
            source = draft_of(response).source
            held = None if source is None else held_by(source)
            assert held is not None
            streams.append(held)
        else:
            streams.append([b"item"])
            bye = "bye" if body == "sse" and length is None else None
            response.stream(streams[-1], sse=body == "sse", length=length, at_shutdown=bye)
        for when in WHENS:
            response.defer(print, when)
        self.response = response
        self.streams = streams
        self.closed_streams: list[AnyIterable] = []
        self.files_opened = 0
        self.files_closed = 0
        self.events: list[Event] = []
        self.sent_of_files = 0
        self.left = False
        self.machine: Machine[AnyIterable] = Machine(
            response, Request[object](method, "/", fields=[CODINGS]), Clock().runtime(), lambda it: it
        )
        self.perform(self.machine.start())

    def perform(self, events: tuple[Event, ...]) -> None:
        """Keep what was handed out."""
        assert not self.left or all(type(event) is Deferred for event in events)
        self.events += events

    def needs(self, kind: type) -> bool:
        """Whether the machine waits for this now."""
        return hasattr(self, "machine") and type(self.machine.need) is kind

    def opens(self) -> bool:
        """Whether it waits for a file, or for a directory that takes its place."""
        return self.needs(OpenFile) or self.needs(UseFile) or self.needs(ListDirectory)

    @precondition(lambda self: self.needs(OpenFile) or self.needs(UseFile))
    @rule(size=st.integers(0, 9), mtime_ns=st.none() | st.integers(0, 2))
    def open(self, size: int, mtime_ns: int | None) -> None:
        self.files_opened += 1
        self.perform(self.machine.opened(FileInfo(size, mtime_ns)))

    @precondition(lambda self: self.needs(ListDirectory))
    @rule(names=st.lists(st.sampled_from(["a", "b<", ".c"])))
    def list_directory(self, names: list[str]) -> None:
        self.perform(self.machine.listed(", ".join(names)))

    @precondition(lambda self: self.opens())
    @rule(error=st.sampled_from(ERRORS))
    def fail_to_open(self, error: OSError) -> None:
        self.perform(self.machine.open_failed(error))

    @precondition(lambda self: self.needs(NextItem))
    @rule(item=ITEMS)
    def produce(self, item: object) -> None:
        self.perform(self.machine.produced(item))

    @precondition(lambda self: self.needs(NextItem))
    @rule()
    def exhaust(self) -> None:
        self.perform(self.machine.exhausted())

    @precondition(lambda self: self.needs(NextItem))
    @rule()
    def fail_the_stream(self) -> None:
        self.perform(self.machine.stream_failed(ValueError("stream")))

    @precondition(lambda self: self.needs(NextItem))
    @rule()
    def shut_down(self) -> None:
        self.perform(self.machine.interrupted())

    @precondition(lambda self: self.needs(NextItem))
    @rule()
    def let_time_go_by(self) -> None:
        self.perform(self.machine.elapsed())

    @precondition(lambda self: self.needs(Deliver))
    @rule(missing=st.integers(0, 3))
    def deliver(self, missing: int) -> None:
        last = self.events[-1]
        sent = max(0, last.count - missing) if type(last) is FileRange else 0
        self.sent_of_files += sent
        self.perform(self.machine.delivered(sent))

    @precondition(lambda self: self.needs(CloseStream))
    @rule(error=st.none() | st.just(ValueError("closing")))
    def close_stream(self, error: ValueError | None) -> None:
        need = self.machine.need
        assert type(need) is CloseStream
        self.closed_streams.append(need.stream)
        self.perform(self.machine.closed(error))

    @precondition(lambda self: self.needs(CloseFile))
    @rule()
    def close_file(self) -> None:
        self.files_closed += 1
        self.perform(self.machine.closed())

    @rule()
    def leave(self) -> None:
        """The client goes, at any time and as often as it likes; after the last byte nobody notices."""
        if self.response.outcome is None:
            self.left = True
        self.perform(self.machine.disconnected())

    @invariant()
    def events_keep_their_grammar(self) -> None:
        letters = {Start: "s", Chunk: "c", FileRange: "f", End: "e", Reset: "r", Deferred: "d"}
        word = "".join(letters[type(event)] for event in self.events)
        body = word.rstrip("d")
        assert word.count("d") <= 1
        if body:
            assert body[0] == "s"
            assert set(body[1:-1]) <= {"c", "f"}
            assert not body[1:] or body[-1] in "cfer"

    @invariant()
    def no_chunk_is_empty_and_none_goes_where_there_is_no_content(self) -> None:
        chunks = [event for event in self.events if type(event) is Chunk]
        assert all(chunk.data for chunk in chunks)
        start = self.events[0] if self.events else None
        if type(start) is Start and start.length == 0:
            assert not any(type(event) in (Chunk, FileRange) for event in self.events)

    @invariant()
    def an_end_comes_only_after_all_that_was_announced(self) -> None:
        if any(type(event) is End for event in self.events):
            start = self.events[0]
            assert type(start) is Start
            if start.length is not None:
                chunks = sum(len(event.data) for event in self.events if type(event) is Chunk)
                assert chunks + self.sent_of_files == start.length

    @invariant()
    def deferred_work_comes_when_nothing_is_left_to_do(self) -> None:
        if any(type(event) is Deferred for event in self.events):
            assert self.needs(Finished)

    @invariant()
    def at_the_end_everything_is_closed_once_and_the_outcome_is_true(self) -> None:
        if not self.needs(Finished):
            return
        need = self.machine.need
        assert type(need) is Finished
        assert sorted(map(id, self.closed_streams)) == sorted(map(id, self.streams))
        assert self.files_closed == self.files_opened
        outcome = need.outcome
        assert outcome == self.response.outcome
        ended = any(type(event) is End for event in self.events)
        failed = draft_of(self.response).failed
        assert outcome.kind == ("failed" if failed else "disconnected" if self.left else "complete")
        if outcome.kind == "complete":
            assert ended
        if not self.left:
            chunks = sum(len(event.data) for event in self.events if type(event) is Chunk)
            assert outcome.body_bytes == chunks + self.sent_of_files
        calls = [call.when for event in self.events if type(event) is Deferred for call in event.calls]
        rolled_back = failed and outcome.status == 500  # what fails before the head takes back what was set
        assert calls == [when for when in WHENS if when == outcome.kind or (when == "always" and not rolled_back)]

    @override
    def teardown(self) -> None:
        """From every state the shortest way out closes everything."""
        if not hasattr(self, "machine"):
            return
        self.perform(self.machine.disconnected())
        for _ in range(10):
            if self.opens():
                self.fail_to_open(FileNotFoundError(2, "no"))
            elif self.needs(CloseStream):
                self.close_stream(None)
            elif self.needs(CloseFile):
                self.close_file()
        assert self.needs(Finished)


TestGrammar = Result.TestCase
TestGrammar.settings = settings(max_examples=300, stateful_step_count=20, deadline=None)
TestGrammar = pytest.mark.timeout(120)(TestGrammar)
