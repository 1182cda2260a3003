"""What the codecs of the schema libraries share: what they do, and why a value does not fit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, Protocol, final
from uuid import UUID

__all__ = ["MODEL_MARK", "NATIVE", "Codec", "MismatchError", "dumped"]

MODEL_MARK: Final = "__pydantic_validator__"
"""What a class has that is a model of pydantic's."""

# What msgspec hands over as it is when asked to: a float field takes a Decimal, and a str field refuses bytes.
NATIVE: Final = (bytes, bytearray, memoryview, datetime, date, time, timedelta, UUID, Decimal)


@final
class MismatchError(ValueError):
    """A value does not fit: `{"path": "$.age", "message": "..."}` for each problem. Never leaves the core."""

    def __init__(self, problems: list[dict[str, str]]) -> None:
        super().__init__("; ".join([f"{problem['path']}: {problem['message']}" for problem in problems]))
        self.problems = problems


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
