"""What came of a request: everything that the wire would have seen, and what it would not."""

from __future__ import annotations

import json
from typing import final

from heaven_core.http.headers import Headers
from heaven_core.machine.trace import Note
from heaven_core.protocol.events import Event
from heaven_core.protocol.outcome import Outcome

__all__ = ["Result"]


@final
class Result:
    """What came of one request.

    `status`, `headers` and `body` are what the client got; `ended` says whether it could see that the body is whole;
    `events` are the machine's, `notes` its reasons, `outcome` how it ended. `errors` are (error, where) pairs that
    the application was told. `status` is 0 where the client had gone before the head.
    """

    __slots__ = ("body", "ended", "errors", "events", "headers", "notes", "outcome", "status")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: list[Note] = []
        self.errors: list[tuple[BaseException, str]] = []
        self.status: int = 0
        self.headers: Headers = Headers()
        self.body: bytes = b""
        self.ended: bool = False
        self.outcome: Outcome | None = None

    @property
    def text(self) -> str:
        """The body as UTF-8 text. Raises `UnicodeDecodeError`."""
        return self.body.decode("utf-8")

    @property
    def json(self) -> object:
        """The body as JSON. Raises `ValueError`."""
        decoded: object = json.loads(self.body)
        return decoded
