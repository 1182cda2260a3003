"""What type checkers know and Python 3.11 does not: the type variables of the public API, and `override`.

`Request` written bare means `Request[object]`: that default (PEP 696) is read from typing_extensions, which is not
needed at run time, where the core depends on nothing. Compilers drop an `else` like this one: keep it here.
"""

from typing import TYPE_CHECKING

__all__ = ["T", "T_co", "override"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar, override

    T = TypeVar("T", default=object)
    T_co = TypeVar("T_co", default=object, covariant=True)
else:
    from typing import TypeVar

    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)

    def override(method):
        """Say that a method overrides one of a base: for type checkers only."""
        return method
