"""Every exception of the core: whose mistake it is decides its class.

- The application's, refused where it is made: `TypeError`, `ValueError`, `ResponseStarted`; and `HandlerTimeout`.
- The driver's: `LocalProtocolError`. The machine is poisoned afterwards and asks only for what is open to be closed.
- The client's: `ClientError` and its kinds. Left uncaught in a handler or hook, each becomes its status.
- Nobody's: `ClientDisconnected`; there is no one left to answer.
"""

from __future__ import annotations

from typing import final

from heaven_core._typing import override

__all__ = [
    "Abort",
    "BadRequest",
    "ClientDisconnected",
    "ClientError",
    "ContentTooLarge",
    "HandlerTimeout",
    "LocalProtocolError",
    "MethodNotAllowed",
    "MissingValue",
    "NotFound",
    "ResponseStarted",
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


class ClientError(Exception):
    """A request that can't be served as it was sent. `status` is what the client gets if nobody catches it."""

    status: int = 400

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadRequest(ClientError):
    """400 (RFC 9110 §15.5.1): malformed JSON, text that is not of its charset, a missing value."""


@final
class MissingValue(BadRequest, KeyError):
    """`req.query["q"]` or `req.headers["X-Key"]` of something the client did not send. A `KeyError`, too."""

    @override
    def __str__(self) -> str:  # KeyError's own would show the repr of the sentence
        return self.detail


@final
class NotFound(ClientError):
    """404 (RFC 9110 §15.5.5): no route matches the path."""

    status = 404


@final
class MethodNotAllowed(ClientError):
    """405 (RFC 9110 §15.5.6): the path has routes, none for this method. `allow` is the Allow field's content."""

    status = 405

    def __init__(self, detail: str, allow: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.allow = allow


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

    def __init__(self, detail: str, problems: list[dict[str, str]]) -> None:
        super().__init__(detail)
        self.problems = problems


@final
class UnwritableError(TypeError):
    """An object of a type that is not written as JSON. Never leaves the core."""
