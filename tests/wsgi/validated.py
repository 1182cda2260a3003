"""`wsgiref.validate` between a server and an app, but for one thing that it asks for and PEP 3333 does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.validate import validator

__all__ = ["validated"]

# It wants a Content-Type with every response but 204 and 304: also where there is no content, as in a redirect.
_NONE: Final = ("content-type", "none/none")


def validated(application: WSGIApplication) -> WSGIApplication:
    """`application`, held to PEP 3333, as the server is."""

    def typed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Callable[[bytes], object]:
            assert exc_info is None, "a failure before the first event needs none"
            if status[:3] not in ("204", "304") and "content-type" not in [name for name, _ in headers]:
                headers = [*headers, _NONE]
            return start_response(status, headers)

        return application(environ, start)

    checked = validator(typed)

    def outside(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Callable[[bytes], object]:
            return start_response(status, [line for line in headers if line != _NONE])

        return checked(environ, start)

    return outside
