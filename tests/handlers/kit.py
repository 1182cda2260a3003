"""What the tests of this room share: one request to one handler, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client, Disk, Result

__all__ = ["Act", "Handler", "app_of", "ask", "fields_of", "given", "loose"]

Act: TypeAlias = Callable[[Response], object]
Handler: TypeAlias = Callable[[Request, Response, Context], Awaitable[None] | None]


def app_of(act: Act, *, debug: bool = False) -> App:
    """An app that answers GET and POST of `/` by what `act` does with the response."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        act(res)

    app = App(debug=debug)
    app.GET("/", handler)
    app.POST("/", handler)
    return app


def ask(
    act: Act,
    method: str = "GET",
    *,
    debug: bool = False,
    disk: Disk | None = None,
    headers: Mapping[str, str] | None = None,
) -> Result:
    """What the client gets from a handler that does `act`; its errors are in the answer."""
    return Client(app_of(act, debug=debug), disk=disk, raise_errors=False).request(method, "/", headers=headers)


def given(act: Act) -> Response:
    """A response of no app, after `act`."""
    response = Response()
    act(response)
    return response


def fields_of(exchange: Result) -> dict[str, str]:
    """The lines of the head; no name may come twice."""
    fields = dict(exchange.headers)
    assert len(fields) == len(exchange.headers)
    return fields


def loose(func: Callable[..., object]) -> Callable[..., None]:
    """`func` without its types: for what a type checker would refuse, and a program without one does."""

    def call(*args: object, **options: object) -> None:
        func(*args, **options)

    return call
