"""One call to serve an app."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Sequence

from anyio import TASK_STATUS_IGNORED
from anyio.abc import ByteStream, TaskStatus

from heaven_core import App
from heaven_socket.adapter import SocketAdapter
from heaven_socket.limits import Limits

__all__ = ["serve", "serve_connection"]


async def serve(
    app: App,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    sockets: Sequence[socket.socket] | None = None,
    tls: ssl.SSLContext | None = None,
    signals: bool = True,
    limits: Limits | None = None,
    server_name: str | None = None,
    trusted_proxies: Iterable[str] = (),
    task_status: TaskStatus[list[str]] = TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until SIGTERM or SIGINT comes. See `SocketAdapter.serve`; `SocketAdapter` has further options."""
    adapter = SocketAdapter(app, limits=limits, server_name=server_name, trusted_proxies=trusted_proxies)
    await adapter.serve(
        host=host,
        port=port,
        sockets=sockets,
        tls=tls,
        signals=signals,
        task_status=task_status,
    )


async def serve_connection(app: App, stream: ByteStream, *, limits: Limits | None = None) -> None:
    """Serve one connection that somebody else has accepted. See `SocketAdapter.serve_connection`."""
    await SocketAdapter(app, limits=limits).serve_connection(stream)
