"""What is registered, checked when it is: a mistake in it is told where it is made, and not by a request."""

from __future__ import annotations

from inspect import isasyncgenfunction, isgeneratorfunction, signature
from typing import TypeVar

from heaven_core._callable_name import callable_name

__all__ = ["check_callable", "check_generator_decorated"]

_F = TypeVar("_F")


def check_callable(func: _F, what: str, *arguments: str) -> _F:
    """`func` if it can be called with these arguments, by position. Raises `TypeError`, which calls it `what`.

    What does not say what it takes, such as many a builtin, is believed.
    """
    wanted = f"{what} must be callable with ({', '.join(arguments)})"
    if not callable(func):
        raise TypeError(f"{wanted}, not {type(func).__name__}: {func!r}")
    try:
        # Of a decorated function the signature of what is called, not the one that functools.wraps shows.
        taken = signature(func, follow_wrapped=False)
    except (TypeError, ValueError):
        return func
    try:
        taken.bind(*arguments)
    except TypeError as error:
        raise TypeError(
            f"{wanted}, and {callable_name(func)}{taken} is not: {error}. "
            "Does it make one, and wants to be called for that?"
        ) from None
    return func


def check_generator_decorated(func: object, what: str) -> None:
    """Raise `TypeError`, which calls it `what`, for a generator function without the decorator of a context manager."""
    kind = "async" if isasyncgenfunction(func) else "" if isgeneratorfunction(func) else None
    if kind is not None:
        raise TypeError(
            f"{what} is a generator function, and no context manager: put @contextlib.{kind}contextmanager above it"
        )
