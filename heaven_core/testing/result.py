"""What came of a request: everything that the wire would have seen, and what it would not."""

from __future__ import annotations

import json
from typing import Final, final

from heaven_core._typing import override
from heaven_core.http.headers import Headers
from heaven_core.machine.trace import Note
from heaven_core.protocol.events import Event
from heaven_core.protocol.outcome import Outcome

__all__ = ["Result"]

_SHOWN: Final = 200  # bytes of a body that its repr shows


@final
class Result:
    """What came of one request.

    `status`, `headers` and `body` are what the client got; `ended` says whether it could see that the body is whole;
    `events` are the machine's, `notes` its reasons, `outcome` how it ended. `errors` are (error, where) pairs that
    the application was told. `status` is 0 where the client had gone before the head.
    """

    __slots__ = ("_pieces", "ended", "errors", "events", "headers", "notes", "outcome", "status")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: list[Note] = []
        self.errors: list[tuple[BaseException, str]] = []
        self.status: int = 0
        self.headers: Headers = Headers()
        self.ended: bool = False
        self.outcome: Outcome | None = None
        self._pieces: list[bytes] = []  # joined when somebody asks: one by one would cost the square of their number

    def take(self, data: bytes) -> None:
        """Put `data` behind what there is of the body."""
        self._pieces.append(data)

    @property
    def body(self) -> bytes:
        """The body as far as it has come."""
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    @property
    def text(self) -> str:
        """The body as UTF-8 text. Raises `UnicodeDecodeError`."""
        return self.body.decode("utf-8")

    @property
    def json(self) -> object:
        """The body as JSON. Raises `ValueError`."""
        decoded: object = json.loads(self.body)
        return decoded

    def raise_errors(self) -> None:
        """Raise what `errors` has: one error as itself, several as a group, each with a note of what the client got."""
        errors: list[BaseException] = []
        for error, where in self.errors:
            if all(other is not error for other in errors):
                error.add_note(f"{where}: the client got {self._seen()}")
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("several errors of one request", errors)

    @override
    def __repr__(self) -> str:
        errors = "".join(f"; {where}: {error!r}" for error, where in self.errors)
        return f"<Result {self._seen()}{errors}>"

    def _seen(self) -> str:
        if not self.status:
            return "nothing"
        body = self.body
        rest = f"... of {len(body)} bytes" if len(body) > _SHOWN else ""
        return f"{self.status} {body[:_SHOWN]!r}{rest}{'' if self.ended else ', cut short'}"
