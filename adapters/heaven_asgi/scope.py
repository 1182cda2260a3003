"""An ASGI scope as a request of the core."""

from __future__ import annotations

from typing import Any, Final

from heaven_asgi.inbox import Inbox
from heaven_asgi.types import Scope
from heaven_asgi.wire import HTTP1
from heaven_core import App, BadRequest, Request
from heaven_core.http.uri import decode_path, encode_path, split_target

__all__ = ["has_body", "request_of"]

# RFC 9112 §6.3: without one of these fields an HTTP/1.x request has no body, so that nothing need be received.
_BODY_FIELDS: Final = frozenset({b"content-length", b"transfer-encoding"})


def request_of(scope: Scope, inbox: Inbox | None, app: App) -> Request[object]:
    """The request that a handler gets. Its path is what comes after the `root_path` of a mounted app."""
    root_path: str = scope.get("root_path", "")
    path: str = scope["path"]
    if "://" in path:
        scope, path = _without_authority(scope, root_path, path)
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in ("", "/"):
        # By the specification `path` holds the whole path; some servers and routers have cut it already.
        path = path[len(root_path) :] or "/"
    # An HTTP scope has the keys of an Origin, and more; cast() would be a call, which takes 100 ns. By position, since
    # keywords take 200 ns (benchmarks/dispatch.py).
    origin: Any = scope
    return Request(scope["method"], path, scope["query_string"], scope["headers"], inbox, origin, app)


def _without_authority(scope: Scope, root_path: str, path: str) -> tuple[Scope, str]:
    """The scope and the path of a request whose target is in absolute-form, where the server has passed it on whole.

    uvicorn with h11 and hypercorn do (and uvicorn puts `root_path` in front of it). Routes and hooks are to match the
    path, and the host in the target takes the place of Host (RFC 9112 §3.2.2).
    """
    raw_path: bytes = scope.get("raw_path") or encode_path(path)
    root = root_path.encode("utf-8", "surrogateescape")
    in_front = root if root and raw_path.startswith(root) and not path[len(root_path) :].startswith("/") else b""
    try:
        raw_path, _, authority = split_target(scope["method"], raw_path[len(in_front) :])
    except BadRequest:
        return scope, path  # it is no URL that anybody serves: no route has it
    if authority is None:
        return scope, path
    fields = [(b"host", authority), *[line for line in scope["headers"] if line[0] != b"host"]]
    return {**scope, "headers": fields, "raw_path": in_front + raw_path}, decode_path(raw_path)


def has_body(scope: Scope) -> bool:
    """Whether the request may have a body that has to be received."""
    method = scope["method"]
    if (method != "GET" and method != "HEAD") or scope["http_version"] not in HTTP1:
        return True
    for line in scope["headers"]:  # noqa: SIM110  # any() takes 250 ns more with eight lines
        if line[0] in _BODY_FIELDS:
            return True
    return False
