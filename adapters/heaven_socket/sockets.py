"""What a session's transports ask of a connected socket, on either event loop."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio.lowlevel import checkpoint

from heaven_driver.wire import SentPart
from heaven_io.windows import is_in_memory

__all__ = ["CAN_SEND_FILES", "has_left", "has_reached", "reset_on_close", "send_range", "unacknowledged"]

# Linux says what of a file is in memory; elsewhere sendfile could hold everybody up.
CAN_SEND_FILES: Final = sys.platform == "linux"

# Bytes in one call of sendfile: a client on the same machine takes gigabytes a second, and others want their turn
# (benchmarks/downloads.py: a 99th percentile of some ms beside four downloads, and hundreds of them without a limit).
_TURN: Final = 256 * 1024

# Seconds between two looks at whether a client has taken an answer, and how many there are.
_LOOK: Final = 0.01
_LOOKS: Final = 100

_NO_LINGER: Final = struct.pack("ii", 1, 0)
_SIOCOUTQ: Final = 0x5411  # linux/sockios.h


async def send_range(
    target: int, fd: int, offset: int, count: int, until_writable: Callable[[], Awaitable[None]]
) -> int:
    """Send `count` bytes of the file `fd` from `offset` on to the socket `target`, by the kernel alone.

    Returns how many have left: fewer where the file ends, or where the disk would have to be waited for. Raises
    `SentPart` where the client goes.
    """
    sent = 0
    try:
        while sent < count:
            part = min(_TURN, count - sent)
            if not is_in_memory(fd, offset + sent, part):
                break
            try:
                done = os.sendfile(target, fd, offset + sent, part)
            except BlockingIOError:
                await until_writable()
                continue
            if not done:
                break
            sent += done
            if done == part:
                await checkpoint()
    except (ConnectionError, TimeoutError):
        raise SentPart(sent) from None
    except OSError:
        pass  # of the disk, or of a file system that can't: reading it says what it is
    return sent


def has_left(fd: int) -> bool:
    """Whether the client of a socket has ended its sending, or is gone. False where that can't be known."""
    if fd < 0:
        return True
    if sys.platform != "linux":
        return False
    looking = select.poll()
    looking.register(fd, select.POLLRDHUP)  # the others of these come without being asked for
    return bool(looking.poll(0))


async def has_reached(connected: socket.socket) -> bool:
    """Whether what was sent on this socket reaches its client.

    A client that has ended its sending has left, or waits for the answer. Its machine tells, by acknowledging what it
    is sent or by a reset: that is waited for, a second at most.
    """
    try:
        if not has_left(connected.fileno()):
            return True
        for _ in range(_LOOKS):
            if not unacknowledged(connected):
                break
            await anyio.sleep(_LOOK)
    except OSError:
        return False
    return True


def unacknowledged(connected: socket.socket) -> int:
    """Bytes that were sent, and that the client's machine has not acknowledged yet; 0 where nobody knows.

    Raises `OSError`, also for an error that the connection has had.
    """
    error = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise ConnectionResetError(error, os.strerror(error))
    if sys.platform != "linux":
        return 0
    from fcntl import ioctl  # noqa: PLC0415  (not on every platform)

    return int.from_bytes(ioctl(connected.fileno(), _SIOCOUTQ, b"\0\0\0\0"), sys.byteorder)


def reset_on_close(connected: socket.socket) -> None:
    """Have `close` reset the connection, so that the client can't take it for an ordinary end."""
    try:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    except OSError:
        pass  # it is gone already
