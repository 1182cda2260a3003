"""The error pages of an app, by what they are for and where."""

from __future__ import annotations

from typing import Final, TypeAlias, final

from heaven_core.app.hooks import Hook
from heaven_core.app.patterns import Pattern

__all__ = ["ErrorKey", "PageTable"]

ErrorKey: TypeAlias = int | type[Exception]


@final
class PageTable:
    """Pages by status or by class of exceptions: those of the app itself, and those of apps included below a prefix."""

    __slots__ = ("_included", "_own", "any")

    def __init__(self) -> None:
        self.any: bool = False  # whether there is a page at all
        self._own: Final[dict[ErrorKey, Hook]] = {}
        self._included: Final[list[tuple[Pattern, dict[ErrorKey, Hook]]]] = []  # the narrowest prefix first

    def add(self, key: ErrorKey, page: Hook) -> None:
        """Add a page. Raises `TypeError` and `ValueError` for a key that is none, or has a page already."""
        _check_key(key)
        if key in self._own:
            raise ValueError(f"app.errors({key!r}) has a handler already")
        self._own[key] = page
        self.any = True

    def include(self, prefix: str, other: PageTable) -> None:
        """Have the pages of another app answer below `prefix`."""
        if other._own:
            self._included.append((Pattern.parse(prefix + "/*"), other._own))
        for pattern, pages in other._included:
            self._included.append((Pattern.parse(prefix + pattern.text), pages))
        self.any = self.any or other.any
        self._included.sort(key=lambda included: included[0].breadth, reverse=True)

    def find(self, error: Exception | None, status: int, path: str) -> Hook | None:
        """The page for what was raised at `path`, else for the status: of the narrowest prefix that has one."""
        for pattern, pages in self._included:
            if pattern.match(path) is not None:
                page = _pick(pages, error, status)
                if page is not None:
                    return page
        return _pick(self._own, error, status)


def _pick(pages: dict[ErrorKey, Hook], error: Exception | None, status: int) -> Hook | None:
    """The page of the error's nearest class, else that of the status."""
    for kind in () if error is None else type(error).__mro__:
        # A page for all exceptions is the last resort: it must not take the place of that of the 404.
        if issubclass(kind, Exception) and kind is not Exception:
            page = pages.get(kind)
            if page is not None:
                return page
    return pages.get(status) or (None if error is None else pages.get(Exception))


def _check_key(key: object) -> None:
    if isinstance(key, type):
        if not issubclass(key, Exception):
            raise TypeError(f"app.errors() takes a subclass of Exception, not {key!r}")
    elif isinstance(key, bool) or not isinstance(key, int):
        raise TypeError(f"app.errors() takes a status or a class of exceptions, not {type(key).__name__}: {key!r}")
    elif not 400 <= key <= 599:
        raise ValueError(f"app.errors() takes a status from 400 to 599, not {key}")
