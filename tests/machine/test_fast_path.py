"""The fast path and the machine are one thing: the same fields, bytes, outcome and deferred calls for any body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from heaven_core import AUTO, App, Chunk, Deferred, DeferredCall, End, Machine, Outcome, Request, Response, Start
from heaven_core.http.headers import Field
from heaven_core.machine.fast_path import render
from heaven_core.message.draft import Draft
from heaven_core.message.response import draft_of
from heaven_core.protocol.events import When
from heaven_core.protocol.needs import Deliver, Finished
from heaven_core.testing import Clock

BODIES: Final = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.binary(max_size=20).map(bytearray),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    st.lists(st.none() | st.booleans() | st.text(max_size=3), max_size=3),
    st.just("x" * 3000),
)
STATUSES: Final = st.sampled_from([200, 201, 204, 205, 206, 304, 307, 404, 426, 500, 599]) | st.integers(200, 599)
LINES: Final = st.lists(
    st.sampled_from(
        [
            ("Content-Type", "text/csv"),
            ("Content-Length", "4"),
            ("Content-Length", "0"),
            ("Content-Length", "0004"),
            ("Content-Encoding", "gzip"),
            ("Content-Location", "/x"),
            ("X-Content-Type-Options", "nosniff"),
            ("ETag", '"v1"'),
            ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("Upgrade", "h2c"),
            ("Vary", "Accept"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=1"),
        ]
    ),
    max_size=5,
)
METHODS: Final = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS"])
WHENS: Final = st.lists(st.sampled_from(("always", "complete", "failed")), max_size=4)


def nothing(app: App) -> None:
    """Deferred."""


class Plan:
    """Says how a response is made, so that two equal ones can be."""

    def __init__(
        self, status: int, lines: list[tuple[str, str]], body: object, whens: list[When], close: bool, ending: str
    ) -> None:
        self.status = status
        self.lines = lines
        self.body = body
        self.whens = whens
        self.close = close
        self.ending = ending

    def make(self) -> Response:
        clock = Clock()
        clock.elapsed = 1.0
        response = Response(Draft(None, clock.runtime()))
        response.status = self.status
        for name, value in self.lines:
            response.headers.add(name, value)
        response.body = self.body
        response.close = self.close
        for when in self.whens:
            response.defer(nothing, when)
        if self.ending == "fails":
            draft_of(response).fail(ValueError("handler"), repr)
        elif self.ending == "aborts":
            draft_of(response).refusal = "aborted"
        return response


class Came:
    """What came of it. Of the machine's events, what they mean."""

    def __init__(self, response: Response, fields: list[Field], body: bytes, calls: Sequence[DeferredCall]) -> None:
        self.status = response.status
        self.fields = fields
        self.body = body
        self.close = response.close
        self.outcome = response.outcome
        self.calls = [call.when for call in calls]
        self.is_open = draft_of(response).is_open


def by_the_fast_path(response: Response, method: str, client_stays: bool) -> Came | None:
    draft_of(response).encode()
    rendered = render(draft_of(response), method)
    if rendered is None:
        return None
    fields, body = rendered
    kind: Final = "failed" if draft_of(response).failed else "complete" if client_stays else "disconnected"
    calls = draft_of(response).finish(kind, len(body) if client_stays else 0, 4.0)
    return Came(response, fields, body, calls)


def by_the_machine(response: Response, method: str, client_stays: bool) -> Came:
    clock = Clock()
    clock.elapsed = 4.0
    machine: Machine[object] = Machine(response, Request[object](method, "/"), clock.runtime(), lambda body: body)
    start, *rest = machine.start()
    assert type(start) is Start
    chunks = [event for event in rest if type(event) is Chunk]
    body = b"".join(chunk.data for chunk in chunks)
    assert start.length == len(body)
    assert rest == [*chunks, End()]
    needs: list[type] = [type(machine.need)]
    events = machine.delivered() if client_stays else machine.disconnected()
    needs.append(type(machine.need))
    assert needs == [Deliver, Finished]
    calls: list[DeferredCall] = []
    for event in events:
        assert type(event) is Deferred
        calls += event.calls
    return Came(response, start.fields, body, calls)


@given(
    status=STATUSES,
    lines=LINES,
    body=BODIES,
    whens=WHENS,
    close=st.booleans(),
    ending=st.sampled_from(["returns", "fails", "aborts"]),
    method=METHODS,
    client_stays=st.booleans(),
)
@example(200, [], "hello", [], False, "returns", "GET", True)
@example(200, [("Content-Length", "3")], "hello", ["always"], False, "returns", "GET", True)
@example(304, [("ETag", '"1"'), ("Last-Modified", "x")], {"a": 1}, ["always"], True, "returns", "HEAD", False)
def test_the_fast_path_and_the_machine_lead_to_the_same(  # noqa: PLR0917  # what Hypothesis draws
    status: int,
    lines: list[tuple[str, str]],
    body: object,
    whens: list[When],
    close: bool,
    ending: str,
    method: str,
    client_stays: bool,
) -> None:
    plan = Plan(status, lines, body, whens, close, ending)
    fast = by_the_fast_path(plan.make(), method, client_stays)
    slow = by_the_machine(plan.make(), method, client_stays)
    if fast is None and any(name in ("ETag", "Last-Modified") for name, _ in lines):
        return  # the request may have conditions, which the machine alone decides
    if fast is None:  # an impossible head: the machine alone makes a 500 of it
        assert slow.status == 500
        assert slow.outcome is not None
        assert slow.outcome.kind == "failed"
        return
    assert (fast.status, fast.fields, fast.body, fast.close) == (slow.status, slow.fields, slow.body, slow.close)
    assert fast.calls == slow.calls
    assert without_error(fast.outcome) == without_error(slow.outcome)
    assert fast.is_open is slow.is_open is False


def without_error(outcome: Outcome | None) -> tuple[object, ...]:
    """The errors are two of a kind."""
    assert outcome is not None
    return (outcome.kind, outcome.status, outcome.body_bytes, outcome.duration, type(outcome.error))


def test_a_stream_is_for_the_machine() -> None:
    response = Response()
    response.stream([b"x"])
    draft_of(response).encode()
    assert render(draft_of(response), "GET") is None


def test_ranges_and_an_automatic_tag_are_for_the_machine() -> None:
    ranged, tagged = Response(), Response()
    ranged.ranges = True
    tagged.etag = AUTO
    for response in (ranged, tagged):
        draft_of(response).encode()
        assert render(draft_of(response), "GET") is None


def test_a_file_is_for_the_machine() -> None:
    response = Response()
    response.file("/f")
    draft_of(response).encode()
    assert render(draft_of(response), "GET") is None


def test_a_stream_that_a_body_replaced_is_for_the_machine_to_close() -> None:
    response = Response()
    response.stream([b"x"])
    response.body = "text"
    draft_of(response).encode()
    assert render(draft_of(response), "GET") is None


def test_a_body_that_is_not_encoded_is_for_the_machine() -> None:
    """It may turn out that it can't be."""
    response = Response()
    response.body = [object()]
    assert render(draft_of(response), "GET") is None


def test_a_client_that_has_gone_is_for_the_machine() -> None:
    response = Response()
    draft_of(response).encode()
    draft_of(response).lose_client()
    assert render(draft_of(response), "GET") is None


def test_the_response_has_started_then() -> None:
    response = Response()
    draft_of(response).encode()
    assert draft_of(response).is_open
    assert render(draft_of(response), "GET") is not None
    assert not draft_of(response).is_open
