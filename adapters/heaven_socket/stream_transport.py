"""A client on any byte stream of anyio's: TLS, a pipe, a stream of a test."""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable
from typing import Final, final

import anyio
from anyio import BrokenResourceError, BusyResourceError, ClosedResourceError, EndOfStream
from anyio.abc import ByteStream, SocketAttribute

from heaven_driver.timers import Timers
from heaven_socket.sockets import has_left, has_reached, reset_on_close, unacknowledged
from heaven_socket.transport import RECEIVED, SEND_BUFFER, Interrupted

__all__ = ["StreamTransport"]

# Seconds.
_GOODBYE: Final = 2.0

_GONE: Final = (BrokenResourceError, ClosedResourceError, BusyResourceError)


@final
class StreamTransport:
    """See `Transport`. What is special about a stream stays with it, so files are read and not sent by the kernel."""

    __slots__ = ("_scope", "_send_timeout", "_sending", "_stream", "_timers", "_unsent", "ended", "lost")

    def __init__(self, stream: ByteStream, timers: Timers, send_timeout: float | None) -> None:
        self._stream: Final = stream
        self._timers: Final = timers
        self._send_timeout: Final = send_timeout
        self._scope: anyio.CancelScope | None = None
        self._sending: anyio.CancelScope | None = None
        self._unsent = 0  # when that began
        self.ended: bool = False
        self.lost: bool = False

    @property
    def sends_files(self) -> bool:
        """See `Transport`."""
        return False

    @property
    def tells(self) -> bool:
        """See `Transport`."""
        return False

    async def receive(self) -> bytes:
        """See `Transport`."""
        if self.ended:
            return b""
        try:
            with anyio.CancelScope() as self._scope:
                return await self._stream.receive(RECEIVED)
        except EndOfStream:
            self.ended = True
            return b""
        except _GONE as error:
            self.lost = True
            raise ConnectionResetError("the client has gone") from error
        except OSError:  # of a TLS handshake that is no such, or of a stream that is none of anyio's
            self.lost = True
            raise
        finally:
            self._scope = None
        raise Interrupted

    def interrupt(self) -> None:
        """See `Transport`."""
        if self._scope is not None:
            self._scope.cancel()

    def send(self, data: bytes) -> Awaitable[None]:
        """See `Transport`."""
        return self._send(data)

    async def send_file(self, fd: int, offset: int, count: int) -> int:
        """See `Transport`. Nothing is sent this way."""
        return 0

    def confirm(self) -> Awaitable[bool] | None:
        """See `Transport`. Not where there is no socket below."""
        found: socket.socket | None = self._stream.extra(SocketAttribute.raw_socket, None)
        return None if found is None else has_reached(found)

    def has_left(self) -> bool:
        """See `Transport`."""
        connected = self._socket
        return self.ended or self.lost or (connected is not None and has_left(connected.fileno()))

    async def flush(self) -> None:
        """See `Transport`. Nothing is kept here."""

    async def end_sending(self) -> bool:
        """See `Transport`. TLS says it by closing only."""
        try:
            await self._stream.send_eof()
        except NotImplementedError:
            return False
        except _GONE:
            self.lost = True
            return False
        return True

    async def close(self, reset: bool = False) -> None:
        """See `Transport`. TLS says goodbye, for which a client has some seconds."""
        forcibly = reset or self.lost
        self.lost = True
        connected = self._socket
        if reset and connected is not None:
            reset_on_close(connected)
        with anyio.move_on_after(_GOODBYE, shield=True):
            try:
                await (anyio.aclose_forcefully(self._stream) if forcibly else self._stream.aclose())
            except (*_GONE, OSError):
                pass  # it is closed all the same

    @property
    def _socket(self) -> socket.socket | None:
        found: socket.socket | None = self._stream.extra(SocketAttribute.raw_socket, None)
        return None if found is None or found.fileno() < 0 else found

    async def _send(self, data: bytes) -> None:
        if self.lost:
            raise BrokenPipeError("the client has gone")
        whole = False
        try:
            for start in range(0, len(data), SEND_BUFFER):
                await self._send_piece(data[start : start + SEND_BUFFER])
            whole = True
        except _GONE as error:
            raise ConnectionResetError("the client has gone") from error
        finally:
            if not whole:
                self.lost = True  # a part of it has gone, so that nothing can follow

    async def _send_piece(self, piece: bytes) -> None:
        if self._send_timeout is None:
            await self._stream.send(piece)
            return
        self._unsent = self._count_unsent()
        self._timers.set(self._send_timeout, self)
        scope = self._sending = anyio.CancelScope()
        try:
            with scope:
                await self._stream.send(piece)
        finally:
            self._timers.clear(self._send_timeout, self)
            self._sending = None
        if scope.cancelled_caught:
            raise ConnectionResetError(f"the client has taken nothing for {self._send_timeout:g} s")

    def elapse(self) -> None:
        """See `Timed`: the client has taken nothing for as long as the limit says, or less than all."""
        if self._sending is None or self._send_timeout is None:
            return
        unsent = self._count_unsent()
        if unsent < self._unsent:
            self._unsent = unsent
            self._timers.set(self._send_timeout, self)
        else:
            self._sending.cancel()

    def _count_unsent(self) -> int:
        connected = self._socket
        try:
            return 0 if connected is None else unacknowledged(connected)
        except OSError:
            return sys.maxsize  # whoever sends will see it
