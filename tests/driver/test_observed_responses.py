"""Observers are told of what has been sent, also of small responses, on every way they can end."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from heaven_core import Chunk, Deferred, End, Event, FileRange, Outcome, Request, Start
from heaven_driver.engine import Engine
from heaven_io.files import READ_SIZE
from tests.driver.memory import PATIENCE, Call, Sent
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio


@pytest.fixture
def told() -> list[Event | Outcome]:
    return []


@pytest.fixture
def witness(tmp_path: Path, told: list[Event | Outcome]) -> Witness:
    witness = Witness(tmp_path)

    def observe(req: Request[object], what: Event | Outcome) -> None:
        told.append(what)
        raise ValueError("an observer")  # which must not matter

    witness.app.on_event(observe)
    return witness


async def test_a_small_response(witness: Witness, told: list[Event | Outcome]) -> None:
    call = Call(Engine(witness.app), "/text")
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert (call.answer.status, call.answer.body, call.answer.whole) == (200, b"text", True)
    assert [type(what) for what in told] == [Start, Chunk, End, Deferred, Outcome]
    assert told[-1] == witness.outcomes[0]


@pytest.mark.parametrize("path", ["/text", "/stream"])
async def test_a_client_that_leaves(path: str, witness: Witness, told: list[Event | Outcome]) -> None:
    call = Call(Engine(witness.app), path)

    async def break_off(number: int, sent: Sent) -> None:
        if number == 1:
            raise OSError("gone")

    call.at_send = break_off
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert [type(what) for what in told] == [Start, Deferred, Outcome]
    last = told[-1]
    assert type(last) is Outcome
    assert last.kind == "disconnected"


async def test_a_request_that_is_cancelled_in_its_handler(witness: Witness, told: list[Event | Outcome]) -> None:
    call = Call(Engine(witness.app), "/waiting-handler")
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await witness.waiting.wait()
            group.cancel_scope.cancel()
    assert [type(what) for what in told if type(what) is not Deferred] == [Outcome]


@pytest.mark.parametrize("takes_files", [False, True])
async def test_a_file_is_one_event_however_it_is_sent(
    takes_files: bool, witness: Witness, told: list[Event | Outcome]
) -> None:
    """The pieces that it is read in are the driver's own, and their bytes would be counted twice."""
    (witness.directory / "large.bin").write_bytes(b"x" * 3 * READ_SIZE)
    call = Call(Engine(witness.app), "/large-file")
    call.takes_files = takes_files
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert [type(what) for what in told] == [Start, FileRange, End, Deferred, Outcome]
