"""The stub of h11: a forgotten event or sentinel is a type error."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_never

import h11


def forgets_paused(connection: h11.Connection) -> int:
    match connection.next_event():  # type: ignore[exhaustive-match]
        case h11.NEED_DATA:
            return 1
        case h11.Request() | h11.Data() | h11.EndOfMessage() | h11.ConnectionClosed():
            return 2
        case h11.InformationalResponse() | h11.Response():
            return 3
    return 0


def forgets_need_data(connection: h11.Connection) -> int:
    event = connection.next_event()
    if event is h11.PAUSED or isinstance(event, h11.Event):
        return 1
    assert_never(event)  # type: ignore[arg-type]


def a_state_is_no_role() -> h11.Connection:
    return h11.Connection(h11.IDLE)  # type: ignore[arg-type]


def a_state_is_no_event(connection: h11.Connection) -> bool:
    return connection.our_state is h11.NEED_DATA  # type: ignore[comparison-overlap]
