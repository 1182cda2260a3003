"""The stub of h11: both checkers narrow its sentinels, so a loop over its events can be proved complete."""

from __future__ import annotations

from typing import assert_never, assert_type

import h11


def by_identity(connection: h11.Connection) -> int:
    event = connection.next_event()
    if event is h11.NEED_DATA:
        return 1
    if event is h11.PAUSED:
        return 2
    if type(event) is h11.Request:
        assert_type(event.method, bytes)
        return 3
    if type(event) is h11.Data or type(event) is h11.EndOfMessage or type(event) is h11.ConnectionClosed:
        return 4
    if type(event) is h11.InformationalResponse or type(event) is h11.Response:
        assert_type(event.status_code, int)
        return 5
    assert_never(event)


def by_match(connection: h11.Connection) -> int:
    match connection.next_event():
        case h11.NEED_DATA | h11.PAUSED:
            return 1
        case h11.Request() | h11.Data() | h11.EndOfMessage() | h11.ConnectionClosed():
            return 2
        case h11.InformationalResponse() | h11.Response():
            return 3


def states(connection: h11.Connection) -> bool:
    if connection.our_state is h11.MUST_CLOSE or connection.their_state is h11.ERROR:
        return False
    return connection.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}


def what_is_sent(connection: h11.Connection) -> None:
    assert_type(connection.send(h11.Data(b"x")), bytes)
    assert_type(connection.send(h11.ConnectionClosed()), None)
