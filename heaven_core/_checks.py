"""The type of an argument, checked at run time for callers that no type checker reads.

They take `object`, so that neither mypy nor pyright calls the check needless where the parameter says `str`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeGuard

__all__ = ["check_bool", "check_int", "check_str", "exact", "is_awaitable", "is_bytes_like"]


def check_str(what: str, value: object) -> str:
    """`value` as an exact `str`, if it is one. Raises `TypeError`, which calls it `what`."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, not {type(value).__name__}: {value!r}")
    return exact(value)


def exact(text: str) -> str:
    """`text` without what a subclass of `str` may say of it by methods of its own: a check must see what is sent.

    Of a member of a `str` Enum it is the text, where `f"{text}"` would be its name.
    """
    return str.__str__(text)


def check_int(what: str, value: object) -> int:
    """`value` if it is an `int`. Raises `TypeError`, which calls it `what`, for any other, also `bool`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be int, not {type(value).__name__}: {value!r}")
    return int(value)


def check_bool(what: str, value: object) -> bool:
    """`value` if it is a `bool`. Raises `TypeError`, which calls it `what`, for any other: "false" would be true."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} must be True or False, not {type(value).__name__}: {value!r}")
    return value


def is_awaitable(value: object) -> TypeGuard[Awaitable[object]]:
    """Whether `value` can be awaited; nothing is known of what comes then."""
    return isinstance(value, Awaitable)


def is_bytes_like(value: object) -> TypeGuard[bytes | bytearray | memoryview[int]]:
    """Whether `value` is of one of the types that a body or an item may have as bytes."""
    return isinstance(value, (bytes, bytearray, memoryview))
