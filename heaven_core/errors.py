"""Every exception of the core: whose mistake it is decides its class.

- The application's, refused where it is made: `TypeError`, `ValueError`, `ResponseStarted`; and `HandlerTimeout`.
- The driver's: `LocalProtocolError`. The machine is poisoned afterwards and asks only for what is open to be closed.
- The client's: `ClientError` and its kinds. Left uncaught in a handler or hook, each becomes its status.
- Nobody's: `ClientDisconnected`; there is no one left to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from heaven_core._typing import override

__all__ = [
    "Abort",
    "BadRequest",
    "ClientDisconnected",
    "ClientError",
    "Conflict",
    "ContentTooLarge",
    "Forbidden",
    "HandlerTimeout",
    "LocalProtocolError",
    "MethodNotAllowed",
    "MissingValue",
    "NotFound",
    "ResponseStarted",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "UnwritableError",
]


@final
class Abort(BaseException):
    """Raised by `res.abort()` to leave the handler. Not an `Exception`, so that `except Exception` lets it pass."""


class ResponseStarted(RuntimeError):
    """The response has been sealed by `res.abort()` or is on its way: it can't be changed any more."""


class LocalProtocolError(RuntimeError):
    """The driver called the machine out of turn. The message names the call, the state and the need."""


class ClientDisconnected(ConnectionError):
    """The client went away before its request had been read whole, so there is nobody to answer."""


@final
class HandlerTimeout(Exception):
    """Hooks and handler took longer than the server lets them, and were cancelled: a 503 (RFC 9110 §15.6.4)."""


# What the library says itself, and the phrase of the status has said already.
NO_ROUTE: Final = "no route matches this path"
NO_METHOD: Final = "this path has routes, but none for this method"
NO_FILE: Final = "there is no file for this path"


class ClientError(Exception):
    """A request that can't be served as it was sent. `status` is what the client gets if nobody catches it.

    The client is told the `detail`. `headers` are lines of that response: what else the failed handler has set is taken
    back, but not these.
    """

    status: int = 400

    def __init__(self, detail: str = "", *, headers: Mapping[str, str | int] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers: dict[str, str | int] = dict(headers or {})


class BadRequest(ClientError):
    """400 (RFC 9110 §15.5.1): malformed JSON, text that is not of its charset, a missing value."""


@final
class MissingValue(BadRequest, KeyError):
    """`req.query["q"]` or `req.headers["X-Key"]` of something the client did not send. A `KeyError`, too."""

    @override
    def __str__(self) -> str:  # KeyError's own would show the repr of the sentence
        return self.detail


@final
class Unauthorized(ClientError):
    """401 (RFC 9110 §15.5.2): who asks is not known.

    The RFC wants to be told how to say so: `headers={"WWW-Authenticate": 'Bearer realm="api"'}`.
    """

    status = 401


@final
class Forbidden(ClientError):
    """403 (RFC 9110 §15.5.4): who asks is not allowed to."""

    status = 403


@final
class NotFound(ClientError):
    """404 (RFC 9110 §15.5.5): there is nothing at this path: no route, or what a handler has looked for."""

    status = 404


@final
class MethodNotAllowed(ClientError):
    """405 (RFC 9110 §15.5.6): the path has routes, none for this method. `allow` is the Allow field's content."""

    status = 405

    def __init__(self, detail: str, allow: tuple[str, ...], *, headers: Mapping[str, str | int] | None = None) -> None:
        super().__init__(detail, headers=headers)
        self.allow = allow


@final
class Conflict(ClientError):
    """409 (RFC 9110 §15.5.10): the state of what is asked for does not allow it."""

    status = 409


@final
class ContentTooLarge(ClientError):
    """413 (RFC 9110 §15.5.14): the body is larger than `max_body_size` bytes."""

    status = 413


@final
class UnsupportedMediaType(ClientError):
    """415 (RFC 9110 §15.5.16): the schema cannot read this Content-Type."""

    status = 415


@final
class UnprocessableContent(ClientError):
    """422 (RFC 9110 §15.5.21): JSON that does not fit the schema.

    `problems` is what the client gets: `{"path": "$.age", "message": "..."}` for each mismatch.
    """

    status = 422

    def __init__(
        self, detail: str, problems: list[dict[str, str]], *, headers: Mapping[str, str | int] | None = None
    ) -> None:
        super().__init__(detail, headers=headers)
        self.problems = problems


@final
class TooManyRequests(ClientError):
    """429 (RFC 6585 §4): the client asks too often. `headers={"Retry-After": 30}` says when to come again."""

    status = 429


@final
class UnwritableError(TypeError):
    """An object of a type that is not written as JSON. Never leaves the core."""
