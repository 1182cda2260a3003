"""What a session wants of the stream of bytes below it.

There are three: one for asyncio's transports, one for sockets under trio, and one for any byte stream of anyio's.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol, final

__all__ = ["RECEIVED", "SEND_BUFFER", "Interrupted", "Listener", "Transport"]

# Bytes that are received at a time, and how many may have come before anybody asks for them.
RECEIVED: Final = 64 * 1024
# Bytes that may wait to be sent before whoever sends more has to wait.
SEND_BUFFER: Final = 64 * 1024


@final
class Interrupted(Exception):
    """Somebody wants `receive` to end without having received anything."""


class Listener(Protocol):
    """The session, for a transport that hears of its client without being asked."""

    def on_end(self) -> None:
        """Learn that the client has ended its sending."""
        ...

    def on_loss(self) -> None:
        """Learn that nothing can be sent any more."""
        ...


class Transport(Protocol):
    """A stream of bytes to one client and back. One task at a time receives, and one sends.

    `OSError`, from a call or from what it returns, says that nothing can be sent any more; a client that takes nothing
    for as long as the limit says is such a case.

    - `tells`: whether it calls its listener when the client leaves; else somebody has to `receive` to know;
    - `sends_files`: whether the kernel can send a file by its descriptor;
    - `lost`: whether nothing can be sent any more.
    """

    @property
    def tells(self) -> bool:
        """See above."""
        ...

    @property
    def sends_files(self) -> bool:
        """See above."""
        ...

    @property
    def lost(self) -> bool:
        """See above."""
        ...

    async def receive(self) -> bytes:
        """What has come, `b""` once the client has ended its sending. Raises `Interrupted`.

        Cancelled, it loses nothing: what has come is there for the next one.
        """
        ...

    def interrupt(self) -> None:
        """Have the one who receives raise `Interrupted`, if there is one and nothing has come for it."""
        ...

    def send(self, data: bytes) -> Awaitable[None] | None:
        """Send `data`, whole. What is returned has to be awaited before anything else is sent."""
        ...

    async def send_file(self, fd: int, offset: int, count: int) -> int:
        """Send a range of an open file by the kernel, where `sends_files`. See `Wire.send_file`."""
        ...

    def confirm(self) -> Awaitable[bool] | None:
        """See `Peer.confirm`."""
        ...

    def has_left(self) -> bool:
        """Whether the client has ended its sending, or is gone, as far as can be known without waiting."""
        ...

    async def flush(self) -> None:
        """Wait until everything that was sent is with the operating system."""
        ...

    async def end_sending(self) -> bool:
        """Tell the client that nothing more comes, and whether that is possible without closing."""
        ...

    async def close(self, reset: bool = False) -> None:
        """Close the stream. `reset`: in a way that the client can't take for an ordinary end."""
        ...
