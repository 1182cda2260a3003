"""Every fault at every step: all that can happen to a response on its way, one after the other, and none left out.

A script is a row of choices: what a driver answers, what can't be performed, when time is up, and when the client
leaves or the task is cancelled, which happens once, at any moment, with a late answer or without. All scripts are
played, for each kind of body, from before the start through the head and three items to the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Final

import pytest

from heaven_core import Chunk, Deferred, End, Event, FileRange, Reset, Response, Start
from heaven_core.http.event_stream import HEARTBEAT
from heaven_core.machine.states import BROKEN, NAMES, TRANSITIONS
from heaven_core.message.bodies import DirectorySource, FileSource
from heaven_core.message.response import draft_of
from tests.machine.books import Case
from tests.machine.faults import ITEM, Play

RANGE: Final = (b"range", b"bytes=1-3")
RANGE_BEYOND: Final = (b"range", b"bytes=9-")
RANGES: Final = (b"range", b"bytes=0-0,2-4")
CODINGS: Final = (b"accept-encoding", b"br, gzip")
# The enumeration must not become empty unseen: so many scripts there are, at least, of each case and of all.
OF_EACH: Final = 20
OF_ALL: Final = 120_000

LETTERS: Final[dict[type, str]] = {Start: "s", Chunk: "c", FileRange: "f", End: "e", Reset: "r", Deferred: "d"}
GRAMMAR: Final = re.compile(r"(s[cf]*[er]?)?d?")
WHOLE: Final = re.compile(r"s[cf]*[er]d?")


def buffered(res: Response) -> list[object]:
    res.body = b"hello"
    return []


def sliceable(res: Response) -> list[object]:
    res.body = b"hello"
    res.ranges = True
    return []


def path(res: Response) -> list[object]:
    res.file("/f")
    return []


def precompressed(res: Response) -> list[object]:
    res.file("/f", precompressed=True)
    return []


def directory(res: Response) -> list[object]:
    listing = DirectorySource("d", "/", lambda entries: "page", FileSource("/fallback"))
    draft_of(res).set_source(FileSource("d/index.html", within="/", directory_location=b"./d/", otherwise=listing))
    return []


def open_file(res: Response) -> list[object]:
    file = BytesIO(b"hello")
    res.file(file)
    return [file]


def stream(res: Response) -> list[object]:
    items = [b"never asked"]
    res.stream(items)
    return [items]


def events(res: Response) -> list[object]:
    items = ["never asked"]
    res.stream(items, sse=True, at_shutdown="bye")
    return [items]


def promising(length: int, *, method: str = "GET") -> Case:
    def body(res: Response) -> list[object]:
        items = [b"never asked"]
        res.stream(items, length=length)
        return [items]

    return Case(f"stream of {length} bytes, {method}", body, method=method, promise=length)


def tagged_stream(res: Response) -> list[object]:
    res.etag = "one"
    return stream(res)


def promised(res: Response) -> list[object]:
    items = [b"never asked"]
    res.stream(items, length=len(ITEM))
    return [items]


def promised_events(res: Response) -> list[object]:
    items = ["never asked"]
    res.stream(items, sse=True, length=20)
    return [items]


def stream_for_stream(res: Response) -> list[object]:
    return [*stream(res), *stream(res)]


def file_for_stream(res: Response) -> list[object]:
    return [*stream(res), *path(res)]


def open_file_for_stream(res: Response) -> list[object]:
    return [*stream(res), *open_file(res)]


def text_for_streams(res: Response) -> list[object]:
    return [*stream(res), *stream(res), *buffered(res)]


CASES: Final = (
    Case("buffered", buffered),
    Case("buffered, HEAD", buffered, method="HEAD"),
    Case("buffered, 204", buffered, status=204),
    Case("buffered, 304", buffered, status=304),
    Case("buffered, one range", sliceable, RANGE),
    Case("buffered, ranges", sliceable, RANGES),
    Case("buffered, nothing for completion", buffered, whens=("failed",), kept=0),
    Case("file", path),
    Case("file, HEAD", path, method="HEAD"),
    Case("file, 204", path, status=204),
    Case("file, one range", path, RANGE),
    Case("file, ranges", path, RANGES),
    Case("file, a range beyond it", path, (b"range", b"bytes=9-")),
    Case("file, 304", path, (b"if-none-match", b"*")),
    Case("file, 412", path, (b"if-match", b'"another"')),
    Case("file, only for completion", path, whens=("complete",), kept=0),
    Case("precompressed file", precompressed, CODINGS),
    Case("precompressed file, ranges", precompressed, CODINGS, RANGES),
    Case("directory", directory),
    Case("open file", open_file),
    Case("open file, HEAD", open_file, method="HEAD"),
    Case("open file, ranges", open_file, RANGES),
    Case("stream", stream),
    Case("stream, HEAD", stream, method="HEAD"),
    Case("stream, 204", stream, status=204),
    Case("stream, 304", stream, status=304),
    Case("stream, nothing deferred", stream, whens=()),
    Case("stream, only for failure", stream, whens=("failed",), kept=0),
    promising(0),
    promising(3 * len(ITEM)),
    promising(3 * len(ITEM) - 1),
    promising(3 * len(ITEM) + 1),
    promising(6, method="HEAD"),
    Case("events", events, sse=True),
    Case("events of 20 bytes", promised_events, sse=True, promise=20),
    Case("events, HEAD", events, method="HEAD", sse=True),
    Case("stream for stream", stream_for_stream),
    Case("file for stream", file_for_stream),
    Case("open file for stream", open_file_for_stream),
    Case("text for streams", text_for_streams),
    Case("file, with a page", path, page=buffered),
    Case("file, 412, with a page", path, (b"if-match", b'"another"'), page=buffered),
    Case("file, a range beyond it, with a file as page", path, (b"range", b"bytes=9-"), page=path),
    Case("precompressed file, a range beyond it, with a page", precompressed, CODINGS, RANGE_BEYOND, page=buffered),
    Case("directory, with a page", directory, page=buffered),
    Case("file, with a stream as page", path, page=stream, whens=("failed",), kept=0),
    Case("stream, 412, with an open file as page", tagged_stream, (b"if-match", b'"another"'), page=open_file),
    Case("stream that reads the request", stream, reads=True),
    Case("stream that reads the request, with a page", stream, reads=True, page=buffered),
    Case("promising stream that reads the request, with a page", promised, reads=True, promise=2, page=path),
)


def plays(case: Case, pairs: set[tuple[str, str]]) -> Iterator[Play]:
    """Each script that there is, played to its end. A machine can't be copied: each begins anew."""
    scripts: list[tuple[int, ...]] = [()]
    while scripts:
        script = scripts.pop()
        play = Play(case, pairs)
        try:
            for index in script:
                play.do(play.choices()[index])
            while choices := play.choices():
                scripts += [(*script, index) for index in range(1, len(choices))]
                script = (*script, 0)
                play.do(choices[0])
            check_grammar(play)
            check_closing(play)
            check_deferred(play)
            check_outcome(play)
            check_ledger(play)
        except Exception as error:
            error.add_note(f"{case.name}: {'; '.join(play.story)}")
            raise
        yield play


