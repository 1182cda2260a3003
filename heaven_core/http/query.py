"""The query of a request as a multimap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, TypeVar, final, overload
from urllib.parse import unquote_to_bytes

from heaven_core._typing import override
from heaven_core.errors import BadRequest, MissingValue
from heaven_core.http.grammar import integer_of

__all__ = ["Query"]

D = TypeVar("D")
# In the class `int` and `str` are methods.
Int: TypeAlias = int
Str: TypeAlias = str

_REQUIRED: Final = object()


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
        self._fields: Final[list[tuple[Str, Str]]] = []
        self._values: Final[dict[Str, list[Str]]] = {}
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

    @overload
    def get(self, name: Str) -> Str | None: ...
    @overload
    def get(self, name: Str, default: D) -> Str | D: ...
    def get(self, name: Str, default: object = None) -> object:
        """The first value of `name`, else `default`."""
        values = self._values.get(name)
        return default if values is None else values[0]

    def get_all(self, name: Str) -> list[Str]:
        """All values of `name`, in order."""
        return list(self._values.get(name, ()))

    @overload
    def str(self, name: Str) -> Str: ...
    @overload
    def str(self, name: Str, default: D) -> Str | D: ...
    def str(self, name: Str, default: object = _REQUIRED) -> object:
        """The first value of `name`. Without it, `default`; where there is none, `MissingValue`, a 400."""
        return self[name] if default is _REQUIRED else self.get(name, default)

    @overload
    def int(self, name: Str) -> Int: ...
    @overload
    def int(self, name: Str, default: D) -> Int | D: ...
    def int(self, name: Str, default: object = _REQUIRED) -> object:
        """The first value of `name` as a number: ASCII digits, perhaps with a minus before them.

        Without it, `default`; where there is none, `MissingValue`. Raises `BadRequest` for any other text. Both are a
        400 if nobody catches them.
        """
        if default is not _REQUIRED and name not in self._values:
            return default
        text = self[name]
        number = integer_of(text)
        if number is None:
            raise BadRequest(f"the field {name} of the query is no integer: {text!r:.80}")
        return number

    def __getitem__(self, name: Str) -> Str:
        """The first value. Raises `MissingValue`, a `KeyError` that becomes a 400 if nobody catches it."""
        values = self._values.get(name)
        if values is None:
            raise MissingValue(f"the query has no field {name}")
        return values[0]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[tuple[Str, Str]]:
        """Each field as (name, value)."""
        return iter(self._fields)

    def __len__(self) -> Int:
        """How many fields there are."""
        return len(self._fields)

    @override
    def __repr__(self) -> Str:
        return f"Query({self._fields!r})"


def _decode(text: bytes) -> str:
    return (unquote_to_bytes(text) if b"%" in text else text).decode("utf-8", "replace")
