"""A client on a socket under trio."""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable
from typing import Final, final

import trio
from trio.lowlevel import checkpoint, notify_closing, wait_readable, wait_writable

from heaven_driver.timers import Timers
from heaven_socket.sockets import CAN_SEND_FILES, has_left, has_reached, reset_on_close, send_range, unacknowledged
from heaven_socket.transport import RECEIVED, Interrupted

__all__ = ["TrioTransport"]


@final
class TrioTransport:
    """See `Transport`. The socket is used as it is, so that what can be sent at once costs no coroutine."""

    __slots__ = ("_interrupted", "_receiving", "_send_timeout", "_sending", "_socket", "_timers", "_unsent", "lost")

    def __init__(self, connected: socket.socket, timers: Timers, send_timeout: float | None) -> None:
        connected.setblocking(False)
        self._socket: Final = connected
        self._timers: Final = timers
        self._send_timeout: Final = send_timeout
        self._receiving = False
        self._sending = False
        self._unsent = 0  # when somebody began to wait
        self._interrupted = False
        self.lost: bool = False

    @property
    def sends_files(self) -> bool:
        """See `Transport`."""
        return CAN_SEND_FILES

    @property
    def tells(self) -> bool:
        """See `Transport`."""
        return False

    async def receive(self) -> bytes:
        """See `Transport`."""
        self._interrupted = False
        self._receiving = True
        try:
            while True:
                try:
                    # First this, since it is also what lets others have their turn.
                    await wait_readable(self._socket)
                    return self._socket.recv(RECEIVED)
                except trio.ClosedResourceError:
                    if self.lost:
                        raise ConnectionResetError("the client has gone") from None
                    if self._interrupted:
                        raise Interrupted from None
                except BlockingIOError:
                    pass
                except OSError:
                    self.lost = True
                    raise
        finally:
            self._receiving = False

    def interrupt(self) -> None:
        """See `Transport`."""
        if self._receiving:
            self._interrupted = True
            notify_closing(self._socket)

    def send(self, data: bytes) -> Awaitable[None] | None:
        """See `Transport`."""
        if self.lost:
            raise BrokenPipeError("the client has gone")
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.lost = True
            raise
        return None if sent == len(data) else self._send_rest(memoryview(data)[sent:])

    async def send_file(self, fd: int, offset: int, count: int) -> int:
        """See `Transport`."""
        return await send_range(self._socket.fileno(), fd, offset, count, self._until_writable)

    def confirm(self) -> Awaitable[bool]:
        """See `Transport`."""
        return has_reached(self._socket)

    def has_left(self) -> bool:
        """See `Transport`."""
        return self.lost or has_left(self._socket.fileno())

    async def flush(self) -> None:
        """See `Transport`. Nothing is kept here."""

    async def end_sending(self) -> bool:
        """See `Transport`."""
        if self.lost:
            return False
        self._socket.shutdown(socket.SHUT_WR)
        return True

    async def close(self, reset: bool = False) -> None:
        """See `Transport`."""
        self.lost = True
        if self._socket.fileno() < 0:
            return
        if reset:
            reset_on_close(self._socket)
        notify_closing(self._socket)
        self._socket.close()

    def elapse(self) -> None:
        """See `Timed`: the client has taken nothing for as long as the limit says."""
        if not self._sending or self._send_timeout is None:
            return
        unsent = self._count_unsent()
        if unsent < self._unsent:
            self._unsent = unsent
            self._timers.set(self._send_timeout, self)
        else:
            self.lost = True
            reset_on_close(self._socket)
            notify_closing(self._socket)

    def _count_unsent(self) -> int:
        # The operating system makes room for more in lumps of a megabyte, which a slow client takes minutes for: what
        # counts is what its machine has acknowledged.
        try:
            return unacknowledged(self._socket)
        except OSError:
            return sys.maxsize  # whoever sends will see it

    async def _send_rest(self, rest: memoryview) -> None:
        whole = False
        try:
            while rest:
                await self._until_writable()
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    await checkpoint()
            whole = True
        finally:
            if not whole:
                self.lost = True  # a part of it has gone, so that nothing can follow

    async def _until_writable(self) -> None:
        if self._send_timeout is not None:
            self._unsent = self._count_unsent()
            self._timers.set(self._send_timeout, self)
        self._sending = True
        try:
            while True:
                try:
                    await wait_writable(self._socket)
                except trio.ClosedResourceError:
                    if self.lost:
                        raise ConnectionResetError("the client has gone") from None
                else:
                    return
        finally:
            self._sending = False
            if self._send_timeout is not None:
                self._timers.clear(self._send_timeout, self)
