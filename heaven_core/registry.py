"""What an app has registered: its routes, hooks, error pages and limits, in the form that a request needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, final

from heaven_core.answer import Report
from heaven_core.calls import is_async
from heaven_core.context import Context
from heaven_core.hooks import HookTable, Plan
from heaven_core.request import Request
from heaven_core.response import Response
from heaven_core.routing import Pattern, Router
from heaven_core.schema import Schema
from heaven_core.schemas import Schemas

__all__ = ["Endpoint", "ErrorKey", "Handler", "Registry"]

Handler: TypeAlias = Callable[[Request[object], Response, Context], object]
ErrorKey: TypeAlias = int | type[Exception]


@final
class Endpoint:
    """A route: its handler, and what has to happen around it. `plan` and `schema` are found when first needed."""

    __slots__ = ("async_handler", "handler", "method", "pattern", "plan", "schema", "stream", "thread")

    def __init__(self, method: str, pattern: Pattern, handler: Handler, stream: bool, thread: bool) -> None:
        self.method: Final = method
        self.pattern: Final = pattern
        self.handler: Final = handler
        self.async_handler: Final = handler if is_async(handler) else None
        self.stream: Final = stream
        self.thread: Final = thread
        self.plan: Plan | None = None
        self.schema: Schema | None = None


@final
class Registry:
    """Filled by `App`, read by the pipeline."""

    __slots__ = (
        "_endpoints",
        "_report",
        "debug",
        "error_handlers",
        "hooks",
        "max_body_size",
        "router",
        "schemas",
    )

    def __init__(self, report: Report, debug: bool, max_body_size: int) -> None:
        self._report: Final = report
        self.debug: Final = debug
        self.max_body_size: Final = max_body_size
        self.router: Final[Router[Endpoint]] = Router()
        self.hooks: Final = HookTable()
        self.schemas: Final = Schemas()
        self.error_handlers: Final[dict[ErrorKey, Handler]] = {}
        self._endpoints: Final[list[Endpoint]] = []

    def report(self, error: BaseException, where: str) -> None:
        """Tell the application of an error."""
        self._report(error, where)

    def add(self, endpoint: Endpoint, *, yields: bool = False) -> None:
        """Raises `ValueError` for a second route with this method and pattern, unless one of them `yields`."""
        self.router.add(endpoint.method, endpoint.pattern, endpoint, yields=yields)
        self._endpoints.append(endpoint)

    def check(self) -> None:
        """Raise `ValueError` for what can't be meant: a schema of no route, or of a body that is not read for it."""
        lost = self.schemas.without_route({(endpoint.method, endpoint.pattern.shape) for endpoint in self._endpoints})
        if lost:
            raise ValueError(f"app.schema has no route for {', '.join(lost)}: register it, or correct the path")
        for endpoint in self._endpoints:
            schema = self.schemas.find(endpoint.method, endpoint.pattern.text)
            if endpoint.stream and schema is not None and schema.expects is not None:
                raise ValueError(
                    f"{endpoint.method} {endpoint.pattern.text} has stream=True, so nothing reads the body that its "
                    "schema expects: leave out one of them"
                )

    def changed(self) -> None:
        """A hook or schema has come: what was found for the routes so far no longer holds."""
        for endpoint in self._endpoints:
            endpoint.plan = None

    def plan_of(self, endpoint: Endpoint, method: str) -> Plan:
        """The hooks of a route, resolved at the first request after a registration."""
        endpoint.schema = self.schemas.find(endpoint.method, endpoint.pattern.text)
        plan = self.hooks.plan(endpoint.pattern, method)
        if method == endpoint.method:  # not HEAD on a GET route: a hook may be scoped to HEAD alone
            endpoint.plan = plan
        return plan

    def error_handler(self, error: Exception, status: int) -> Handler | None:
        """The page for this error: that of its nearest class, else that of the status."""
        handlers = self.error_handlers
        if not handlers:
            return None
        for kind in type(error).__mro__:
            # A handler for all exceptions is the last resort: it must not take the place of the 404 page.
            if issubclass(kind, Exception) and kind is not Exception:
                handler = handlers.get(kind)
                if handler is not None:
                    return handler
        return handlers.get(status) or handlers.get(Exception)
