"""Every fault at every place where a driver waits for something, on asyncio and on trio.

A first run in which nothing goes wrong shows the places: each message that is sent, each step of a generator and its
`finally`, the opening, reading and closing of a file, and the watch for the client. Then there is one run for each
place and fault.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final, final

import anyio
import pytest

from heaven_core import Context, Outcome, Request, Response
from heaven_core.http.event_stream import HEARTBEAT
from heaven_core.protocol.needs import FileInfo
from heaven_driver.engine import Engine
from heaven_io.files import READ_SIZE, ReadableFile, open_async
from heaven_io.opening import OpenedFile, open_file
from tests.driver.memory import PATIENCE, Call
from tests.driver.spots import FAULTS, SOON, Fault, Spots, turns
from tests.driver.witness import Witness
from tests.table.kit import Answer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ITEMS: Final = (b"one", b"two", b"three")
CONTENT: Final = bytes(range(256)) * (READ_SIZE // 128) + b"!"  # takes three reads

LAST_READ: Final = f"read {2 * READ_SIZE}"
_STEPS: Final = ["step 0", "step 1", "step 2", "step 3", "finally"]
_SENDS: Final = ["watch", "send 0", "send 1", "send 2", "send 3", "send 4"]
SPOTS: Final = {
    "stream": {*_STEPS, *_SENDS},
    "events": {*_STEPS, *_SENDS},
    "sync-stream": {*_STEPS, *_SENDS},
    "file": {"open", "read 0", f"read {READ_SIZE}", LAST_READ, "close", *_SENDS},
}
WHOLE: Final = {
    "stream": b"".join(ITEMS),
    "events": b"".join([b"data: %b\n\n" % item for item in ITEMS]),
    "sync-stream": b"".join(ITEMS),
    "file": CONTENT,
}
FAILURE: Final = b"500 Internal Server Error\n"


@final
class WatchedFile:
    """A file whose closing is one of the places. It is closed also where that fails, as a descriptor is."""

    def __init__(self, file: ReadableFile, spots: Spots, notes: list[str]) -> None:
        self._file: Final = file
        self._spots: Final = spots
        self._notes: Final = notes

    @property
    def fd(self) -> int | None:
        return self._file.fd

    @property
    def info(self) -> FileInfo:
        return self._file.info

    async def read_at(self, offset: int, count: int) -> bytes:
        return await self._file.read_at(offset, count)

    async def close(self) -> None:
        try:
            await self._spots.at("close")
        except OSError:
            await self._file.close()
            self._notes.append("closed")
            raise
        await self._file.close()
        self._notes.append("closed")


@final
class Run:
    """One request for `body`, with a fault or without."""

    def __init__(self, witness: Witness, body: str, spots: Spots) -> None:
        self.witness: Final = witness
        self.spots: Final = spots
        self.body: Final = body
        self.begun = self.opening = False
        self.tasks: Final[set[int]] = set()  # in which an async generator ran
        handlers = {"stream": self.stream, "events": self.events, "sync-stream": self.sync_stream, "file": self.file}
        witness.app.GET(f"/run/{body}", handlers[body])
        self.call: Final = Call(Engine(witness.app), f"/run/{body}")

    @property
    def limit(self) -> float:
        """How long the streams may be silent: nobody but the script lets time pass."""
        return SOON if self.spots.fault == "timeout" else PATIENCE

    def stream(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream(self.items(), head_timeout=self.limit)
        self.defer(res)

    def events(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream(self.items(), sse=True, heartbeat=self.limit, head_timeout=self.limit)
        self.defer(res)

    def sync_stream(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream(self.items_in_threads(), head_timeout=self.limit)
        self.defer(res)

    def file(self, req: Request, res: Response, ctx: Context) -> None:
        res.file("content.bin", within=self.witness.directory)
        self.defer(res)

    def defer(self, res: Response) -> None:
        notes = self.witness.notes
        res.defer(lambda app: notes.append("always"))
        res.defer(lambda app: notes.append("complete"), "complete")
        res.defer(lambda app: notes.append("failed"), "failed")

    async def items(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            for number, item in enumerate(ITEMS):
                self.tasks.add(anyio.get_current_task().id)
                await self.spots.at(f"step {number}", ValueError)
                await turns(3)  # what comes without a pause may go out together, and hears of nothing
                yield item
            await self.spots.at("step 3", ValueError)
            await turns(3)
        finally:
            self.witness.notes.append("closed")
            self.tasks.add(anyio.get_current_task().id)
            await self.spots.at("finally", ValueError)

    def items_in_threads(self) -> Iterator[bytes]:
        self.begun = True
        try:
            for number, item in enumerate(ITEMS):
                self.spots.at_in_thread(f"step {number}", ValueError)
                yield item
            self.spots.at_in_thread("step 3", ValueError)
        finally:
            self.witness.notes.append("closed")
            self.spots.at_in_thread("finally", ValueError)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Spots], Run]:
    """What makes the runs of a test; all reads go through a thread, where they can be held up."""
    (tmp_path / "content.bin").write_bytes(CONTENT)
    pread = os.pread

    def start(body: str, spots: Spots) -> Run:
        run = Run(Witness(tmp_path), body, spots)

        def opening(path: str, within: str | None = None) -> OpenedFile:
            run.opening = True
            try:
                spots.at_in_thread("open")
                return open_file(path, within)
            finally:
                run.opening = False

        def reading(fd: int, count: int, offset: int) -> bytes:
            spots.at_in_thread(f"read {offset}")
            return pread(fd, count, offset)

        async def watched(opening: Callable[[], OpenedFile]) -> ReadableFile:
            run.begun = True
            return WatchedFile(await open_async(opening), spots, run.witness.notes)

        monkeypatch.setattr("heaven_io.windows._NOWAIT", 0)
        monkeypatch.setattr("heaven_driver.driver.open_file", opening)
        monkeypatch.setattr("heaven_driver.driver.open_async", watched)
        monkeypatch.setattr(os, "pread", reading)
        return run

    return start


async def play(run: Run) -> None:
    await run.spots.run(run.call)
    with anyio.fail_after(PATIENCE):
        while run.opening or run.witness.open_files:  # what was opened too late is closed by nobody's task
            await anyio.sleep(SOON / 4)


def accepted(run: Run) -> list[int]:
    return [len(sent.data) for sent in run.call.sent if not sent.is_head]


def check(run: Run, messages: int) -> None:
    """What holds whatever has gone wrong; so many messages had come when the request ended."""
    [outcome] = run.witness.outcomes
    check_closed(run)
    check_deferred(run, outcome)
    check_answer(run, outcome, run.call.answer)
    assert len(run.call.sent) == messages, "nothing comes afterwards"
    assert run.witness.errors == ([] if run.spots.error is None or is_leaving(run) else [run.spots.error])


def is_leaving(run: Run) -> bool:
    """An error of the server's functions is a client that has left."""
    return run.spots.spot.startswith(("send", "watch"))


