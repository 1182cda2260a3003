"""A client on asyncio's own transports, also uvloop's: no coroutine where there is nothing to wait for.

anyio's streams take some 28 µs a request more on asyncio, and 16 on uvloop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable
from typing import Final, final

from heaven_core._typing import override
from heaven_driver.timers import Timers
from heaven_socket.sockets import CAN_SEND_FILES, has_left, has_reached, reset_on_close, send_range, unacknowledged
from heaven_socket.transport import RECEIVED, SEND_BUFFER, Interrupted, Listener

__all__ = ["AsyncioTransport"]

_BUFFER: Final = memoryview(bytearray(RECEIVED))


@final
class AsyncioTransport(asyncio.BufferedProtocol):
    """See `Transport`. `listener` hears that the client leaves, also when nobody receives.

    Until somebody asks for them 64 KiB are taken of what the client sends, and then no more.
    """

    __slots__ = (
        "_closed", "_duplicate", "_loop", "_paused", "_received", "_room", "_send_timeout",
        "_socket", "_timers", "_transport", "_unsent", "_waiting", "ended", "listener", "lost",
    )  # fmt: skip

    def __init__(self, connected: socket.socket, timers: Timers, send_timeout: float | None) -> None:
        self._socket: Final = connected
        self._timers: Final = timers
        self._send_timeout: Final = send_timeout
        self._loop: Final = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received: bytes | bytearray | None = None
        self._waiting: asyncio.Future[None] | None = None  # who receives
        self._paused = False
        self._room: asyncio.Future[None] | None = None  # who waits to send
        self._unsent = 0  # when that began
        self._duplicate = -1
        self._closed: asyncio.Future[None] | None = None
        self.listener: Listener | None = None
        self.ended: bool = False
        self.lost: bool = False

    @property
    def sends_files(self) -> bool:
        """See `Transport`."""
        return CAN_SEND_FILES

    @property
    def tells(self) -> bool:
        """See `Transport`."""
        return True

    async def open(self) -> None:
        """Hand the socket to the event loop, which calls what follows from then on. Raises `OSError`."""
        transport, _ = await self._loop.connect_accepted_socket(lambda: self, self._socket)
        transport.set_write_buffer_limits(SEND_BUFFER)
        self._transport = transport

    # What the event loop calls.

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`.

        PERF: one buffer for all. Without it asyncio has the operating system map, and unmap, 256 KiB for each piece
        that comes: a fixed answer costs 18 µs instead of 7 (benchmarks/socket_served.py).
        """
        return _BUFFER

    @override
    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`. Nothing else happens between this and `get_buffer`."""
        # Kept here, and not handed over by the future: whoever waits may be cancelled in this very turn.
        received = self._received
        if received is None:
            self._received = bytes(_BUFFER[:nbytes])
        else:
            if not isinstance(received, bytearray):
                received = self._received = bytearray(received)
            received += _BUFFER[:nbytes]
            if len(received) > RECEIVED and self._transport is not None:
                self._transport.pause_reading()
        self._wake()

    @override
    def eof_received(self) -> bool:
        """See `asyncio.BufferedProtocol`. The client may still want to read."""
        self.ended = True
        self._wake()
        if self.listener is not None:
            self.listener.on_end()
        return True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self.lost = True
        self._wake()
        self._make_room()
        if self.listener is not None:
            self.listener.on_loss()
            self.listener = None
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    @override
    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._paused = True

    @override
    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._paused = False
        self._make_room()

    # What the session calls.

    async def receive(self) -> bytes:
        """See `Transport`."""
        if self._received is None and not self.lost and not self.ended:
            waiting = self._waiting = self._loop.create_future()
            try:
                await waiting
            finally:
                self._waiting = None
        received = self._received
        if received is not None:
            self._received = None
            if not isinstance(received, bytearray):
                return received
            if len(received) > RECEIVED and self._transport is not None and not self.lost:
                self._transport.resume_reading()
            return bytes(received)
        if self.lost:
            raise ConnectionResetError("the client has gone")
        if self.ended:
            return b""
        raise Interrupted

    def interrupt(self) -> None:
        """See `Transport`."""
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def send(self, data: bytes) -> Awaitable[None] | None:
        """See `Transport`."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise BrokenPipeError("the client has gone")
        transport.write(data)
        if self._paused:
            return self._until_room()
        if transport.is_closing():  # asyncio has just seen it
            raise BrokenPipeError("the client has gone")
        return None

    async def send_file(self, fd: int, offset: int, count: int) -> int:
        """See `Transport`."""
        await self.flush()
        if self._duplicate < 0:
            # An event loop refuses to watch the descriptor of a transport of its own for anybody else.
            try:
                self._duplicate = os.dup(self._socket.fileno())
            except OSError:
                return 0  # no descriptor is left: it is read
        return await send_range(self._duplicate, fd, offset, count, self._until_writable)

    def confirm(self) -> Awaitable[bool]:
        """See `Transport`."""
        return self._confirm()

    def has_left(self) -> bool:
        """See `Transport`."""
        return self.ended or self.lost or has_left(self._socket.fileno())

    async def flush(self) -> None:
        """See `Transport`."""
        transport = self._transport
        if self.lost or transport is None or not transport.get_write_buffer_size():
            return
        transport.set_write_buffer_limits(0)
        try:
            await self._until_room()
        finally:
            transport.set_write_buffer_limits(SEND_BUFFER)

    async def end_sending(self) -> bool:
        """See `Transport`."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write_eof()
        return True

    async def close(self, reset: bool = False) -> None:
        """See `Transport`."""
        transport, self._transport = self._transport, None
        self.listener = None
        try:
            if transport is not None and not self.lost:
                if reset:
                    reset_on_close(self._socket)
                self._closed = self._loop.create_future()
                transport.abort()
                await self._closed
        finally:
            if self._duplicate >= 0:
                os.close(self._duplicate)
                self._duplicate = -1

    def elapse(self) -> None:
        """See `Timed`: the client has taken nothing for as long as the limit says, or less than all."""
        transport = self._transport
        if self._room is None or transport is None:
            return
        unsent = self._count_unsent(transport)
        if unsent < self._unsent:
            self._unsent = unsent
            self._set_timer()
        else:
            reset_on_close(self._socket)
            transport.abort()
            self._make_room()

    def _count_unsent(self, transport: asyncio.Transport) -> int:
        # The operating system makes room for more in lumps of a megabyte, which a slow client takes minutes for: what
        # counts is what its machine has acknowledged.
        try:
            return transport.get_write_buffer_size() + unacknowledged(self._socket)
        except OSError:
            return sys.maxsize  # the event loop will see it

    async def _until_room(self) -> None:
        while self._paused and not self.lost:
            await self._wait_for_room()
        if self.lost:
            raise ConnectionResetError("the client has gone")

    async def _wait_for_room(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise BrokenPipeError("the client has gone")
        room = self._room = self._loop.create_future()
        self._unsent = self._count_unsent(transport)
        self._set_timer()
        try:
            await room
        finally:
            self._room = None
            if self._send_timeout is not None:
                self._timers.clear(self._send_timeout, self)

    def _set_timer(self) -> None:
        if self._send_timeout is not None:
            self._timers.set(self._send_timeout, self)

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def _until_writable(self) -> None:
        self._loop.add_writer(self._duplicate, self._make_room)
        try:
            await self._wait_for_room()
        finally:
            self._loop.remove_writer(self._duplicate)
        if self.lost:
            raise ConnectionResetError("the client has gone")

    async def _confirm(self) -> bool:
        try:
            await self.flush()
        except OSError:
            return False
        return await has_reached(self._socket) and not self.lost
