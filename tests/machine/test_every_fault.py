"""Every fault at every step: all that can happen to a response, one after the other, and none left out.

A script is a sequence of what may come: what a driver answers, what it can't perform, and the client's leaving, once,
at any moment. All of them are played, for each kind of body, through the head, three items and the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final

import pytest

from heaven_core import Chunk, Deferred, End, Event, FileRange, Reset, Response, ServerSentEvent, Start
from heaven_core.sources import DirectorySource, FileSource
from tests.machine.world import WHENS, Case, World

RANGE: Final = (b"range", b"bytes=0-1")
RANGES: Final = (b"range", b"bytes=0-0,3-4")
CODINGS: Final = (b"accept-encoding", b"br, gzip")
# So many scripts there are of all cases together, at least: an enumeration that ends too soon proves nothing.
AT_LEAST: Final = 30_000
LETTERS: Final[dict[type, str]] = {Start: "s", Chunk: "c", FileRange: "f", End: "e", Reset: "r", Deferred: "d"}


def buffered(res: Response) -> None:
    res.body = b"hello"


def sliceable(res: Response) -> None:
    res.body = b"hello"
    res.ranges = True


def path(res: Response) -> None:
    res.file("/f")


def precompressed(res: Response) -> None:
    res.file("/f", precompressed=True)


def directory(res: Response) -> None:
    listing = DirectorySource("d", "/", "/d/", False, FileSource("/fallback"))
    res.take(FileSource("d/index.html", within="/", directory_location=b"./d/", otherwise=listing))


def held(res: Response) -> None:
    res.file(BytesIO(b"hello"))


def text(res: Response) -> None:
    res.stream([b"never asked"])


def promising(length: int) -> Case:
    def body(res: Response) -> None:
        res.stream([b"never asked"], length=length)

    return Case(f"text of {length} bytes", body, promise=length)


def events(res: Response) -> None:
    res.stream(["never asked"], sse=True, at_shutdown=ServerSentEvent(event="bye"))


def replaced(res: Response) -> None:
    res.stream([b"replaced"])
    res.stream([b"never asked"])


def replaced_by_a_file(res: Response) -> None:
    res.stream([b"replaced"])
    res.file("/f")


CASES: Final = [
    Case("buffered", buffered),
    Case("buffered, HEAD", buffered, "HEAD"),
    Case("buffered, one range", sliceable, "GET", RANGE),
    Case("buffered, two ranges", sliceable, "GET", RANGES),
    Case("file", path),
    Case("file, HEAD", path, "HEAD"),
    Case("file, one range", path, "GET", RANGE),
    Case("file, two ranges", path, "GET", RANGES),
    Case("file, precompressed", precompressed, "GET", CODINGS),
    Case("directory", directory),
    Case("open file", held),
    Case("text", text),
    Case("text, HEAD", text, "HEAD"),
    Case("text, 204", text, status=204),
    Case("text, 304", text, status=304),
    promising(0),
    promising(4),
    promising(6),
    promising(7),
    Case("events", events),
    Case("text that replaced a stream", replaced),
    Case("file that replaced a stream", replaced_by_a_file),
]


def scripts(case: Case) -> Iterator[tuple[tuple[str, ...], World]]:
    """Each script that there is, with the world at its end."""
    unplayed: list[tuple[str, ...]] = [()]
    while unplayed:
        script = unplayed.pop()
        world = World(case)
        for name in script:
            dict(world.choices())[name]()
        while choices := world.choices():
            (name, act), *others = choices
            unplayed += [(*script, other) for other, _ in others]
            script = (*script, name)
            act()
        yield script, world


def word(events: list[Event]) -> str:
    return "".join(LETTERS[type(event)] for event in events)


def check_grammar(world: World) -> None:
    """`Start (Chunk | FileRange)* (End | Reset)`, or a beginning of it where the client has gone; then `Deferred`."""
    for letters in (word(world.handed_out), word(world.performed)):
        body = letters.removesuffix("d")
        assert "d" not in body
        assert body[:1] in ("", "s")
        assert set(body[1:-1]) <= set("cf")
        assert not body[1:] or body[-1] in "cfer"
        if not world.left:
            assert body[-1] in "er"


def check_closed(world: World) -> None:
    """Each once, also what was opened too late, and what another body replaced."""
    assert sorted(map(id, world.streams_closed)) == sorted(map(id, world.streams))
    assert world.files_closed == world.files_opened


def check_ledger(world: World) -> None:
    """The outcome is what the world has seen; and a body that ends is as long as its head has said."""
    assert world.outcome is not None, "it is finished"
    assert world.outcome.kind == world.kind
    assert world.outcome.body_bytes == world.sent
    if any(type(event) is End for event in world.performed):
        start = world.performed[0]
        assert type(start) is Start
        sizes = [len(event.data) for event in world.performed if type(event) is Chunk]
        sizes += [event.count for event in world.performed if type(event) is FileRange]
        assert start.length in (None, sum(sizes))
    elif not world.left:
        assert world.kind == "failed", "only a failure is a Reset"


def check_deferred(world: World) -> None:
    """Once, and when nothing is left to do; what failed before the head takes back what the handler had set."""
    assert not world.deferred_too_early
    calls = [call.when for event in world.performed if type(event) is Deferred for call in event.calls]
    always = world.failed != "before"
    assert calls == [when for when in WHENS if when == world.kind or (when == "always" and always)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_of_every_script(case: Case) -> None:
    count = 0
    for script, world in scripts(case):
        count += 1
        try:
            check_grammar(world)
            check_closed(world)
            check_ledger(world)
            check_deferred(world)
        except AssertionError as error:
            error.add_note(f"{case.name}: {', '.join(script)}")
            raise
    COUNTS[case.name] = count


COUNTS: Final[dict[str, int]] = {}


@pytest.mark.slow
def test_that_there_are_so_many_scripts() -> None:
    counts = COUNTS if len(COUNTS) == len(CASES) else {case.name: sum(1 for _ in scripts(case)) for case in CASES}
    print("\n".join(f"{count:>8} {name}" for name, count in counts.items()), f"\n{sum(counts.values()):>8}")
    assert sum(counts.values()) >= AT_LEAST
    assert min(counts.values()) >= 8
