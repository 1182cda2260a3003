"""A server of our own as a program: `python -m tests.wire.socket_target PORT BACKEND`, with the environment's app.

BACKEND is asyncio, uvloop or trio; "streams" is asyncio, but connections are accepted by anyio.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from functools import partial
from typing import Final

import anyio

from heaven_core import App
from heaven_socket import SocketAdapter

__all__ = ["main"]

DEADLINE: Final = float(os.environ.get("HEAVEN_TEST_DEADLINE", "10"))
SEND_TIMEOUT: Final = float(os.environ.get("HEAVEN_TEST_SEND_TIMEOUT", "60"))
CLOSING_LIMIT: Final = float(os.environ.get("HEAVEN_TEST_CLOSING_LIMIT", "5"))


def _load() -> App:
    app: object = importlib.import_module(os.environ["HEAVEN_TEST_APP"]).app
    assert isinstance(app, App)
    return app


async def _serve_streams(adapter: SocketAdapter, port: int) -> None:
    async with adapter.running() as serve_connection, anyio.create_task_group() as group:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        accepting = anyio.CancelScope()

        async def accept() -> None:
            with accepting:
                await listener.serve(serve_connection, group)
            await listener.aclose()

        group.start_soon(accept)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                break
        accepting.cancel()
        await adapter.shutdown()
        group.cancel_scope.cancel()  # what has not ended in its time


def main(port: int, backend: str) -> None:
    logging.basicConfig()
    adapter = SocketAdapter(
        _load(),
        deferred_deadline=DEADLINE,
        response_deadline=DEADLINE,
        send_timeout=SEND_TIMEOUT,
        closing_limit=CLOSING_LIMIT,
    )
    if backend == "streams":
        anyio.run(_serve_streams, adapter, port)
    elif backend == "trio":
        anyio.run(partial(adapter.serve, port=port), backend="trio")
    else:
        options = {"use_uvloop": backend == "uvloop"}
        anyio.run(partial(adapter.serve, port=port), backend="asyncio", backend_options=options)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
