"""A `BaseException` of the application's that is no cancellation: a failure; all is closed, and then it passes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from pathlib import Path

import anyio
import pytest

from heaven_core import Context, Request, Response
from heaven_core._exception_groups import is_only
from heaven_core._typing import override
from heaven_driver.engine import Engine
from tests.driver.memory import PATIENCE, Call
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio


class Ending(BaseException):
    """As `SystemExit` is, but that event loops have no rule of their own for it."""


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


async def ended(witness: Witness, act: Callable[[Response], None]) -> Call:
    calls: list[str] = []

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(lambda app: calls.append("always"))
        res.defer(lambda app: calls.append("complete"), "complete")
        res.defer(lambda app: calls.append("failed"), "failed")
        act(res)

    witness.app.GET("/ends", handler)
    call = Call(Engine(witness.app), "/ends")
    with anyio.fail_after(PATIENCE), pytest.raises(BaseException) as raised:  # noqa: PT011  (on trio in a group)
        await call.run()
    assert is_only(raised.value, Ending)
    # What was deferred by who has failed before the start is taken back, but for what waits for that.
    assert calls == (["always", "failed"] if call.sent else ["failed"])
    assert [type(error) for error in witness.errors] == [Ending]
    return call


def end() -> None:
    raise Ending


async def test_out_of_a_handler(witness: Witness) -> None:
    call = await ended(witness, lambda res: end())
    assert call.sent == []


async def test_out_of_a_handler_that_has_set_a_stream(witness: Witness) -> None:
    def act(res: Response) -> None:
        res.stream(closing(notes))
        end()

    notes: list[str] = []
    await ended(witness, act)
    assert notes == []  # a generator that was never begun has no `finally` to run


def closing(notes: list[str]) -> Iterator[str]:
    try:
        yield "one"
    finally:
        notes.append("closed")


async def test_out_of_a_stream(witness: Witness) -> None:
    notes: list[str] = []

    async def items() -> AsyncIterator[str]:
        try:
            yield "one"
            end()
        finally:
            notes.append("closed")

    call = await ended(witness, lambda res: res.stream(items()))
    assert notes == ["closed"]
    assert not any(sent.ended for sent in call.sent)


async def test_out_of_the_first_step_of_a_stream(witness: Witness) -> None:
    async def items() -> AsyncIterator[str]:
        end()
        yield ""

    call = await ended(witness, lambda res: res.stream(items()))
    assert call.sent == []


class EndingFile(BytesIO):
    """Ends where its size is asked for, or where it is read."""

    def __init__(self, where: str) -> None:
        super().__init__(b"hello")
        self.where = where

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self.where == "seek" and whence:
            end()
        return super().seek(offset, whence)

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if self.where == "read":
            end()
        return super().read(size)


@pytest.mark.parametrize("where", ["seek", "read"])
async def test_out_of_an_open_file_of_the_application(witness: Witness, where: str) -> None:
    file = EndingFile(where)
    call = await ended(witness, lambda res: res.file(file))
    assert file.closed
    assert len(call.sent) == (0 if where == "seek" else 1)
    assert witness.outcome == "failed"
