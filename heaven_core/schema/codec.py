"""What the codecs of the schema libraries share: what they do, and why a value does not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, Protocol, final
from uuid import UUID

__all__ = ["LONGEST_TEXT", "MODEL_MARK", "MOST_PROBLEMS", "NATIVE", "Codec", "MismatchError", "dumped", "shown"]

MOST_PROBLEMS: Final = 50
LONGEST_TEXT: Final = 200  # characters

MODEL_MARK: Final = "__pydantic_validator__"
"""What a class has that is a model of pydantic's."""

# What msgspec hands over as it is when asked to: a float field takes a Decimal, and a str field refuses bytes.
NATIVE: Final = (bytes, bytearray, memoryview, datetime, date, time, timedelta, UUID, Decimal)


@final
class MismatchError(ValueError):
    """A value does not fit: `{"path": "$.age", "message": "..."}` for each problem. Never leaves the core.

    Of many problems the first are kept, and how many `more` there are; of a long text the beginning. Else a small body
    could make a large answer: one long name stands in the path of every problem below it.
    """

    def __init__(self, problems: Sequence[dict[str, str]], more: int = 0) -> None:
        self.first: Final[list[dict[str, str]]] = [
            {name: shown(text) for name, text in problem.items()} for problem in problems[:MOST_PROBLEMS]
        ]
        self.more: Final[int] = more + len(problems) - len(self.first)
        super().__init__("; ".join([f"{problem['path']}: {problem['message']}" for problem in self.problems]))

    @property
    def problems(self) -> list[dict[str, str]]:
        """The first of them, and as the last one how many more there are."""
        return [*self.first, {"path": "$", "message": f"and {self.more} more"}] if self.more else self.first


def shown(text: str) -> str:
    """`text`, or its beginning where it is long."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."


class Codec(Protocol):
    """One type, read from JSON and written as what JSON is made of."""

    def read(self, body: bytes) -> object:
        """A value of the type. Raises `BadRequest` for what is no JSON, `MismatchError` for what does not fit."""
        ...

    def filter(self, value: object) -> object:
        """`value` as the type, as what `encode_json` takes. Raises `MismatchError`, `TypeError`."""
        ...

    def plain(self, value: object) -> object:
        """`value` as what `encode_json` takes, not filtered. Raises `TypeError`."""
        ...


def dumped(dump: Callable[[], object]) -> object:
    """What `dump` returns. Raises `TypeError` where it finds what can't be written."""
    # A model's field may hold an object that its type does not allow: with a mere warning, all of it would go out.
    try:
        return dump()
    except (ValueError, RecursionError) as error:
        raise TypeError(f"the body can't be filtered or written as JSON: {error}") from error
