"""What events, needs and other small values share: they are equal by class and field, and say what they hold."""

from __future__ import annotations

from heaven_core._typing import override

__all__ = ["Record"]


class Record:
    """A base for final classes whose `__match_args__` are exactly the arguments of `__init__`, in order.

    Their `__slots__` are the same, but nothing reads those at run time: a compiled class has none. Not a dataclass: a
    frozen one with slots takes 3.9 times as long to build, and events are built for every item.
    """

    __slots__: tuple[str, ...] = ()

    def _values(self) -> tuple[object, ...]:
        names: tuple[str, ...] = getattr(self, "__match_args__", ())
        return tuple([getattr(self, name) for name in names])

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(value) for value in self._values())})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and type(other) is type(self) and self._values() == other._values()

    @override
    def __hash__(self) -> int:
        return hash((type(self), self._values()))
