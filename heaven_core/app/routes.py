"""What an app has registered, in the form that a request needs: routes, schemas, hooks, error pages and limits."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Never, TypeAlias, final

from heaven_core._record import Record
from heaven_core.app.callbacks import is_async
from heaven_core.app.hooks import HookTable, Plan
from heaven_core.app.page_table import PageTable
from heaven_core.app.patterns import Pattern
from heaven_core.app.router import Router
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response
from heaven_core.schema.schema import Schema

__all__ = ["AnyHandler", "Endpoint", "Handler", "Registry", "Route", "Schemas"]


@final
class Schemas:
    """The schemas of an app: `app.schema.POST("/users", expects=NewUser, returns=User)`, one for a route.

    Raises `ValueError` for a malformed pattern and for a second schema of the same route; else as `Schema` does.
    """

    __slots__ = ("_changed", "_schemas")

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed: Final = changed
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
        self._changed()


Handler: TypeAlias = Callable[[Request[object], Response, Context], object]
AnyHandler: TypeAlias = Callable[[Request[Never], Response, Context], object]
"""A handler of whatever `Request[T]`: it can be looked at, and called only by who knows what `T` is."""


@final
class Route(Record):
    """A route as it was registered, for those who describe an app.

    `pattern` is its text, `expects` and `returns` are the types of its schema; the `handler`'s docstring says more.
    """

    __slots__ = ("method", "pattern", "handler", "expects", "returns")
    __match_args__ = ("method", "pattern", "handler", "expects", "returns")

    def __init__(self, method: str, pattern: str, handler: AnyHandler, expects: object, returns: object) -> None:
        self.method: Final = method
        self.pattern: Final = pattern
        self.handler: Final[AnyHandler] = handler
        self.expects: Final = expects
        self.returns: Final = returns


@final
class Endpoint:
    """A route: its handler, and what has to happen around it. `plan` and `schema` are found when first needed.

    `head_plan` is that of HEAD on a GET route, since a hook may be scoped to HEAD alone. `own_schema` is the one that
    it was registered with; `max_body_size`, in bytes, that of its app.
    """

    __slots__ = (
        "async_handler", "handler", "head_plan", "max_body_size", "method", "own_schema", "pattern", "plan", "schema",
        "stream", "thread",
    )  # fmt: skip

    def __init__(
        self,
        method: str,
        pattern: Pattern,
        handler: Handler,
        max_body_size: int,
        *,
        stream: bool = False,
        thread: bool = False,
        schema: Schema | None = None,
    ) -> None:
        self.method: Final = method
        self.pattern: Final = pattern
        self.handler: Final = handler
        self.async_handler: Final = handler if is_async(handler) else None
        self.stream: Final = stream
        self.thread: Final = thread
        self.own_schema: Final = schema
        self.max_body_size: Final = max_body_size
        self.plan: Plan | None = None
        self.head_plan: Plan | None = None
        self.schema: Schema | None = schema


@final
class Registry:
    """All that an app has registered: `App` fills it, `dispatch` reads it."""

    __slots__ = ("_endpoints", "_included", "hooks", "max_body_size", "pages", "router", "schemas")

    def __init__(self, max_body_size: int) -> None:
        self.max_body_size: Final = max_body_size
        self.router: Final[Router[Endpoint]] = Router()
        self.hooks: HookTable = HookTable()
        self.pages: Final = PageTable()
        self.schemas: Final = Schemas(self.changed)
        self._endpoints: Final[list[Endpoint]] = []
        self._included: str | None = None

    def add(self, endpoint: Endpoint) -> None:
        """Add a route. Raises `ValueError` for a second one of this method and pattern, `RuntimeError` as `changed`."""
        self.check_open()
        self.router.add(endpoint.method, endpoint.pattern, endpoint)
        self._endpoints.append(endpoint)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes, in the order of their registration."""
        found: list[Route] = []
        for endpoint in self._endpoints:
            schema = self._schema_of(endpoint)
            expects, returns = (None, None) if schema is None else (schema.expects, schema.returns)
            found.append(Route(endpoint.method, endpoint.pattern.text, endpoint.handler, expects, returns))
        return tuple(found)

    def include(self, prefix: str, other: Registry) -> None:
        """Add what another app has registered, below `prefix`.

        Raises `ValueError` for what is there already, and for schemas as `check` does; then nothing is added.
        """
        self.check_open()
        other.check()
        endpoints = [
            Endpoint(
                endpoint.method,
                endpoint.pattern.below(prefix),
                endpoint.handler,
                endpoint.max_body_size,
                stream=endpoint.stream,
                thread=endpoint.thread,
                schema=other._schema_of(endpoint),
            )
            for endpoint in other._endpoints
        ]
        for endpoint in endpoints:
            self.router.check(endpoint.method, endpoint.pattern)
        hooks = self.hooks.including(prefix, other.hooks)
        for endpoint in endpoints:
            self.add(endpoint)
        self.hooks = hooks
        self.pages.include(prefix, other.pages)
        self.changed()
        other._included = prefix

    def check_open(self) -> None:
        """Raise `RuntimeError` where the app has been included in another, which would not hear of what comes later."""
        if self._included is not None:
            raise RuntimeError(
                f"this app has been included in another, below {self._included or '/'!r}, as it was then: "
                "register before that"
            )

    def check(self) -> None:
        """Raise `ValueError` for a schema that can never be used: of no route, or of a body that is not read for it."""
        lost = self.schemas.without_route({(endpoint.method, endpoint.pattern.shape) for endpoint in self._endpoints})
        if lost:
            raise ValueError(f"app.schema has no route for {', '.join(lost)}: register it, or correct the path")
        for endpoint in self._endpoints:
            schema = self.schemas.find(endpoint.method, endpoint.pattern.text)
            route = f"{endpoint.method} {endpoint.pattern.text}"
            if schema is not None and endpoint.own_schema is not None:
                raise ValueError(
                    f"{route} has a schema by its registration and one by app.schema: leave out one of them"
                )
            if endpoint.stream and schema is not None and schema.expects is not None:
                raise ValueError(
                    f"{route} has stream=True, so nothing reads the body that its schema expects: leave out one of them"
                )

    def changed(self) -> None:
        """A hook or schema has come: what was found for the routes so far no longer holds.

        Raises `RuntimeError` where the app has been included in another.
        """
        self.check_open()
        for endpoint in self._endpoints:
            endpoint.plan = endpoint.head_plan = None

    def plan_of(self, endpoint: Endpoint, method: str) -> Plan:
        """The hooks of a route, resolved at the first request after a registration."""
        endpoint.schema = self._schema_of(endpoint)
        plan = self.hooks.plan(endpoint.pattern, method)
        if method == endpoint.method:
            endpoint.plan = plan
        else:
            endpoint.head_plan = plan
        return plan

    def _schema_of(self, endpoint: Endpoint) -> Schema | None:
        return endpoint.own_schema or self.schemas.find(endpoint.method, endpoint.pattern.text)