def check_closed(run: Run) -> None:
    """Once, and by who has iterated it."""
    opened_late = run.body == "file" and "cancellation" in str(run.spots.fault) and run.spots.spot == "open"
    never_opened = run.body == "file" and run.spots.fault == "failure" and run.spots.spot == "open"
    assert run.witness.notes.count("closed") == (run.begun and not opened_late and not never_opened)
    assert len(run.tasks) <= 1
    assert run.witness.open_files == []


def check_deferred(run: Run, outcome: Outcome) -> None:
    """What fails before the head takes back what the handler has deferred, but for what waits for a failure."""
    expected = ["always"] if outcome.status == 200 else []
    expected += [outcome.kind] if outcome.kind != "disconnected" else []
    assert [note for note in run.witness.notes if note != "closed"] == expected
    assert run.witness.notes[len(run.witness.notes) - len(expected) :] == expected, "last of all"


def check_answer(run: Run, outcome: Outcome, answer: Answer) -> None:
    """The ledger is what `send` has taken, and the body is whole where it has its last message, and only there."""
    body = answer.body.replace(HEARTBEAT, b"") if run.body == "events" else answer.body
    whole = WHOLE[run.body] if outcome.status == 200 else FAILURE
    assert answer.status in (0, outcome.status)
    assert whole.startswith(body)
    if answer.whole:
        assert body == whole
    sizes = accepted(run)
    if run.spots.error is not None and not is_leaving(run) and run.spots.spot != "close":
        assert outcome.kind == "failed"
        assert answer.whole == (outcome.status == 500)
    else:
        assert outcome.kind == ("complete" if answer.whole else "disconnected")
    if outcome.kind == "disconnected":
        # Of what was handed out last nobody knows whether it has gone.
        assert outcome.body_bytes in (sum(sizes), sum(sizes[:-1]))
    else:
        assert outcome.body_bytes == sum(sizes)


@pytest.mark.parametrize("body", SPOTS)
async def test_without_a_fault_all_the_places_are_passed(body: str, start: Callable[[str, Spots], Run]) -> None:
    run = start(body, Spots())
    await play(run)
    check(run, len(run.call.sent))
    assert run.witness.notes == ["closed", "always", "complete"]
    assert len(run.spots.seen) == len(SPOTS[body])
    assert set(run.spots.seen) == SPOTS[body]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("body", SPOTS)
async def test_at_every_place(body: str, fault: Fault, start: Callable[[str, Spots], Run]) -> None:
    first = start(body, Spots())
    await play(first)
    for spot in first.spots.seen:
        run = start(body, Spots(spot, fault))
        try:
            await play(run)
            messages = len(run.call.sent)
            await turns(5)
            assert spot in run.spots.seen
            check(run, messages)
            check_what_came_of(fault, run)
        except BaseException as error:
            error.add_note(f"{body}: {fault} at {spot}; passed were {run.spots.seen}; {run.witness.notes}")
            raise


def check_what_came_of(fault: Fault, run: Run) -> None:
    [outcome] = run.witness.outcomes
    spot = run.spots.spot
    # Here all but the end has gone out, and nobody need hear of a client that leaves.
    nearly = spot in ("finally", "send 3", "send 4", "close", LAST_READ)
    if fault == "timeout":
        assert outcome.kind == "complete"
    elif fault == "failure":
        assert outcome.kind == ("complete" if spot == "close" else "disconnected" if is_leaving(run) else "failed")
    elif fault == "cancellation":
        assert run.spots.was_cancelled
        assert outcome.kind == "disconnected" or spot in ("close", LAST_READ)
    elif fault == "disconnect":
        assert outcome.kind == "disconnected" or nearly
    elif fault == "late answer" and not spot.startswith("watch"):
        # With the last window of a file the body is whole.
        complete = ("send 3", "send 4", "close") if run.body == "file" else ("send 4", "close")
        assert outcome.kind == ("complete" if spot in complete else "disconnected")
        # What a generator yields so late is not sent any more.
        assert len(run.call.sent) == run.spots.sent_when_known or not spot.startswith("step")
