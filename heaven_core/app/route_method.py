"""Registering a route: `app.GET`, `app.POST` and their like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from types import UnionType
from typing import Final, Protocol, TypeAlias, TypeVar, cast, final, overload

from heaven_core._checks import check_bool
from heaven_core._typing import T
from heaven_core.app.given import check_callable
from heaven_core.app.patterns import Pattern
from heaven_core.app.routes import Endpoint, Handler, Registry
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response
from heaven_core.schema.schema import Schema

__all__ = ["RouteDecorator", "RouteHandler", "RouteMethod", "UntypedRouteDecorator"]

RouteHandler: TypeAlias = Callable[[Request[T], Response, Context], Awaitable[None] | None]

R = TypeVar("R", bound=Awaitable[None] | None)
D = TypeVar("D")


class RouteDecorator(Protocol[D]):
    """Registers a handler whose `req.data` is a `D`, and gives it back."""

    def __call__(
        self, handler: Callable[[Request[D], Response, Context], R], /
    ) -> Callable[[Request[D], Response, Context], R]:
        """Register `handler`. Raises as `RouteMethod` does."""
        ...


class UntypedRouteDecorator(Protocol):
    """Registers a handler of any `Request[D]`, and gives it back: there is no type to hold it against."""

    def __call__(
        self, handler: Callable[[Request[D], Response, Context], R], /
    ) -> Callable[[Request[D], Response, Context], R]:
        """Register `handler`. Raises as `RouteMethod` does."""
        ...


@final
class RouteMethod:
    """Registers routes of one method: `app.POST("/users", create)`, or, without a handler, a decorator.

    - `path`: the pattern; `:name` is a segment, `:name:int` a number, `*` at the end the rest;
    - `expects`: the type that the body is decoded to, for `req.data`. The handler's `Request[T]` has to be one of that;
    - `returns`: the type that a body of 2xx is filtered by;
    - `stream`: the body is left unread, and the handler takes it from `req.stream()`;
    - `thread`: a `def` handler is run in a worker thread.

    Raises `ValueError` for a malformed or duplicate pattern and for `thread=True` with an `async def`, `TypeError` for
    a handler that can't be called with `(req, res, ctx)` and for a type that can't be a schema, `ImportError` where
    the library of that is missing, and `RuntimeError` when the app has been included in another.
    """

    __slots__ = ("_method", "_registry")

    def __init__(self, method: str, registry: Registry) -> None:
        self._method: Final = method
        self._registry: Final = registry

    @overload
    def __call__(
        self,
        path: str,
        handler: RouteHandler[T],
        *,
        expects: type[T] | UnionType | None = None,
        returns: object = None,
        stream: bool = False,
        thread: bool = False,
    ) -> None: ...
    @overload
    def __call__(
        self, path: str, *, expects: type[T], returns: object = None, stream: bool = False, thread: bool = False
    ) -> RouteDecorator[T]: ...
    @overload
    def __call__(
        self,
        path: str,
        *,
        expects: UnionType | None = None,
        returns: object = None,
        stream: bool = False,
        thread: bool = False,
    ) -> UntypedRouteDecorator: ...
    def __call__(
        self,
        path: str,
        handler: RouteHandler[T] | None = None,
        *,
        expects: object = None,
        returns: object = None,
        stream: bool = False,
        thread: bool = False,
    ) -> object:
        """Register a route; without `handler` give what registers one. See the class for the rest."""
        pattern = Pattern.parse(path)
        schema = None if expects is None and returns is None else Schema(expects, returns)
        if check_bool("stream=", stream) and expects is not None:
            raise ValueError(
                f"{self._method} {path} has stream=True, so nothing reads the body that it expects: leave out one"
            )
        check_bool("thread=", thread)

        def register(handler: RouteHandler[T]) -> RouteHandler[T]:
            check_callable(handler, "a handler", "req", "res", "ctx")
            if thread and iscoroutinefunction(handler):
                raise ValueError(f"thread=True is for a def handler, and {handler!r} is async")
            # One table holds handlers of different Request[T]: the schema of the same route makes the data that a
            # handler is given, and T says what that is.
            taken = cast(Handler, handler)
            limit = self._registry.max_body_size
            self._registry.add(
                Endpoint(self._method, pattern, taken, limit, stream=stream, thread=thread, schema=schema)
            )
            return handler

        if handler is None:
            return register
        register(handler)
        return None
