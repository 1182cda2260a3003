"""An ASGI scope as a request of the core."""

from __future__ import annotations

from typing import Final, cast, final

from heaven_asgi.types import Receive, Scope
from heaven_core.errors import ClientDisconnected
from heaven_core.request import Origin, Request

__all__ = ["HTTP1", "Inbox", "has_body", "request_of"]

# RFC 9112 §6.3: without one of these fields an HTTP/1.x request has no body, so that nothing need be received.
_BODY_FIELDS: Final = frozenset({b"content-length", b"transfer-encoding"})
HTTP1: Final = frozenset({"1", "1.0", "1.1"})  # granian says "1" for HTTP/1.0


@final
class Inbox:
    """The one place that calls `receive`: for the request's body, and later to learn that the client has gone."""

    __slots__ = ("_receive", "ended", "gone")

    def __init__(self, receive: Receive) -> None:
        self._receive: Final = receive
        self.ended = False
        self.gone = False

    async def read(self) -> bytes:
        """The next piece of the body, empty after the last. Raises `ClientDisconnected`."""
        while not self.ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                self.ended = True
                break
            self.ended = not message.get("more_body", False)
            body: bytes = message.get("body", b"")
            if body:
                return body
        if self.gone:
            raise ClientDisconnected("the client went away before it had sent the whole request")
        return b""

    async def wait_until_gone(self) -> None:
        """Return when the client has gone. What is left of its request is dropped."""
        while not self.gone:
            message = await self._receive()
            self.gone = message["type"] == "http.disconnect"


def request_of(scope: Scope, inbox: Inbox | None) -> Request[object]:
    """What a handler gets. Its path is what comes after the `root_path` of a mounted app."""
    root_path: str = scope.get("root_path", "")
    path: str = scope["path"]
    if root_path and path.startswith(root_path):
        # By the specification `path` holds the whole path; some servers and routers have cut it already.
        path = path[len(root_path) :] or "/"
    # An HTTP scope has the keys of an Origin, and more. By position: keywords cost 200 ns (benchmarks/dispatch.py).
    return Request(scope["method"], path, scope["query_string"], scope["headers"], inbox, cast(Origin, scope))


def has_body(scope: Scope) -> bool:
    """Whether a body may have to be received."""
    method = scope["method"]
    if (method != "GET" and method != "HEAD") or scope["http_version"] not in HTTP1:
        return True
    for line in scope["headers"]:  # noqa: SIM110  # any() takes 250 ns more with eight lines
        if line[0] in _BODY_FIELDS:
            return True
    return False
