"""What msgspec leaves out of the dataclasses that it makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import TypeGuard

__all__ = ["fill_defaults"]

_MISSING = object()


def fill_defaults(value: object) -> None:
    """Give each dataclass in `value`, which msgspec has just made, the defaults that it did not get, as attributes.

    Msgspec leaves them to the class, where they can be read, but it does not write what an instance has not. `value`
    is a tree of builtins, dataclasses, Structs and attrs objects, and is changed in place.
    """
    if is_dataclass(value):
        for name in [field.name for field in fields(value)]:
            content: object = getattr(value, name, _MISSING)
            if content is not _MISSING:
                object.__setattr__(value, name, content)  # frozen ones, too
                fill_defaults(content)
    elif _is_dict(value):
        for content in value.values():
            fill_defaults(content)
    elif _is_collection(value):
        for content in value:
            fill_defaults(content)
    else:
        for name in _names(value):
            fill_defaults(getattr(value, name, None))


def _is_dict(value: object) -> TypeGuard[dict[object, object]]:
    return isinstance(value, dict)


def _is_collection(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, (list, tuple, set, frozenset))


def _names(value: object) -> list[str]:
    """The fields of a Struct or attrs object."""
    struct: Iterable[str] = getattr(type(value), "__struct_fields__", ())
    return [*struct, *(str(field.name) for field in getattr(type(value), "__attrs_attrs__", ()))]
