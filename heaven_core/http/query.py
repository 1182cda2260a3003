"""The query of a request as a multimap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final
from urllib.parse import unquote_to_bytes

from heaven_core._typing import override
from heaven_core.errors import MissingValue

__all__ = ["Query"]


@final
class Query:
    """The fields of a query string in order, read as the WHATWG reads a form (URL Standard §5.1).

    `&` separates, `+` is a blank, a field without `=` or without a value has the value `""`, percent-encoding is
    decoded once, as UTF-8; what is no UTF-8 becomes U+FFFD, and a `%` that encodes nothing stays. Names are
    case-sensitive. Reading takes time linear in the length, each look-up after it constant time, whatever a client
    sends.
    """

    __slots__ = ("_fields", "_values")

    def __init__(self, query_string: bytes = b"") -> None:
        self._fields: Final[list[tuple[str, str]]] = []
        self._values: Final[dict[str, list[str]]] = {}
        if not query_string:
            return
        for piece in query_string.replace(b"+", b" ").split(b"&"):
            if not piece:
                continue
            raw_name, _, raw_value = piece.partition(b"=")
            name, value = _decode(raw_name), _decode(raw_value)
            self._fields.append((name, value))
            values = self._values.get(name)
            if values is None:
                self._values[name] = [value]
            else:
                values.append(value)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`, else `default`."""
        values = self._values.get(name)
        return default if values is None else values[0]

    def get_all(self, name: str) -> list[str]:
        """All values of `name`, in order."""
        return list(self._values.get(name, ()))

    def __getitem__(self, name: str) -> str:
        """The first value. Raises `MissingValue`, a `KeyError` that becomes a 400 if nobody catches it."""
        values = self._values.get(name)
        if values is None:
            raise MissingValue(f"the query has no field {name}")
        return values[0]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each field as (name, value)."""
        return iter(self._fields)

    def __len__(self) -> int:
        """How many fields there are."""
        return len(self._fields)

    @override
    def __repr__(self) -> str:
        return f"Query({self._fields!r})"


def _decode(text: bytes) -> str:
    return (unquote_to_bytes(text) if b"%" in text else text).decode("utf-8", "replace")
