"""What messages and logs call a function of the application's."""

from __future__ import annotations

from functools import partial

__all__ = ["callable_name"]


def callable_name(func: object) -> str:
    """The qualified name of a function, of a `partial` that of what it calls, of any other object its class's.

    Never its `repr`: that may hold what it was given, a password say, and may raise.
    """
    while isinstance(func, partial):
        func = func.func
    try:
        name: object = getattr(func, "__qualname__", None)
    except Exception:  # of an object that answers for attributes by itself
        name = None
    return name if isinstance(name, str) else type(func).__qualname__
