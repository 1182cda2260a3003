"""The header lines of a response, as a handler sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar, final, overload

from heaven_core._typing import override
from heaven_core.http.headers import field_name, find_value, find_values
from heaven_core.message.draft import Draft

__all__ = ["ResponseHeaders"]

D = TypeVar("D")


@final
class ResponseHeaders:
    """A case-insensitive multimap of the lines, in order. What is set is checked, and refused once they have gone out.

    It is a view: the lines themselves are the response's.
    """

    __slots__ = ("_draft",)

    def __init__(self, draft: Draft) -> None:
        self._draft: Final = draft

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: D) -> str | D: ...
    def get(self, name: str, default: object = None) -> object:
        """The value of the first line called `name`, else `default`."""
        value = find_value(self._draft.fields, name)
        return default if value is None else value

    def get_all(self, name: str) -> list[str]:
        """The values of all lines called `name`, in order."""
        return find_values(self._draft.fields, name)

    def add(self, name: str, value: str | int) -> None:
        """Add one line.

        A field that may stand only once (Content-Type, Location, ETag, ...) is replaced, and Vary takes only the
        members that it does not have yet. Raises `TypeError` for another type, `ValueError` for what can't be sent or
        is not a handler's to set, and `ResponseStarted`.
        """
        self._draft.add_field(name, value)

    def set(self, name: str, value: str | int) -> None:
        """Replace every line called `name` by one, in the place of the first. Raises as `add` does.

        Members of Vary are only ever added: what somebody else has set there, `cors()` for one, is still true.
        """
        self._draft.set_field(name, value)

    def remove(self, name: str) -> None:
        """Take every line called `name` away; none is no error. Raises `ResponseStarted`."""
        self._draft.remove_field(field_name(name))

    def __getitem__(self, name: str) -> str:
        """The first value. Raises `KeyError`: what the response lacks is no mistake of the client's."""
        value = self.get(name)
        if value is None:
            raise KeyError(f"the response has no header {name}")
        return value

    def __setitem__(self, name: str, value: str | int) -> None:
        """Replace every line called `name`, as `set` does."""
        self._draft.set_field(name, value)

    def __delitem__(self, name: str) -> None:
        """Take every line called `name` away. Raises `KeyError` where there is none, which `remove` does not."""
        if name not in self:
            raise KeyError(f"the response has no header {name}")
        self.remove(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each line as (name in lower case, value)."""
        return iter([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._draft.fields])

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._draft.fields)

    @override
    def __repr__(self) -> str:
        return f"ResponseHeaders({self._draft.fields!r})"
