"""What the connections of one server share."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import time
from typing import Final, Protocol, final

import anyio

from heaven_core import Field, format_http_date
from heaven_driver.engine import Engine
from heaven_driver.timers import Timers
from heaven_socket.forwarded import Proxies
from heaven_socket.limits import Limits

__all__ = ["ACCESS_LOG", "ERROR_LOG", "Service", "Stoppable"]

ACCESS_LOG: Final = logging.getLogger("heaven_socket.access")
ERROR_LOG: Final = logging.getLogger("heaven_socket.error")


class Stoppable(Protocol):
    """A connection that is open."""

    def stop(self) -> None:
        """End it when the response under way has ended, at once where there is none."""
        ...


@final
class Service:
    """One app on one event loop, and the connections it is served on.

    - `engine`, `limits`, and the `timers` of the event loop;
    - `fast_lane`: see `Connection`;
    - `server_name`: the Server field, if there is to be one;
    - `proxies` whose word on where a request comes from is taken;
    - `stopping`: no request is to be waited for any more.
    """

    __slots__ = (
        "_connections", "_emptied", "_server", "_server_fields", "_written_at",
        "engine", "fast_lane", "limits", "proxies", "stopping", "timers",
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        timers: Timers,
        *,
        fast_lane: bool = True,
        server_name: str | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self.engine: Final = engine
        self.limits: Final = limits
        self.timers: Final = timers
        self.fast_lane: Final = fast_lane
        self.proxies: Final = proxies
        self.stopping: bool = False
        self._server: Final[list[Field]] = [] if server_name is None else [(b"server", server_name.encode("ascii"))]
        self._connections: Final[set[Stoppable]] = set()
        self._emptied: anyio.Event | None = None
        self._server_fields: Sequence[Field] = ()
        self._written_at = -1

    def server_fields(self) -> Sequence[Field]:
        """Date, which RFC 9110 §6.6.1 wants, and Server. Made once a second."""
        now = int(time())
        if now != self._written_at:
            self._written_at = now
            self._server_fields = [(b"date", format_http_date(now).encode("ascii")), *self._server]
        return self._server_fields

    def join(self, connection: Stoppable) -> None:
        """Count a connection that is opened."""
        self._connections.add(connection)
        if self.stopping:
            connection.stop()

    def leave(self, connection: Stoppable) -> None:
        """Forget a connection that is closed."""
        self._connections.discard(connection)
        if self._emptied is not None and not self._connections:
            self._emptied.set()
            self._emptied = None

    async def until_no_connection(self) -> None:
        """Wait until all connections are closed."""
        while self._connections:
            if self._emptied is None:
                self._emptied = anyio.Event()
            await self._emptied.wait()

    def stop(self) -> None:
        """Let each connection end with the response that is under way there."""
        self.stopping = True
        for connection in list(self._connections):
            connection.stop()
