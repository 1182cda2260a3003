"""Files that break while they are sent: the body never looks whole, and nothing stays open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import anyio
import pytest

from heaven_driver.engine import Engine
from heaven_io.files import READ_SIZE
from tests.driver.memory import PATIENCE, Call, Sent
from tests.driver.witness import Witness

pytestmark = pytest.mark.anyio

SIZE: Final = 3 * READ_SIZE


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    (tmp_path / "large.bin").write_bytes(b"x" * SIZE)
    return Witness(tmp_path)


def call_of(witness: Witness) -> Call:
    return Call(Engine(witness.app), "/large-file")


@pytest.mark.parametrize("left", [0, 1, READ_SIZE - 1, READ_SIZE, READ_SIZE + 1])
async def test_a_file_that_shrinks(left: int, witness: Witness) -> None:
    """What there is goes out; without a last message, the server breaks the connection off."""
    call = call_of(witness)

    async def shrink(number: int, sent: Sent) -> None:
        if number == 0:
            os.truncate(witness.directory / "large.bin", left)

    call.at_send = shrink
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert (len(call.answer.body), call.answer.whole) == (left, False)
    assert witness.outcome == "failed"
    assert witness.outcomes[0].body_bytes == left
    assert [type(error) for error in witness.errors] == [EOFError]
    assert witness.notes == ["always", "failed"]
    assert witness.open_files == []


async def test_a_file_that_grows(witness: Witness) -> None:
    """Exactly the announced bytes go out."""
    call = call_of(witness)

    async def grow(number: int, sent: Sent) -> None:
        with (witness.directory / "large.bin").open("ab") as file:
            file.write(b"y" * 1000)

    call.at_send = grow
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.body == b"x" * SIZE
    assert call.answer.whole
    assert witness.outcome == "complete"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the descriptor in /proc")
@pytest.mark.parametrize("after", [0, 1])
async def test_a_file_that_can_not_be_read(after: int, witness: Witness) -> None:
    """A disk that fails, here by a descriptor that has become one for writing."""
    call = call_of(witness)

    async def spoil(number: int, sent: Sent) -> None:
        if number == after:
            path = str(witness.directory / "large.bin")
            [fd] = [int(link.name) for link in Path("/proc/self/fd").iterdir() if points_to(link, path)]
            unreadable = os.open(os.devnull, os.O_WRONLY)
            os.dup2(unreadable, fd)
            os.close(unreadable)

    call.at_send = spoil
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert (len(call.answer.body), call.answer.whole) == (after * READ_SIZE, False)
    assert witness.outcome == "failed"
    assert [isinstance(error, OSError) for error in witness.errors] == [True]
    assert witness.notes == ["always", "failed"]


def points_to(link: Path, path: str) -> bool:
    try:
        return str(link.readlink()) == path
    except OSError:  # the one that listed them
        return False


async def test_too_many_open_files_is_a_500(witness: Witness) -> None:
    """SPEC 1: an open that fails by anything but 403 and 404 is ours."""
    resource = pytest.importorskip("resource")
    call = call_of(witness)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    await anyio.to_thread.run_sync(int)  # the thread, and what it opens, is there already
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        with anyio.fail_after(PATIENCE):
            await call.run()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert call.answer.status == 500
    assert witness.outcome == "failed"


@pytest.mark.parametrize("takes_files", [False, True])
@pytest.mark.parametrize(
    "spans",
    [[(0, 2 * READ_SIZE), (2 * READ_SIZE + 9, SIZE)], [(0, READ_SIZE + 1), (SIZE - 20, SIZE - 10), (SIZE - 5, SIZE)]],
)
async def test_several_ranges_go_out_in_order(takes_files: bool, spans: list[tuple[int, int]], tmp_path: Path) -> None:
    """RFC 9110 §14.6: each part after its own head, however the wire sends files, and nothing of it waits for more."""
    data = os.urandom(SIZE)
    witness = Witness(tmp_path)
    (tmp_path / "large.bin").write_bytes(data)
    ranges = ", ".join(f"{start}-{end - 1}" for start, end in spans)
    call = Call(Engine(witness.app), "/large-file", headers=[("Range", f"bytes={ranges}")])
    call.takes_files = takes_files
    with anyio.fail_after(PATIENCE):
        await call.run()
    fields = dict(call.answer.fields)
    boundary = fields[b"content-type"].partition(b"boundary=")[2]
    _, *parts, _ = call.answer.body.split(b"--" + boundary)
    assert len(call.answer.body) == int(fields[b"content-length"]) == witness.outcomes[0].body_bytes
    assert [part.partition(b"\r\n\r\n")[2] for part in parts] == [data[start:end] + b"\r\n" for start, end in spans]
    assert witness.outcome == "complete"


@pytest.mark.parametrize("turn", [1, READ_SIZE, READ_SIZE + 1, 2 * READ_SIZE])
async def test_what_a_wire_does_not_send_of_a_file_is_read(turn: int, tmp_path: Path) -> None:
    """It stops where the disk would have to be waited for, and is asked again after the next piece."""
    data = os.urandom(SIZE)
    witness = Witness(tmp_path)
    (tmp_path / "large.bin").write_bytes(data)
    call = call_of(witness)
    call.takes_files = True
    call.file_turn = turn
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert call.answer.body == data
    assert call.answer.whole
    assert (witness.outcome, witness.outcomes[0].body_bytes) == ("complete", SIZE)


@pytest.mark.parametrize("left", [0, 1, READ_SIZE + 1])
async def test_a_file_that_shrinks_while_the_wire_sends_it(left: int, witness: Witness) -> None:
    call = call_of(witness)
    call.takes_files = True

    async def shrink(number: int, sent: Sent) -> None:
        if number == 0:
            os.truncate(witness.directory / "large.bin", left)

    call.at_send = shrink
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert (len(call.answer.body), call.answer.whole) == (left, False)
    assert (witness.outcome, witness.outcomes[0].body_bytes) == ("failed", left)
    assert [type(error) for error in witness.errors] == [EOFError]


async def test_a_client_that_goes_while_the_wire_sends_a_file(witness: Witness) -> None:
    """What has left until then counts."""
    call = call_of(witness)
    call.takes_files = True
    call.leaves_after = READ_SIZE + 7
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert (witness.outcome, witness.outcomes[0].body_bytes) == ("disconnected", READ_SIZE + 7)
    assert witness.errors == []
    assert witness.notes == ["always"]
    assert witness.open_files == []
