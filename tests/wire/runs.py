"""What the app of the wire tests writes down about one request, asked for over the wire."""

from __future__ import annotations

from typing import Final, TypeGuard, final
from uuid import uuid4

from tests.wire.raw import fetch_json
from tests.wire.servers import PATIENCE, Server, until

__all__ = ["Run"]


@final
class Run:
    """One request's own name, which it brings as X-Run."""

    def __init__(self, server: Server) -> None:
        self.server: Final = server
        self.name: Final = uuid4().hex

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Run": self.name}

    def _look(self) -> dict[str, object]:
        return as_dict(fetch_json(self.server.port, f"/log?run={self.name}"))

    @property
    def notes(self) -> list[str]:
        """What its code has written down."""
        return [str(note) for note in as_list(self._look()["notes"])]

    @property
    def outcome(self) -> str:
        """Its kind and status, once it has ended."""
        return str(self._look()["outcome"])

    def wait_until_known(self) -> None:
        """Until the app has begun with it."""
        until(lambda: self._look()["begun"], "the request to begin", self.server)

    def wait_for_notes(self, notes: list[str], seconds: float = PATIENCE) -> None:
        """Until exactly this has been written down."""
        try:
            until(lambda: self.notes == notes, f"the notes {notes}", self.server, seconds)
        except AssertionError as error:
            error.add_note(f"instead: {self._look()}")
            raise

    def wait_for(self, outcomes: str | set[str], notes: list[str]) -> None:
        """Until it has ended in one of these ways, and exactly this has been written down."""
        expected = {outcomes} if isinstance(outcomes, str) else outcomes
        try:
            until(lambda: self.outcome in expected, f"one of the outcomes {expected}", self.server)
        except AssertionError as error:
            error.add_note(f"instead: {self._look()}")
            raise
        self.wait_for_notes(notes)


def as_dict(value: object) -> dict[str, object]:
    """What JSON calls an object."""
    assert _is_dict(value)
    return value


def as_list(value: object) -> list[object]:
    """What JSON calls an array."""
    assert _is_list(value)
    return value


def _is_dict(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
