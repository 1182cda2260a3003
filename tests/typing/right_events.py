"""Events and needs: a driver that forgets none of them passes, whichever way it asks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import assert_never, assert_type

from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
from heaven_core.protocol.needs import (
    BinaryFile,
    CloseFile,
    CloseStream,
    Deliver,
    Finished,
    ListDirectory,
    MakePage,
    Need,
    NextItem,
    OpenFile,
    UseFile,
)
from heaven_core.protocol.outcome import Outcome


def by_match(event: Event) -> int:
    match event:
        case Start():
            return event.status
        case Chunk():
            return len(event.data)
        case FileRange():
            return event.count
        case End() | Reset():
            return 0
        case Deferred():
            return len(event.calls)


def by_type(event: Event) -> int:
    if type(event) is Chunk:
        return len(event.data)
    if type(event) is Start:
        return event.status
    if type(event) is FileRange:
        return event.offset
    if type(event) is End or type(event) is Reset:
        return 0
    if type(event) is Deferred:
        assert_type(event.calls, tuple[DeferredCall, ...])
        return 1
    assert_never(event)


def needs_by_match(need: Need[bytes]) -> Outcome | None:
    match need:
        case OpenFile():
            assert_type(need.within, str | None)
        case UseFile():
            assert_type(need.file, BinaryFile)
        case ListDirectory():
            assert_type(need.within, str)
        case NextItem():
            assert_type(need.stream, bytes)
            assert_type(need.timeout, float | None)
        case CloseStream():
            assert_type(need.stream, bytes)
        case MakePage():
            assert_type(need.make, Callable[[], Coroutine[object, object, None]])
        case Deliver() | CloseFile():
            pass
        case Finished():
            return need.outcome
    return None


def needs_by_type(need: Need[object]) -> Outcome | None:
    if type(need) is NextItem or type(need) is CloseStream:
        return None
    if type(need) is OpenFile or type(need) is UseFile or type(need) is ListDirectory:
        return None
    if type(need) is CloseFile or type(need) is Deliver or type(need) is MakePage:
        return None
    if type(need) is Finished:
        return need.outcome
    assert_never(need)
