"""SPEC 3: conditions and ranges. What they say is tested case by case elsewhere; here, that each wire keeps to it."""

from __future__ import annotations

from typing import Final

from heaven_core import AUTO, Chunk, Context, End, Event, FileRange, Request, Response
from heaven_core.http.validators import weak_tag_of
from tests.table.files import CHANGED, HELLO, TAG
from tests.table.kit import NOSNIFF, TEXT, Ask, Table, bodiless, buffered, headed, notes_of, refusal, root_of

__all__ = ["CONDITIONS"]

CONDITIONS: Final = Table()

RANGES: Final = ("accept-ranges", "bytes")
V1: Final = ("etag", '"v1"')
MISMATCH: Final = refusal(412, "412 Precondition Failed\n")
UNSATISFIABLE: Final = refusal(416, "416 Range Not Satisfiable\n", ("content-range", "bytes */6"))
TYPED: Final = (("content-type", TEXT), NOSNIFF)
PART: Final = headed(
    206, 3, TAG, CHANGED, RANGES, ("content-range", "bytes 1-3/6"), *TYPED, ("content-length", "3")
)  # fmt: skip


def asks(name: str, value: str, method: str = "GET") -> Ask:
    return Ask(method, headers=((name, value),))


def conditional_file(req: Request, res: Response, ctx: Context) -> None:
    res.file("hello.txt", within=root_of(ctx))
    res.defer(notes_of(ctx).later("deferred"))


def conditional_text(req: Request, res: Response, ctx: Context) -> None:
    res.etag = "v1"
    res.ranges = True
    res.body = HELLO.decode()


def automatic_tag(req: Request, res: Response, ctx: Context) -> None:
    res.etag = AUTO
    res.body = HELLO.decode()


def checked(req: Request, res: Response, ctx: Context) -> None:
    res.check(etag="v1")
    notes_of(ctx).write("work")
    res.status = 204


_FILE_ROWS: Final[dict[str, tuple[tuple[Event, ...], Ask]]] = {
    "file-part": ((PART, FileRange(1, 3), End()), asks("Range", "bytes=1-3")),
    "file-without-such-a-part": (UNSATISFIABLE, asks("Range", "bytes=6-")),
    "file-known-by-tag": (bodiless(304, TAG), asks("If-None-Match", TAG[1])),
    "file-known-by-tag-head": (bodiless(304, TAG), asks("If-None-Match", TAG[1], "HEAD")),
    "file-known-by-date": (bodiless(304, TAG), asks("If-Modified-Since", CHANGED[1])),
    "file-expected-otherwise": (MISMATCH, asks("If-Match", '"other"')),
    "file-expected-older": (MISMATCH, asks("If-Unmodified-Since", "Tue, 28 Aug 2001 11:59:59 GMT")),
}
for _name, (_events, _ask) in _FILE_ROWS.items():
    CONDITIONS.put(_name, conditional_file, _events, _ask, shows="a file", file=HELLO, notes=("deferred",))

_TEXT_PART: Final = headed(
    206, 3, V1, RANGES, ("content-range", "bytes 1-3/6"), *TYPED, ("content-length", "3")
)  # fmt: skip
_TEXT_ROWS: Final[dict[str, tuple[tuple[Event, ...], Ask]]] = {
    "text-with-ranges": (buffered(HELLO, TEXT, V1, RANGES), Ask()),
    "text-part": ((_TEXT_PART, Chunk(HELLO[1:4]), End()), asks("Range", "bytes=1-3")),
    "text-without-such-a-part": (UNSATISFIABLE, asks("Range", "bytes=-0")),
    "text-known": (bodiless(304, V1), asks("If-None-Match", 'W/"v1"')),
}
for _name, (_events, _ask) in _TEXT_ROWS.items():
    CONDITIONS.put(_name, conditional_text, _events, _ask, shows="a buffered body with ranges")

_AUTO: Final = ("etag", weak_tag_of(HELLO).decode())
CONDITIONS.put("automatic-tag", automatic_tag, buffered(HELLO, TEXT, _AUTO), Ask(), shows="a tag of the body")
CONDITIONS.put(
    "automatic-tag-known",
    automatic_tag,
    bodiless(304, _AUTO),
    asks("If-None-Match", _AUTO[1]),
    shows="a tag of the body",
)

_CHECKED: Final[dict[str, tuple[tuple[Event, ...], Ask, tuple[str, ...]]]] = {
    "checked": (bodiless(204), asks("If-Match", '"v1"', "POST"), ("work",)),
    "checked-in-vain": (MISMATCH, asks("If-Match", '"v0"', "POST"), ()),
    "checked-for-nothing": (MISMATCH, asks("If-None-Match", "*", "POST"), ()),
}
for _name, (_events, _ask, _notes) in _CHECKED.items():
    CONDITIONS.put(_name, checked, _events, _ask, shows="what changes state asks first", notes=_notes)


@CONDITIONS.add(bodiless(304, V1), asks("If-None-Match", '"v1"'), notes=("deferred",))
async def stream_that_is_known(req: Request, res: Response, ctx: Context) -> None:
    """The stream is closed without a step."""
    notes = notes_of(ctx)
    res.etag = "v1"
    res.stream(iter(["never"]))
    res.defer(notes.later("deferred"))
