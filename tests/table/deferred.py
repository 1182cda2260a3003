"""SPEC 5: deferred work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from heaven_core import App, Context, Request, Response
from tests.table.kit import Ask, Table, bodiless, buffered, failure, notes_of

__all__ = ["DEFERRED"]

DEFERRED: Final = Table()


@DEFERRED.add(
    buffered(b"first the answer"),
    notes=("one", "two", "raises", "three", "four"),
    errors=(ZeroDivisionError,),
)
@DEFERRED.add(
    buffered(b"first the answer", head_only=True),
    Ask("HEAD"),
    notes=("one", "two", "raises", "three", "four"),
    errors=(ZeroDivisionError,),
)
async def deferred_in_order(req: Request, res: Response, ctx: Context) -> None:
    """In the order of registration, each on its own; one that raises is reported and the next still runs."""
    notes = notes_of(ctx)

    def raising(app: App) -> None:
        notes.write("raises")
        raise ZeroDivisionError

    res.defer(notes.later("one"))
    res.defer(notes.later_async("two"), "complete")
    res.defer(notes.later("never"), "failed")
    res.defer(raising)
    res.defer(notes.later("three"))
    res.defer(notes.later_async("four"))
    res.body = "first the answer"


def _deferring(req: Request, res: Response, ctx: Context) -> None:
    notes = notes_of(ctx)
    res.defer(notes.later("hook, always"))
    res.defer(notes.later("hook, complete"), "complete")
    res.defer(notes.later("hook, failed"), "failed")


@DEFERRED.add(
    failure(),
    before=[_deferring],
    notes=("hook, always", "hook, failed", "handler, failed"),
    errors=(ZeroDivisionError,),
)
def deferred_by_a_handler_that_fails(req: Request, res: Response, ctx: Context) -> None:
    """What a handler that fails deferred is dropped, but for `failed`; what the hooks before it deferred stays."""
    notes = notes_of(ctx)
    res.defer(notes.later("handler, always"))
    res.defer(notes.later("handler, failed"), "failed")
    raise ZeroDivisionError


@DEFERRED.add(buffered(b"aborted"), notes=("always", "complete"))
def deferred_before_an_abort(req: Request, res: Response, ctx: Context) -> None:
    """An abort is an answer like any other."""
    notes = notes_of(ctx)
    res.defer(notes.later("always"))
    res.defer(notes.later("complete"), "complete")
    res.defer(notes.later("failed"), "failed")
    res.abort("aborted")


@DEFERRED.add(bodiless(304), notes=("always", "complete"))
async def deferred_with_304(req: Request, res: Response, ctx: Context) -> None:
    """And so is one without content."""
    notes = notes_of(ctx)
    res.status = 304
    res.defer(notes.later("always"))
    res.defer(notes.later("complete"), "complete")


@DEFERRED.add(buffered(b"x"), notes=("complete 200 1",))
def outcome_read_in_a_deferred_call(req: Request, res: Response, ctx: Context) -> None:
    """`res.outcome` says how it went."""
    notes = notes_of(ctx)

    def read(app: App) -> None:
        outcome = res.outcome
        assert outcome is not None
        notes.write(f"{outcome.kind} {outcome.status} {outcome.body_bytes}")

    assert res.outcome is None
    res.defer(read)
    res.body = "x"


@DEFERRED.add(buffered(b"x"), notes=("ResponseStarted",))
def abort_in_a_deferred_call(req: Request, res: Response, ctx: Context) -> None:
    """Too late."""
    notes = notes_of(ctx)

    def late(app: App) -> None:
        try:
            res.abort("late")
        except RuntimeError as error:
            notes.write(type(error).__name__)

    res.defer(late)
    res.body = "x"


@DEFERRED.add(buffered(b"after the stream"), notes=("closed", "deferred"))
async def deferred_after_the_clean_up(req: Request, res: Response, ctx: Context) -> None:
    """What was replaced is closed first."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes]:
        try:
            yield b"x"
        finally:
            notes.write("closed")

    stream = items()
    await anext(stream)
    res.stream(stream)
    res.defer(notes.later("deferred"))
    res.body = "after the stream"
