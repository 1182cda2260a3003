"""SPEC 4: streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

from heaven_core import Context, Request, Response, ResponseStarted
from tests.table.kit import (
    NOSNIFF,
    OCTETS,
    TEXT,
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

__all__ = ["STREAMS"]

STREAMS: Final = Table()

NOTHING: Final[tuple[bytes, ...]] = ()


@STREAMS.add(streamed(b"one", "zwö".encode(), b"\x00\xff"), notes=("closed", "deferred"))
@STREAMS.add(bodiless(200, ("content-type", TEXT), NOSNIFF), Ask("HEAD"), notes=("deferred",))
async def async_stream(req: Request, res: Response, ctx: Context) -> None:
    """Items are bytes or str; HEAD asks for none; what is deferred comes after the clean-up."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes | str]:
        try:
            yield b"one"
            yield "zwö"
            yield b"\x00\xff"
        finally:
            notes.write("closed")

    res.stream(items())
    res.defer(notes.later("deferred"))


@STREAMS.add(streamed(b"one", b"two", b"three"), notes=("closed", "deferred"))
def sync_stream(req: Request, res: Response, ctx: Context) -> None:
    """The same for a sync generator."""
    notes = notes_of(ctx)

    def items() -> Iterator[bytes | bytearray | str]:
        try:
            yield "one"
            yield bytearray(b"two")
            yield b"three"
        finally:
            notes.write("closed")

    res.stream(items())
    res.defer(notes.later("deferred"))


# As many as a driver takes ahead of time, and more.
LETTERS: Final = [bytes([ord("A") + number]) * 4 for number in range(26)]


@STREAMS.add(streamed(*LETTERS))
def sync_stream_that_fills_its_buffer_again(req: Request, res: Response, ctx: Context) -> None:
    """An item is what it was when it was yielded."""
    buffer = bytearray(4)

    def items() -> Iterator[object]:
        for number, letters in enumerate(LETTERS):
            buffer[:] = letters
            yield buffer if number % 2 else memoryview(buffer)

    res.stream(items())


@STREAMS.add(streamed(*LETTERS))
async def async_stream_that_fills_its_buffer_again(req: Request, res: Response, ctx: Context) -> None:
    """The same for an async one."""
    buffer = bytearray(4)

    async def items() -> AsyncIterator[object]:
        for letters in LETTERS:
            buffer[:] = letters
            yield buffer

    res.stream(items())


@STREAMS.add(streamed(b"a", b"b", kind="text/csv"))
def stream_of_a_list(req: Request, res: Response, ctx: Context) -> None:
    """Any iterable, of the type given."""
    res.stream([b"a", "b"], "text/csv")


@STREAMS.add((headed(200, None, ("x-a", "1"), ("content-type", "text/csv")), *streamed(b"a")[1:]))
def stream_with_a_type_of_its_own(req: Request, res: Response, ctx: Context) -> None:
    """A Content-Type that the handler set wins."""
    res.headers = "X-A", "1"
    res.headers = "Content-Type", "text/csv"
    res.stream([b"a"])


@STREAMS.add(streamed(b"1", b"2"))
def empty_items_are_not_the_end(req: Request, res: Response, ctx: Context) -> None:
    """An empty item is not the end."""
    res.stream(iter([b"", b"1", "", b"2", b""]))


@STREAMS.add(exact(b"", ("content-type", TEXT), NOSNIFF, ("content-length", "0")))
async def empty_stream(req: Request, res: Response, ctx: Context) -> None:
    """No item at all is a body of no bytes."""

    async def items() -> AsyncIterator[bytes]:
        for item in NOTHING:
            yield item

    res.stream(items())


@STREAMS.add(streamed(*[b"%06d\n" % n for n in range(3000)], kind=OCTETS))
def long_stream(req: Request, res: Response, ctx: Context) -> None:
    """Many items, more of them than a batch."""
    res.stream((b"%06d\n" % n for n in range(3000)), "application/octet-stream")


@STREAMS.add(streamed(b"x" * 300_000, b"y" * 300_000))
async def large_items(req: Request, res: Response, ctx: Context) -> None:
    """Larger than a server's buffers."""

    async def items() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        yield b"y" * 300_000

    res.stream(items())


# A length that was promised