def word(events: list[Event]) -> str:
    return "".join([LETTERS[type(event)] for event in events])


def check_grammar(play: Play) -> None:
    """`Start (Chunk | FileRange)* (End | Reset)`, or a beginning of it where the client has gone; then `Deferred`."""
    assert GRAMMAR.fullmatch(word(play.handed_out))
    assert GRAMMAR.fullmatch(word(play.performed))
    if not play.left:
        assert play.performed == play.handed_out
        assert WHOLE.fullmatch(word(play.performed))


def check_closing(play: Play) -> None:
    """All that was ever set and all that was ever opened: once each."""
    assert sorted(map(id, play.held)) == sorted([id(stream.origin) for stream in play.adopted])
    assert sorted(map(id, play.adopted)) == sorted(map(id, play.closed_streams))
    assert play.closed_files == play.opened


def check_deferred(play: Play) -> None:
    """Those that fit, in order; what fails before the head takes back what was deferred since the before-hooks."""
    fitting = [
        when
        for index, when in enumerate(play.case.whens)
        if when in ("always", play.kind)
        if when == "failed" or index < play.case.kept or not (play.failed == "before" or play.refused)
    ]
    deferred = [[call.when for call in event.calls] for event in play.performed if type(event) is Deferred]
    assert deferred == ([fitting] if fitting else [])


def check_outcome(play: Play) -> None:
    outcome = play.outcome
    assert outcome is not None, "it has finished"
    assert outcome == play.response.outcome
    assert outcome.kind == play.kind
    assert outcome.body_bytes == play.sent
    assert (outcome.error is None) == (outcome.kind != "failed")
    if play.handed_out and type(start := play.handed_out[0]) is Start:
        assert outcome.status == start.status
        assert (start.status == 500) == (play.failed == "before")


def check_ledger(play: Play) -> None:
    """Only a body as long as announced has an end, and each response that nobody leaves has an end or a reset."""
    first = play.handed_out[0] if play.handed_out else None
    ended = any(type(event) is End for event in play.handed_out)
    cut = any(type(event) is Reset for event in play.handed_out)
    assert not (cut and not play.broken), "only for what failed after the head"
    if type(first) is not Start:
        assert play.left
        return
    body = b"".join([event.data for event in play.handed_out if type(event) is Chunk])
    ranges = sum([event.count for event in play.handed_out if type(event) is FileRange])
    if play.case.method == "HEAD" or first.status in (204, 304):
        assert first.length == len(body) + ranges == 0
    elif first.length is not None:
        assert (b"content-length", b"%d" % first.length) in first.fields
        assert len(body) + ranges <= first.length
    if ended and first.length is not None:
        assert len(body) + ranges == first.length
    if play.kind == "complete":
        assert ended or play.fulfilled
        assert play.sent == len(body) + ranges
    if ended and play.pulled and not play.failed and not play.refused:
        assert body.replace(HEARTBEAT, b"") == play.yielded


@cache
def tally(case: Case) -> tuple[int, frozenset[tuple[str, str]]]:
    """How many scripts it has, and which inputs were given in which states."""
    pairs: set[tuple[str, str]] = set()
    return sum(1 for _ in plays(case, pairs)), frozenset(pairs)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_of_every_script(case: Case) -> None:
    count, _ = tally(case)
    assert count >= OF_EACH


@pytest.mark.slow
def test_so_many_scripts_there_are() -> None:
    counts = {case.name: tally(case)[0] for case in CASES}
    print(*[f"{count:>8} {name}" for name, count in counts.items()], f"{sum(counts.values()):>8}", sep="\n")
    assert sum(counts.values()) >= OF_ALL


@pytest.mark.slow
def test_no_pair_that_may_follow_is_missing_from_the_scripts() -> None:
    """Each pair of the table, but for those after a mistake of the driver."""
    played = {pair for case in CASES for pair in tally(case)[1]}
    possible = {(NAMES[state], name) for state, name in TRANSITIONS if state != BROKEN}
    assert possible == played
