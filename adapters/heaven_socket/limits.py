"""What a server allows a client: sizes, counts and times, each with its name."""

from __future__ import annotations

from typing import Final, final

__all__ = ["Limits"]


@final
class Limits:
    """What one client may take; what passes a limit gets the status beside it, and the connection is closed.

    Sizes, in bytes:

    - `head_size`: the request line and the field lines of a head (431), the trailer section of a body in chunks (431);
    - `target_size`: the request-target (414; RFC 9112 §3 wants 8000 or more to be possible);
    - `fields`: how many field lines (431).

    Times, in seconds; `None` for no limit:

    - `head_time`: from the first byte of a head to its last, and from the connection to its first byte (408, or no
      answer where nothing has come at all);
    - `keep_alive_time`: between a response and the next request (closed without a word, as RFC 9112 §9.5 has it);
    - `body_time`: without a single byte of a body that is being waited for (408);
    - `body_rate`: bytes a second of a body, on average, while it is waited for; the first `body_grace` seconds are free
      (408);
    - `linger_time`: how long a client may go on sending after the last response, which it could lose if the connection
      were closed at once (RFC 9112 §9.6);
    - `handler_time`: from the head to the start of the response (503), off unless given.

    Counts:

    - `connections`: at once, over all listeners; further ones wait in the backlog of their listener;
    - `requests`: on one connection; after that many it is closed, in order.

    Raises `TypeError` and `ValueError` for what can be no limit.
    """

    __slots__ = (
        "body_grace", "body_rate", "body_time", "connections", "fields", "handler_time", "head_size", "head_time",
        "keep_alive_time", "linger_time", "requests", "target_size",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  # each has a name
        self,
        *,
        head_size: int = 64 * 1024,
        target_size: int = 16 * 1024,
        fields: int = 128,
        head_time: float | None = 10.0,
        keep_alive_time: float | None = 30.0,
        body_time: float | None = 30.0,
        body_rate: float | None = 240.0,
        body_grace: float = 5.0,
        linger_time: float = 2.0,
        handler_time: float | None = None,
        connections: int = 10_000,
        requests: int = 10_000,
    ) -> None:
        self.head_size: Final = _positive("head_size", head_size)
        self.target_size: Final = _positive("target_size", target_size)
        self.fields: Final = _positive("fields", fields)
        self.head_time: Final = _time("head_time", head_time)
        self.keep_alive_time: Final = _time("keep_alive_time", keep_alive_time)
        self.body_time: Final = _time("body_time", body_time)
        self.body_rate: Final = _time("body_rate", body_rate)
        self.body_grace: Final = body_grace
        self.linger_time: Final = linger_time
        self.handler_time: Final = _time("handler_time", handler_time)
        self.connections: Final = _positive("connections", connections)
        self.requests: Final = _positive("requests", requests)
        if body_grace < 0 or linger_time < 0:
            raise ValueError("body_grace= and linger_time= must be seconds, 0 or more")


def _positive(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}= must be a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name}= must be 1 or more, not {value}")
    return value


def _time(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name}= must be a number, or None for no limit, not {value!r}")
    if not value > 0:
        raise ValueError(f"{name}= must be more than 0, or None for no limit, not {value}")
    return value
