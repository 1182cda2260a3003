"""What the pattern of a route has found in the path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, final

from heaven_core._typing import override
from heaven_core.errors import BadRequest
from heaven_core.http.grammar import integer_of

__all__ = ["NO_PARAMS", "Params"]

# In the class `int` and `str` are methods.
Int: TypeAlias = int
Str: TypeAlias = str


@final
class Params(Mapping[str, str | int]):
    """The parameters of the path by name, read-only: `params["name"]`, and `params["*"]` for the rest.

    One of `:name` is a `str`, one of `:name:int` an `int`. Every route without parameters shares one that is empty.
    """

    __slots__ = ("_values",)

    def __init__(self, values: dict[Str, Str | Int]) -> None:
        self._values: Final = values

    def int(self, name: Str) -> Int:
        """The parameter as a number.

        Raises `BadRequest`, a 400 if nobody catches it, where what the client has written is none: ASCII digits,
        perhaps with a minus before them. Raises `KeyError` as `params[name]` does.
        """
        value = self[name]
        number = value if isinstance(value, Int) else integer_of(value)
        if number is None:
            raise BadRequest(f"{name} in the path is no integer: {value!r:.80}")
        return number

    def str(self, name: Str) -> Str:
        """The parameter as text, also where the pattern makes a number of it. Raises `KeyError` as `params[name]`."""
        return Str(self[name])

    @override
    def __getitem__(self, name: Str) -> Str | Int:
        """The parameter. Raises `KeyError`: that the pattern has none of this name is no mistake of the client's."""
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(self._values) or "none at all"
            raise KeyError(f"the pattern of this route has no parameter {name}, but {known}") from None

    @override
    def __iter__(self) -> Iterator[Str]:
        """The names, as they stand in the pattern."""
        return iter(self._values)

    @override
    def __len__(self) -> Int:
        """How many there are."""
        return len(self._values)

    @override
    def __repr__(self) -> Str:
        return f"Params({self._values!r})"


NO_PARAMS: Final = Params({})
