"""The schemas of an app, by method and pattern."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, final

from heaven_core.pattern import Pattern
from heaven_core.schema import Schema

__all__ = ["Schemas"]


@final
class Schemas:
    """The schemas of an app: `app.schema.POST("/users", expects=NewUser, returns=User)`, one for a route.

    Raises `ValueError` for a malformed pattern and for a second schema of the same route; else as `Schema` does.
    """

    __slots__ = ("_schemas",)

    def __init__(self) -> None:
        self._schemas: Final[dict[tuple[str, str], Schema]] = {}

    def GET(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the GET route, which answers HEAD too."""
        self._add("GET", path, expects, returns)

    def POST(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the POST route."""
        self._add("POST", path, expects, returns)

    def PUT(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the PUT route."""
        self._add("PUT", path, expects, returns)

    def PATCH(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the PATCH route."""
        self._add("PATCH", path, expects, returns)

    def DELETE(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the DELETE route."""
        self._add("DELETE", path, expects, returns)

    def OPTIONS(self, path: str, *, expects: object = None, returns: object = None) -> None:
        """The schema of the OPTIONS route."""
        self._add("OPTIONS", path, expects, returns)

    def find(self, method: str, path: str) -> Schema | None:
        """The schema of the route with this method and pattern, whatever its parameters are called."""
        return self._schemas.get((method, Pattern.parse(path).shape)) if self._schemas else None

    def without_route(self, routes: Collection[tuple[str, str]]) -> list[str]:
        """The schemas, as "POST /users", that belong to none of `routes`: pairs of a method and a pattern's shape."""
        return [f"{method} {shape}" for method, shape in self._schemas if (method, shape) not in routes]

    def _add(self, method: str, path: str, expects: object, returns: object) -> None:
        key = (method, Pattern.parse(path).shape)
        if path == "*":
            raise ValueError("the pattern '*' is for hooks: a schema belongs to one route")
        if key in self._schemas:
            raise ValueError(f"{method} {path} has a schema already: give expects= and returns= in one call")
        if expects is None and returns is None:
            raise ValueError(f"the schema of {method} {path} says nothing: give expects=, returns= or both")
        self._schemas[key] = Schema(expects, returns)
