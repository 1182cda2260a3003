"""An ASGI scope as a request of the core."""

from __future__ import annotations

from typing import Any, Final

from heaven_asgi.inbox import Inbox
from heaven_asgi.types import Scope
from heaven_asgi.wire import HTTP1
from heaven_core import Request

__all__ = ["has_body", "request_of"]

# RFC 9112 §6.3: without one of these fields an HTTP/1.x request has no body, so that nothing need be received.
_BODY_FIELDS: Final = frozenset({b"content-length", b"transfer-encoding"})


def request_of(scope: Scope, inbox: Inbox | None) -> Request[object]:
    """The request that a handler gets. Its path is what comes after the `root_path` of a mounted app."""
    root_path: str = scope.get("root_path", "")
    path: str = scope["path"]
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in ("", "/"):
        # By the specification `path` holds the whole path; some servers and routers have cut it already.
        path = path[len(root_path) :] or "/"
    # An HTTP scope has the keys of an Origin, and more; cast() would be a call, which takes 100 ns. By position, since
    # keywords take 200 ns (benchmarks/dispatch.py).
    origin: Any = scope
    return Request(scope["method"], path, scope["query_string"], scope["headers"], inbox, origin)


def has_body(scope: Scope) -> bool:
    """Whether the request may have a body that has to be received."""
    method = scope["method"]
    if (method != "GET" and method != "HEAD") or scope["http_version"] not in HTTP1:
        return True
    for line in scope["headers"]:  # noqa: SIM110  # any() takes 250 ns more with eight lines
        if line[0] in _BODY_FIELDS:
            return True
    return False
