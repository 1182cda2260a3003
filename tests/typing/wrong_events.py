"""Events and needs: a forgotten arm, a changed event and a subclass are type errors."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_never

from heaven_core.protocol.events import Chunk, Deferred, End, Event, FileRange, Start
from heaven_core.protocol.needs import CloseFile, CloseStream, Deliver, Finished, ListDirectory, Need, OpenFile, UseFile


def forgets_reset(event: Event) -> int:
    match event:  # type: ignore[exhaustive-match]
        case Start() | Chunk() | FileRange() | End() | Deferred():
            return 1
    return 0


def forgets_file_range(event: Event) -> int:
    if type(event) is Start or type(event) is Chunk or type(event) is End or type(event) is Deferred:
        return 1
    assert_never(event)  # type: ignore[arg-type]


def forgets_next_item(need: Need[object]) -> int:
    match need:  # type: ignore[exhaustive-match]
        case OpenFile() | UseFile() | ListDirectory() | CloseStream() | CloseFile() | Deliver() | Finished():
            return 1
    return 0


def changes_an_event(chunk: Chunk) -> None:
    chunk.data = b""  # type: ignore[misc]


class Piece(Chunk):  # type: ignore[misc]
    pass


def text_in_a_chunk() -> Chunk:
    return Chunk("text")  # type: ignore[arg-type]