@STREAMS.add(streamed(b"four", b"five5", length=9))
@STREAMS.add(bodiless(200, ("content-type", TEXT), NOSNIFF, ("content-length", "9")), Ask("HEAD"))
def promised_length(req: Request, res: Response, ctx: Context) -> None:
    """`length=` is a Content-Length."""
    res.stream(iter([b"four", b"five5"]), length=9)


@STREAMS.add((headed(200, 3, ("content-length", "3"), ("content-type", TEXT), NOSNIFF), *streamed(b"abc")[1:]))
def length_promised_by_a_field(req: Request, res: Response, ctx: Context) -> None:
    """A Content-Length set by hand is the same promise."""
    res.headers = "Content-Length", 3
    res.stream(iter([b"abc"]))


@STREAMS.add(cut(b"four", length=6), outcome="failed", errors=(ValueError,))
def longer_than_promised(req: Request, res: Response, ctx: Context) -> None:
    """What is too much does not go out, and the client sees that the body is not whole."""
    res.stream(iter([b"four", b"five5"]), length=6)


@STREAMS.add(cut(b"four", length=6), outcome="failed", errors=(ValueError,))
async def shorter_than_promised(req: Request, res: Response, ctx: Context) -> None:
    """Too little: the same."""

    async def items() -> AsyncIterator[bytes]:
        yield b"four"

    res.stream(items(), length=6)


@STREAMS.add(failure(), outcome="failed", errors=(ValueError,))
def first_item_longer_than_promised(req: Request, res: Response, ctx: Context) -> None:
    """Before the start it is a 500."""
    res.stream([b"four"], length=3)


@STREAMS.add(failure(), outcome="failed", errors=(ValueError,))
def nothing_where_something_was_promised(req: Request, res: Response, ctx: Context) -> None:
    """The same."""
    res.stream(list[bytes](), length=3)


# Failures after the start


@STREAMS.add(
    cut(b"one", b"two"),
    outcome="failed",
    errors=(ZeroDivisionError,),
    notes=("closed", "always", "failed"),
)
async def async_stream_that_fails(req: Request, res: Response, ctx: Context) -> None:
    """What it yielded is sent, then the connection closes without the end of the body."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b"two"
            raise ZeroDivisionError
        finally:
            notes.write("closed")

    res.stream(items())
    res.defer(notes.later("always"))
    res.defer(notes.later("complete"), "complete")
    res.defer(notes.later("failed"), "failed")


@STREAMS.add(cut(b"one", b"two"), outcome="failed", errors=(ZeroDivisionError,), notes=("closed",))
def sync_stream_that_fails(req: Request, res: Response, ctx: Context) -> None:
    """The same for a sync one."""
    notes = notes_of(ctx)

    def items() -> Iterator[bytes]:
        try:
            yield b"one"
            yield b"two"
            raise ZeroDivisionError
        finally:
            notes.write("closed")

    res.stream(items())


@STREAMS.add(cut(b"one"), outcome="failed", errors=(TypeError,))
def stream_with_an_item_of_another_type(req: Request, res: Response, ctx: Context) -> None:
    """A stream yields bytes or str."""
    res.stream([b"one", 2])


@STREAMS.add(failure(), outcome="failed", errors=(TypeError,))
def stream_with_a_first_item_of_another_type(req: Request, res: Response, ctx: Context) -> None:
    """Before the start it is a 500."""
    res.stream([{"a": 1}])


@STREAMS.add(streamed(b"one", b"caught"), notes=("status", "headers", "body", "defer", "stream"))
async def changes_after_the_start(req: Request, res: Response, ctx: Context) -> None:
    """Each raises ResponseStarted, and changes nothing."""
    notes = notes_of(ctx)

    def refused(what: str) -> None:
        try:
            if what == "status":
                res.status = 500
            elif what == "headers":
                res.headers = "X-Late", "1"
            elif what == "body":
                res.body = "late"
            elif what == "defer":
                res.defer(notes.later("late"))
            else:
                res.stream([b"late"])
        except ResponseStarted:
            notes.write(what)

    async def items() -> AsyncIterator[bytes]:
        yield b"one"
        for what in ("status", "headers", "body", "defer", "stream"):
            refused(what)
        yield b"caught"

    res.stream(items())


@STREAMS.add(cut(b"one"), outcome="failed", errors=(RuntimeError,))
async def stream_whose_clean_up_fails(req: Request, res: Response, ctx: Context) -> None:
    """A generator whose clean-up fails, too."""

    async def items() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            raise ValueError("first")
        finally:
            raise RuntimeError("then")

    res.stream(items())
