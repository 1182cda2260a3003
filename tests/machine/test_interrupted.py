"""The server shuts down while a stream goes on: events end in order, anything else is visibly cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from heaven_core import App, Context, Machine, Outcome, Request, Response, ServerSentEvent
from heaven_core.message.bodies import AnyIterable
from heaven_core.message.response import draft_of
from heaven_core.protocol.events import Chunk, End, Event, Reset, Start
from heaven_core.protocol.needs import CloseStream, Deliver, Finished, NextItem
from heaven_core.testing import Client, Clock

Set = Callable[[Response], None]
BYE = b"event: bye\nretry: 5000\ndata:\n\n"


@dataclass
class Name:
    name: str


def machine_of(set_body: Set, method: str = "GET") -> Machine[AnyIterable]:
    response = Response()
    set_body(response)
    return Machine(response, Request[object](method, "/"), Clock().runtime(), lambda it: it)


def events_with_bye(res: Response) -> None:
    res.stream(["a"], sse=True, at_shutdown=ServerSentEvent(event="bye", retry=5000))


def events_without(res: Response) -> None:
    res.stream(["a"], sse=True)


def text(res: Response) -> None:
    res.stream(["a"])


def finished(machine: Machine[AnyIterable]) -> Outcome:
    """Deliver and close: how it ended."""
    asked: list[type] = [type(machine.need)]
    assert machine.delivered() == ()
    asked.append(type(machine.need))
    machine.closed()
    need = machine.need
    assert asked == [Deliver, CloseStream]
    assert type(need) is Finished
    return need.outcome


def kinds(events: tuple[Event, ...]) -> list[type]:
    return [type(event) for event in events]


def test_events_end_in_order_with_their_last_one() -> None:
    machine = machine_of(events_with_bye)
    machine.start()
    machine.produced("a")
    assert machine.interrupted() == (Chunk(BYE), End())
    outcome = finished(machine)
    assert outcome.kind == "complete"
    assert outcome.body_bytes == len(b"data: a\n\n") + len(BYE)


def test_before_the_first_event_the_head_goes_out_first() -> None:
    machine = machine_of(events_with_bye)
    machine.start()
    events = machine.interrupted()
    assert kinds(events) == [Start, Chunk, End]
    assert events[1] == Chunk(BYE)
    assert finished(machine).kind == "complete"


def test_without_a_last_event_they_just_end() -> None:
    machine = machine_of(events_without)
    machine.start()
    machine.produced("a")
    assert machine.interrupted() == (End(),)
    assert finished(machine).kind == "complete"


def test_without_any_event_there_is_still_a_head() -> None:
    machine = machine_of(events_without)
    machine.start()
    events = machine.interrupted()
    assert kinds(events) == [Start, End]
    assert type(events[0]) is Start
    assert events[0].length is None
    assert finished(machine).body_bytes == 0


def test_the_last_event_counts_only_when_it_has_gone() -> None:
    machine = machine_of(events_with_bye)
    machine.start()
    machine.produced("a")
    machine.interrupted()
    machine.disconnected()
    machine.closed()
    need = machine.need
    assert type(need) is Finished
    assert need.outcome.kind == "disconnected"
    assert need.outcome.body_bytes == len(b"data: a\n\n")


def test_any_other_stream_is_broken_off_since_it_would_look_whole() -> None:
    machine = machine_of(text)
    machine.start()
    machine.produced("a")
    assert machine.interrupted() == (Reset(),)
    outcome = finished(machine)
    assert outcome.kind == "failed"
    assert type(outcome.error) is TimeoutError


def test_before_its_head_any_other_stream_becomes_a_500() -> None:
    machine = machine_of(text)
    machine.start()
    start = machine.interrupted()[0]
    assert type(start) is Start
    assert start.status == 500


@pytest.mark.parametrize("begun", [False, True])
def test_events_of_a_promised_length_are_cut_while_some_of_it_is_missing(begun: bool) -> None:
    """Or become a 500, where there is no head yet: as if they had ended too soon by themselves."""

    def promised(res: Response) -> None:
        res.headers = "Content-Length", 99
        events_with_bye(res)

    machine = machine_of(promised)
    machine.start()
    if begun:
        machine.produced("a")
        assert machine.interrupted() == (Reset(),)
    else:
        start = machine.interrupted()[0]
        assert type(start) is Start
        assert start.status == 500
    assert finished(machine).kind == "failed"


def test_events_of_no_length_at_all_have_no_last_one() -> None:
    def promised(res: Response) -> None:
        res.headers = "Content-Length", 0
        events_with_bye(res)

    machine = machine_of(promised)
    machine.start()
    assert kinds(machine.interrupted()) == [Start, End]


def test_events_that_have_all_of_a_promised_length_get_no_more() -> None:
    def promised(res: Response) -> None:
        res.headers = "Content-Length", len(b"data: a\n\n")
        events_with_bye(res)

    machine = machine_of(promised)
    machine.start()
    machine.produced("a")
    machine.delivered()
    assert machine.interrupted() == (End(),)


def test_a_last_event_that_a_promise_has_no_room_for_is_a_500() -> None:
    def promised(res: Response) -> None:
        res.headers = "Content-Length", 3
        events_with_bye(res)

    machine = machine_of(promised)
    machine.start()
    start = machine.interrupted()[0]
    assert type(start) is Start
    assert start.status == 500


def test_only_a_stream_of_events_is_endless() -> None:
    for set_body, endless in ((events_without, True), (text, False)):
        machine = machine_of(set_body)
        machine.start()
        for _ in range(2):
            need = machine.need
            assert type(need) is NextItem
            assert need.endless is endless
            machine.produced("a")


def test_a_last_event_is_checked_where_it_is_set() -> None:
    response = Response()
    with pytest.raises(TypeError, match="an item of an event stream must be"):
        response.stream([], sse=True, at_shutdown=object())
    with pytest.raises(ValueError, match="needs sse=True"):
        response.stream([], at_shutdown="bye")
    with pytest.raises(ValueError, match="no length="):
        response.stream([], sse=True, length=9, at_shutdown="bye")
    assert draft_of(response).source is None


def test_the_last_event_is_filtered_by_the_status_that_goes_out() -> None:
    """SPEC 1: whatever the status was when it was set."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.status = 404
        res.stream(iter([{"name": "Ann"}]), sse=True, at_shutdown={"name": "Bob", "secret": 1})
        res.status = 200

    app = App()
    app.GET("/", handler, returns=Name)
    assert Client(app).get("/", shut_down_after=1).text.endswith('data: {"name":"Bob"}\n\n')


def test_the_last_event_is_what_it_was_when_the_head_was_decided() -> None:
    last = {"n": 1}

    def items() -> Iterator[str]:
        last["n"] = 2
        yield "one"

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items(), sse=True, at_shutdown=last)

    app = App()
    app.GET("/", handler)
    assert Client(app).get("/", shut_down_after=1).text.endswith('data: {"n":1}\n\n')


def test_a_last_event_that_can_not_be_sent_any_more_is_a_500() -> None:
    last: dict[str, object] = {"n": 1}

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(iter(["one"]), sse=True, at_shutdown=last)
        last["n"] = object()

    app = App()
    app.GET("/", handler)
    assert Client(app, raise_errors=False).get("/").status == 500
