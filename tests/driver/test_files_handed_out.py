"""`drive(hand_out=...)`: files that somebody else sends, who says in the end how far that has come."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest

from heaven_core import App, Chunk, Context, DeferredCall, End, Machine, Outcome, Request, Reset, Response, Start
from heaven_driver.blocking import BlockingFile, BlockingStream, FileToSend, Stream, drive, respond, system_runtime

Driving = Generator[Start | Chunk | End | Reset | FileToSend, None, Outcome]


def driving(act: Callable[[Response], object], hand_out: Callable[[BlockingFile, int, int], bool]) -> Driving:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        act(res)

    def drop(calls: Sequence[DeferredCall]) -> None:
        raise AssertionError("nothing was deferred")

    app = App()
    app.GET("/", handler)
    runtime = system_runtime()
    request = Request[object]("GET", "/", fields=[(b"range", b"bytes=5-6")])
    response = app.response(runtime)
    respond(app, request, response, runtime)
    machine = Machine[Stream](response, request, runtime, BlockingStream)
    return drive(machine, drop, hand_out=hand_out)


def always(file: BlockingFile, offset: int, count: int) -> bool:
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(b"0123456789")
    return path


def file_of(steps: Driving) -> FileToSend:
    assert type(next(steps)) is Start
    handed_out = next(steps)
    assert type(handed_out) is FileToSend
    return handed_out


def outcome_of(steps: Driving) -> tuple[list[str], Outcome]:
    """What is still to be performed, and how it ended."""
    events: list[str] = []
    while True:
        try:
            events.append(type(next(steps)).__name__)
        except StopIteration as ended:
            outcome: Outcome = ended.value
            return events, outcome


def test_a_range_is_handed_out_with_its_file(path: Path) -> None:
    file = file_of(steps := driving(lambda res: res.file(path), always))
    assert (file.offset, file.count, os.pread(file.file.fileno(), 2, 5)) == (5, 2, b"56")
    file.sent = 2
    events, outcome = outcome_of(steps)
    assert events == ["End"]
    assert (outcome.kind, outcome.body_bytes) == ("complete", 2)


def test_less_than_all_is_a_reset(path: Path) -> None:
    file = file_of(steps := driving(lambda res: res.file(path), always))
    file.sent = 1
    events, outcome = outcome_of(steps)
    assert events == ["Reset"]
    assert (outcome.kind, outcome.body_bytes) == ("failed", 1)


def test_what_reading_has_raised_is_the_error_of_the_outcome(path: Path) -> None:
    file = file_of(steps := driving(lambda res: res.file(path), always))
    file.error = OSError("the disk")
    events, outcome = outcome_of(steps)
    assert events == ["Reset"]
    assert outcome.error is file.error


def test_a_client_that_leaves_has_what_was_sent(path: Path) -> None:
    file = file_of(steps := driving(lambda res: res.file(path), always))
    file.sent = 1
    with pytest.raises(StopIteration) as ended:
        steps.throw(BrokenPipeError())
    outcome: Outcome = ended.value.value
    assert (outcome.kind, outcome.body_bytes) == ("disconnected", 1)


def test_what_is_not_to_be_handed_out_is_read(path: Path) -> None:
    def never(file: BlockingFile, offset: int, count: int) -> bool:
        return False

    events, outcome = outcome_of(driving(lambda res: res.file(path), never))
    assert events == ["Start", "Chunk", "End"]
    assert outcome.body_bytes == 2


def test_a_file_in_memory_has_no_descriptor_and_is_read() -> None:
    events, _ = outcome_of(driving(lambda res: res.file(io.BytesIO(b"0123456789")), always))
    assert events == ["Start", "Chunk", "End"]
