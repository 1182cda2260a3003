"""SPEC 1: `res.abort`, and that nothing swallows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import anyio

from heaven_core import Context, Request, Response, ResponseStarted
from heaven_core.errors import Abort
from tests.table.bodies import AsyncClosing
from tests.table.files import CHANGED, HELLO, TAG
from tests.table.kit import JSON, TEXT, Ask, Table, bodiless, buffered, failure, notes_of, root_of, served, streamed

__all__ = ["ABORTS"]

ABORTS: Final = Table()


def hook_after(req: Request, res: Response, ctx: Context) -> None:
    notes_of(ctx).write("after-hook")


@ABORTS.add(buffered(b"no", TEXT, ("x-kept", "1"), status=403), after=[hook_after])
def abort(req: Request, res: Response, ctx: Context) -> None:
    """Status and headers set so far go out with the body given; no later line or hook runs."""
    res.status = 403
    res.headers = "X-Kept", "1"
    res.body = "not this"
    res.abort("no")


@ABORTS.add(buffered(b'{"so":"far"}', JSON, status=409))
async def abort_without_a_body(req: Request, res: Response, ctx: Context) -> None:
    """Without a body it is what was set so far."""
    res.status = 409
    res.body = {"so": "far"}
    res.abort()


@ABORTS.add(bodiless(204))
@ABORTS.add(bodiless(204), Ask("HEAD"))
def abort_with_nothing(req: Request, res: Response, ctx: Context) -> None:
    """Which may be nothing."""
    res.status = 204
    res.abort()


@ABORTS.add(streamed(b"one", b"two"))
def abort_with_a_stream(req: Request, res: Response, ctx: Context) -> None:
    """Or a stream."""
    res.stream(iter([b"one", b"two"]))
    res.abort()


@ABORTS.add(served(HELLO, TEXT, TAG, CHANGED), file=HELLO)
def abort_with_a_file(req: Request, res: Response, ctx: Context) -> None:
    """Or a file."""
    res.file(f"{root_of(ctx)}/hello.txt")
    res.abort()


@ABORTS.add(buffered(b"a body instead"), notes=("closed",))
async def abort_in_the_place_of_a_stream(req: Request, res: Response, ctx: Context) -> None:
    """The stream that the body replaces is closed."""
    res.stream(AsyncClosing(ctx))
    res.abort("a body instead")


async def _refuse(req: Request, res: Response, ctx: Context) -> None:
    res.status = 401
    res.headers = "WWW-Authenticate", "Basic"
    res.abort("who are you?")


def _never(req: Request, res: Response, ctx: Context) -> None:
    notes_of(ctx).write("a second hook")


@ABORTS.add(
    buffered(b"who are you?", TEXT, ("www-authenticate", "Basic"), status=401),
    before=[_refuse, _never],
    after=[hook_after],
)
def abort_in_a_before_hook(req: Request, res: Response, ctx: Context) -> None:
    """No later hook, and no handler."""
    notes_of(ctx).write("handler")


def _refuse_after(req: Request, res: Response, ctx: Context) -> None:
    res.status = 410
    res.abort("gone")


@ABORTS.add(buffered(b"gone", status=410), after=[_refuse_after, _never])
def abort_in_an_after_hook(req: Request, res: Response, ctx: Context) -> None:
    """No later one."""
    res.body = "handler"


@ABORTS.add(buffered(b"from the group", status=418), needs_loop=True)
async def abort_in_a_task_group(req: Request, res: Response, ctx: Context) -> None:
    """It comes out of the exception group."""
    res.status = 418

    async def child() -> None:
        res.abort("from the group")

    async with anyio.create_task_group() as group:
        group.start_soon(child)
        await anyio.sleep_forever()


@ABORTS.add(buffered(b"from the group", status=418), errors=(ExceptionGroup,), needs_loop=True)
async def abort_in_a_task_group_beside_an_error(req: Request, res: Response, ctx: Context) -> None:
    """The errors beside it are reported, and change nothing."""
    res.status = 418
    failing = anyio.Event()

    async def fail() -> None:
        try:
            failing.set()
            await anyio.sleep_forever()
        finally:
            raise ValueError("beside it")

    async with anyio.create_task_group() as group:
        group.start_soon(fail)
        await failing.wait()
        res.abort("from the group")


@ABORTS.add(buffered(b"sealed"))
def abort_swallowed(req: Request, res: Response, ctx: Context) -> None:
    """A bare except changes nothing: the response is sealed."""
    try:
        res.abort("sealed")
    except:  # noqa: E722
        pass
    with suppress(ResponseStarted):
        res.body = "changed"
    with suppress(ResponseStarted):
        res.headers = "X-Changed", "1"


@ABORTS.add(buffered(b"sealed"))
def abort_not_caught_as_an_exception(req: Request, res: Response, ctx: Context) -> None:
    """`except Exception` does not see it."""
    try:
        res.abort("sealed")
    except Exception:
        notes_of(ctx).write("caught")


@ABORTS.add(buffered(b"sealed"), after=[hook_after])
def abort_lost_in_a_finally(req: Request, res: Response, ctx: Context) -> None:
    """Nor does a `finally` that leaves."""
    while True:
        try:
            res.abort("sealed")
        finally:
            break  # noqa: B012


@ABORTS.add(buffered(b"sealed"), errors=(ResponseStarted,))
async def change_after_an_abort(req: Request, res: Response, ctx: Context) -> None:
    """A change after it raises, is reported, and goes nowhere."""
    try:
        res.abort("sealed")
    except Abort:
        res.status = 500


@ABORTS.add(buffered(b"sealed"), errors=(ZeroDivisionError,))
def error_after_an_abort(req: Request, res: Response, ctx: Context) -> None:
    """Another error after it is reported, and changes nothing."""
    try:
        res.abort("sealed")
    except Abort:
        raise ZeroDivisionError from None


@ABORTS.add(buffered(b"sealed"), needs_loop=True)
async def abort_in_a_task_that_nobody_awaits(req: Request, res: Response, ctx: Context) -> None:
    """Seals the response, although the exception stays where it is."""

    async def child() -> None:
        try:
            res.abort("sealed")
        except Abort:
            notes_of(ctx)  # where it would be lost

    async with anyio.create_task_group() as group:
        group.start_soon(child)


@ABORTS.add(failure(), errors=(RuntimeError,))
def abort_by_hand(req: Request, res: Response, ctx: Context) -> None:
    """An Abort that is not the response's is a failure."""
    res.body = "hello"
    raise Abort


@ABORTS.add(streamed(b"one", b"caught"), notes=("ResponseStarted",))
async def abort_in_a_stream(req: Request, res: Response, ctx: Context) -> None:
    """Too late: it raises ResponseStarted."""
    notes = notes_of(ctx)

    async def items() -> AsyncIterator[bytes]:
        yield b"one"
        try:
            res.abort("late")
        except ResponseStarted:
            notes.write("ResponseStarted")
        yield b"caught"

    res.stream(items())
