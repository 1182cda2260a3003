"""Which streams are hurried, and how often it is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from heaven_driver.late_closing import Cancellable, LateClosing
from heaven_driver.timers import Timers


class Clock:
    """An event loop's, whose time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> None:
        self.calls.append((when, callback))

    def next(self) -> float:
        """Let the next call come, and say how long it took."""
        before = self.now
        self.now, callback = self.calls.pop(0)
        callback()
        return self.now - before


class Closing:
    """A stream."""

    def __init__(self) -> None:
        self.is_cancelled: bool = False
        self.hurried = 0

    def hurry(self) -> None:
        self.hurried += 1


def looking(limit: float, *streams: Closing) -> tuple[Clock, set[Cancellable]]:
    clock = Clock()
    open_streams: set[Cancellable] = {*streams}
    LateClosing(limit, Timers(clock), open_streams).begin()
    return clock, open_streams


def test_a_stream_is_hurried_when_its_limit_is_over_and_not_before() -> None:
    stream = Closing()
    clock, _ = looking(4.0, stream)
    clock.next()
    stream.is_cancelled = True
    waited = 0.0
    while not stream.hurried:
        waited += clock.next()
    assert 4.0 <= waited <= 5.5


def test_a_stream_that_has_not_been_cancelled_is_left_alone() -> None:
    stream = Closing()
    clock, _ = looking(4.0, stream)
    for _ in range(20):
        clock.next()
    assert not stream.hurried


def test_a_cancellation_that_was_taken_back_and_another_one_have_their_time_each() -> None:
    stream = Closing()
    clock, _ = looking(4.0, stream)
    for _ in range(5):
        for is_cancelled in (True, True, True, False):
            stream.is_cancelled = is_cancelled
            clock.next()
    assert not stream.hurried


@pytest.mark.parametrize("limit", [0.0, 0.001])
def test_a_limit_of_next_to_nothing_does_not_keep_the_event_loop_busy(limit: float) -> None:
    clock, _ = looking(limit, Closing())
    assert all(clock.next() >= 0.05 for _ in range(10))


def test_nobody_is_asked_when_no_stream_is_open() -> None:
    stream = Closing()
    clock, open_streams = looking(4.0, stream)
    open_streams.clear()
    clock.next()
    assert clock.calls == []
