"""What a step yields is frozen in it, in whatever thread it runs: see `NextItem.freeze`."""

from __future__ import annotations

from heaven_core import Machine, Request, Response
from heaven_core.message.bodies import AnyIterable
from heaven_core.protocol.events import Chunk
from heaven_core.protocol.needs import CloseStream, NextItem
from heaven_core.testing import Clock


def at_its_first_step() -> tuple[Machine[AnyIterable], NextItem[AnyIterable]]:
    response = Response()
    response.stream(iter([]))
    machine = Machine(response, Request[object]("GET", "/"), Clock().runtime(), lambda it: it)
    machine.start()
    need = machine.need
    assert type(need) is NextItem
    return machine, need


def test_a_buffer_that_is_filled_again_is_sent_as_it_was() -> None:
    machine, need = at_its_first_step()
    buffer = bytearray(b"AAAA")
    frozen = need.freeze(buffer)
    buffer[:] = b"BBBB"
    chunk = machine.produced(frozen)[-1]
    assert type(chunk) is Chunk
    assert bytes(chunk.data) == b"AAAA"


def test_a_step_may_end_after_its_stream_has() -> None:
    """The client has left meanwhile: the thread of the step learns nothing of it."""
    machine, need = at_its_first_step()
    machine.disconnected()
    assert type(machine.need) is CloseStream
    machine.closed()
    assert need.freeze("text") == b"text"
