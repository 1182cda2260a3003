"""SPEC 4: server-sent events, which no item can forge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

from heaven_core import Context, Request, Response, ServerSentEvent
from tests.table.kit import (
    NOSNIFF,
    Ask,
    Table,
    bodiless,
    cut,
    exact,
    failure,
    headed,
    notes_of,
    streamed,
)

__all__ = ["EVENTS"]

EVENTS: Final = Table()
KIND: Final = "text/event-stream"
GIVEN: Final = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


@EVENTS.add(
    streamed(
        b"data: text\n\n",
        'data: {"n":1,"s":"ü"}\n\n'.encode(),
        b"data: [1,2]\n\n",
        b"data: bytes\n\n",
        b": why\nevent: tick\nid: 7\nretry: 1500\ndata: {}\n\n",
        b"event: bare\ndata:\n\n",
        b": a comment\n\n",
        kind=KIND,
        given=GIVEN,
    ),
    notes=("closed",),
)
@EVENTS.add(bodiless(200, *GIVEN, ("content-type", KIND), NOSNIFF), Ask("HEAD"))
async def events(req: Request, res: Response, ctx: Context) -> None:
    """Each kind of item."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[object]:
        try:
            yield "text"
            yield {"n": 1, "s": "ü"}
            yield [1, 2]
            yield b"bytes"
            yield ServerSentEvent(dict[str, str](), event="tick", id="7", retry=1500, comment="why")
            yield ServerSentEvent(event="bare")
            yield ServerSentEvent(comment="a comment")
        finally:
            notes.write("closed")

    res.stream(items(), sse=True)


@EVENTS.add(
    streamed(b"data: a\ndata: b\ndata: c\ndata: data: forged\ndata: \n\n", b": x\n: y\n\n", kind=KIND, given=GIVEN)
)
def line_breaks_in_data(req: Request, res: Response, ctx: Context) -> None:
    """CR, LF and CRLF in data become lines of data: nothing is forged."""
    res.stream(["a\rb\r\nc\ndata: forged\n", ServerSentEvent(comment="x\ny")], sse=True)


@EVENTS.add(streamed(b"data: x\n\n", kind=KIND, given=(("cache-control", "no-store"), ("x-accel-buffering", "yes"))))
def fields_of_its_own(req: Request, res: Response, ctx: Context) -> None:
    """Cache-Control and X-Accel-Buffering are left alone where they are set."""
    res.headers = "Cache-Control", "no-store"
    res.headers = "X-Accel-Buffering", "yes"
    res.stream(["x"], sse=True)


@EVENTS.add(exact(b"", *GIVEN, ("content-type", KIND), NOSNIFF, ("content-length", "0")))
def no_events(req: Request, res: Response, ctx: Context) -> None:
    """A stream without events is empty."""
    res.stream(list[str](), sse=True)


@EVENTS.add((headed(200, None, *GIVEN, ("content-type", KIND), NOSNIFF), *streamed(b"data: 41\n\n")[1:]),
            Ask(headers=(("Last-Event-ID", "41"),)))  # fmt: skip
def last_event_id(req: Request, res: Response, ctx: Context) -> None:
    """What a browser sends when it comes back."""
    res.stream([req.last_event_id], sse=True)


@EVENTS.add(cut(b"data: one\n\n", kind=KIND, given=GIVEN), errors=(ValueError,))
def forged_event_name(req: Request, res: Response, ctx: Context) -> None:
    """A line break in an event's name is refused where it is made: the stream breaks off."""
    res.stream((ServerSentEvent("x", event="a\ndata: forged") if n else "one" for n in range(2)), sse=True)


@EVENTS.add(failure(), errors=(ValueError,))
def forged_id(req: Request, res: Response, ctx: Context) -> None:
    """The same in an id; before the start it is a 500."""
    events = (ServerSentEvent("x", id=f"{n}\r\nevent: forged") for n in range(1))
    res.stream(events, sse=True, head_timeout=60)  # a busy machine may take longer than 0.1 s to the first event


@EVENTS.add(failure(), errors=(ValueError,))
def forged_after_it_was_made(req: Request, res: Response, ctx: Context) -> None:
    """Checked again when it is written."""
    event = ServerSentEvent("x", id="1")
    object.__setattr__(event, "id", "1\n\ndata: forged")
    res.stream([event], sse=True)


@EVENTS.add(cut(b"data: one\n\n", kind=KIND, given=GIVEN), errors=(ValueError,))
def event_that_is_no_text(req: Request, res: Response, ctx: Context) -> None:
    """Bytes are data in UTF-8, never raw lines."""
    res.stream(["one", b"\xff"], sse=True)


@EVENTS.add(failure(), errors=(TypeError,))
def event_of_another_type(req: Request, res: Response, ctx: Context) -> None:
    """Neither text nor JSON."""
    res.stream([3.5], sse=True)


NUMBERED: Final = [b'data: {"n":%d}\n\n' % number for number in range(20)]


@EVENTS.add(streamed(*NUMBERED, kind=KIND, given=GIVEN))
def events_of_one_dict(req: Request, res: Response, ctx: Context) -> None:
    """An event is what it was when it was yielded."""

    def items() -> Iterator[object]:
        document = {"n": 0}
        for number in range(20):
            document["n"] = number
            yield document if number % 2 else ServerSentEvent(document)

    res.stream(items(), sse=True)


@EVENTS.add(cut(b"data: one\n\n", kind=KIND, given=GIVEN), notes=("closed",), errors=(TypeError,))
def sync_events_of_which_one_is_none(req: Request, res: Response, ctx: Context) -> None:
    """What comes before an event that can't be encoded arrives, and the generator is closed."""
    notes = notes_of(ctx)

    def items() -> Iterator[object]:
        try:
            yield "one"
            yield {"no": object()}
            yield "three"
        finally:
            notes.write("closed")

    res.stream(items(), sse=True)
