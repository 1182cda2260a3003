"""A stream that has promised a length: when all of it has gone, its client may go, too."""

from __future__ import annotations

import pytest

from heaven_core import Chunk, Machine, Outcome, Request, Reset, Response
from heaven_core.message.bodies import AnyIterable
from heaven_core.protocol.needs import CloseStream, Deliver, Finished, NextItem
from heaven_core.testing import Clock


def machine_of(length: int) -> Machine[AnyIterable]:
    response = Response()
    response.stream([b"never asked"], length=length)
    machine: Machine[AnyIterable] = Machine(response, Request[object]("GET", "/"), Clock().runtime(), lambda it: it)
    machine.start()
    return machine


def need_of(machine: Machine[AnyIterable]) -> type:
    return type(machine.need)


def kinds_of_needs(machine: Machine[AnyIterable]) -> tuple[list[type], Outcome]:
    """What it needs until it has finished, and how that was."""
    needs: list[type] = []
    while type(machine.need) is not Finished:
        needs.append(type(machine.need))
        if needs[-1] is Deliver:
            machine.delivered()
        else:
            machine.closed()
    return needs, machine.need.outcome


def test_a_promise_of_nothing_is_fulfilled_by_the_head() -> None:
    machine = machine_of(0)
    machine.produced(b"")
    machine.delivered()
    machine.disconnected()
    _, outcome = kinds_of_needs(machine)
    assert (outcome.kind, outcome.body_bytes) == ("complete", 0)


@pytest.mark.parametrize("items", [[b"four"], [b"fo", b"ur"]])
def test_the_last_of_it_has_to_be_delivered(items: list[bytes]) -> None:
    machine = machine_of(4)
    for item in items:
        machine.produced(item)
    assert need_of(machine) is Deliver
    assert machine.delivered() == ()
    assert need_of(machine) is NextItem


def test_a_client_that_goes_then_has_had_everything() -> None:
    """The server may end the response by itself, and say that the client has gone (RFC 9112 §6.3)."""
    machine = machine_of(4)
    machine.produced(b"four")
    machine.delivered()
    assert machine.disconnected() == ()
    needs, outcome = kinds_of_needs(machine)
    assert needs == [CloseStream]
    assert (outcome.kind, outcome.body_bytes) == ("complete", 4)


def test_a_client_that_goes_before_has_not_had_everything() -> None:
    machine = machine_of(4)
    machine.produced(b"four")
    machine.disconnected()
    machine.delivered()
    _, outcome = kinds_of_needs(machine)
    assert (outcome.kind, outcome.body_bytes) == ("disconnected", 0)


def test_an_item_beyond_the_promise_is_still_a_failure() -> None:
    machine = machine_of(4)
    machine.produced(b"four")
    machine.delivered()
    assert machine.produced(b"more") == (Reset(),)
    _, outcome = kinds_of_needs(machine)
    assert outcome.kind == "failed"


def test_a_stream_whose_last_item_cannot_be_delivered_is_broken_off() -> None:
    machine = machine_of(4)
    assert machine.produced(b"four")[1] == Chunk(b"four")
    assert machine.delivered(0, OSError("wire")) == (Reset(),)
    _, outcome = kinds_of_needs(machine)
    assert outcome.kind == "failed"


def test_an_empty_item_afterwards_changes_nothing() -> None:
    machine = machine_of(4)
    machine.produced(b"four")
    machine.delivered()
    assert machine.produced(b"") == ()
    assert need_of(machine) is NextItem
