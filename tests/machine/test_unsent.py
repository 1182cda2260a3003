"""A driver that sends chunks together says which of them had not gone when the client did."""

from __future__ import annotations

import pytest

from heaven_core import Machine, Request, Response
from heaven_core.message.bodies import AnyIterable
from heaven_core.protocol.needs import CloseStream, Finished
from heaven_core.testing import Clock

CHUNKS = (b"one", b"two", b"three")


def machine_after(count: int) -> Machine[AnyIterable]:
    """So many chunks have been handed out."""
    response = Response()
    response.stream([b"never asked"])
    machine: Machine[AnyIterable] = Machine(response, Request[object]("GET", "/"), Clock().runtime(), lambda it: it)
    machine.start()
    for chunk in CHUNKS[:count]:
        machine.produced(chunk)
    return machine


def counted(machine: Machine[AnyIterable]) -> int:
    while type(machine.need) is CloseStream:
        machine.closed()
    need = machine.need
    assert type(need) is Finished
    assert need.outcome.kind == "disconnected"
    return need.outcome.body_bytes


def test_the_chunk_handed_out_last_has_not_gone_anyway() -> None:
    machine = machine_after(3)
    machine.disconnected(unsent=len("three"))
    machine.exhausted()
    assert counted(machine) == len("onetwo")


@pytest.mark.parametrize(("unsent", "body_bytes"), [(0, 6), (5, 6), (8, 3), (11, 0), (99, 0)])
def test_chunks_that_waited_before_the_last_one_have_not_gone_either(unsent: int, body_bytes: int) -> None:
    machine = machine_after(3)
    machine.disconnected(0, unsent)
    machine.exhausted()
    assert counted(machine) == body_bytes


def test_also_where_the_end_was_to_go_out_with_it() -> None:
    machine = machine_after(3)
    machine.exhausted()
    machine.disconnected(unsent=len("twothree"))
    assert counted(machine) == len("one")
