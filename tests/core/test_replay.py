"""SPEC 4: a bounded buffer of events, for clients that come back with Last-Event-ID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core import Replay, ServerSentEvent
from heaven_core.testing import Clock
from tests.handlers.kit import loose


def ids(events: list[ServerSentEvent] | None) -> list[str | None] | None:
    return None if events is None else [event.id for event in events]


def test_an_event_without_an_id_gets_one_and_keeps_the_rest() -> None:
    replay = Replay(3, prefix="a-")
    event = replay.add(ServerSentEvent({"n": 1}, "news", retry=5, comment="c"))
    assert event == ServerSentEvent({"n": 1}, "news", "a-1", 5, "c")
    assert replay.add("text") == ServerSentEvent("text", id="a-2")


def test_an_id_of_ones_own_is_kept() -> None:
    replay = Replay(3)
    assert replay.add(ServerSentEvent("x", id="mine")).id == "mine"
    assert ids(replay.after("mine")) == []


def test_ids_are_not_those_of_the_process_before() -> None:
    """Else a client that comes back after a restart would be given the wrong events, or none."""
    first, second = Replay(3), Replay(3)
    known = first.add("x").id
    second.add("x")
    assert second.after(known) is None


def test_events_after_an_id_come_in_order() -> None:
    replay = Replay(5, prefix="")
    for number in range(4):
        replay.add(str(number))
    assert ids(replay.after("2")) == ["3", "4"]
    assert ids(replay.after("4")) == []


def test_a_client_that_has_seen_nothing_has_missed_nothing() -> None:
    replay = Replay(5)
    replay.add("x")
    assert replay.after(None) == []
    assert replay.after("") == [], "a browser that was told to forget its id sends none"


def test_an_id_that_has_fallen_out_is_nothing_to_go_on_after() -> None:
    replay = Replay(2, prefix="")
    for _ in range(5):
        replay.add("x")
    assert replay.after("1") is None
    assert replay.after("2") is None
    assert replay.after("never") is None


def test_but_after_the_one_that_fell_out_last_nothing_is_missing() -> None:
    replay = Replay(2, prefix="")
    for _ in range(5):
        replay.add("x")
    assert ids(replay.after("3")) == ["4", "5"]


def test_events_go_when_they_are_too_old() -> None:
    clock = Clock()
    replay = Replay(10, max_age=60.0, clock=clock.runtime().monotonic, prefix="")
    replay.add("x")
    clock.advance(40)
    replay.add("x")
    clock.advance(20)
    assert ids(replay.after("1")) == ["2"]
    clock.advance(1)
    assert ids(replay.after("1")) == ["2"], "it has fallen out, but nothing after it has"
    clock.advance(60)
    assert replay.after("1") is None
    assert ids(replay.after("2")) == []
    replay.add("x")
    assert ids(replay.after("2")) == ["3"]


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_below_one_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 event or more"):
        Replay(count)


def test_a_count_that_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="count"):
        loose(Replay)("3")


@pytest.mark.parametrize("options", [{"max_age": 5.0}, {"clock": lambda: 0.0}])
def test_an_age_and_its_clock_belong_together(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="belong together"):
        loose(Replay)(3, **options)


@pytest.mark.parametrize("age", [0.0, -1.0, float("inf"), float("nan")])
def test_an_age_that_is_no_time_is_refused(age: float) -> None:
    with pytest.raises(ValueError, match="max_age="):
        Replay(3, max_age=age, clock=lambda: 0.0)


@pytest.mark.parametrize("prefix", ["a\nb", "a\0"])
def test_a_prefix_that_no_id_can_have_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="id"):
        Replay(3, prefix=prefix)


def test_an_id_that_cannot_be_found_again_is_refused() -> None:
    replay = Replay(1)
    replay.add(ServerSentEvent("x", id="1"))
    for name in ("", "1"):
        with pytest.raises(ValueError, match="no other has"):
            replay.add(ServerSentEvent("x", id=name))
    replay.add(ServerSentEvent("x", id="2"))
    with pytest.raises(ValueError, match="no other has"):
        replay.add(ServerSentEvent("x", id="1"))  # after which all that is kept would come
    assert ids(replay.after("1")) == ["2"]


@given(
    count=st.integers(1, 5),
    steps=st.lists(st.one_of(st.just("add"), st.integers(0, 40)), max_size=40),
)
def test_a_client_that_comes_back_gets_exactly_what_it_missed_or_is_told(count: int, steps: list[str | int]) -> None:
    """Against a list that keeps everything."""
    clock = Clock()
    replay = Replay(count, max_age=30.0, clock=clock.runtime().monotonic, prefix="")
    everything: list[str] = []
    for step in steps:
        if step == "add":
            everything.append(replay.add(len(everything)).id or "")
        else:
            assert isinstance(step, int)
            clock.advance(step)
    for seen, name in enumerate(everything):
        missed = ids(replay.after(name))
        assert missed is None or missed == everything[seen + 1 :]
    if everything:
        assert ids(replay.after(everything[-1])) == []
