"""An HTTP/1.1 client as light as can be: it knows what the answer looks like and only counts bytes."""

from __future__ import annotations

import socket
import time

from benchmarks.request_fields import REQUEST_FIELDS

__all__ = ["Connection"]

_WINDOW = 1024 * 1024
_PATIENCE = 60.0  # seconds


class Connection:
    """One connection, kept alive. With `spins` it never sleeps while it waits for an answer."""

    def __init__(self, port: int, spins: bool = False) -> None:
        self._spins = spins
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(_WINDOW))

    def ask(self, path: str, *also: tuple[bytes, bytes]) -> None:
        """Send a GET with the lines that a browser sends, and `also` those."""
        lines = [b"%s: %s\r\n" % line for line in (*REQUEST_FIELDS, *also)]
        self._socket.sendall(b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), b"".join(lines)))

    def head(self, status: int = 200) -> tuple[int, int]:
        """Read the head: how long the body is, and how much of it has been read. `ValueError` for another status."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        if b" %d " % status not in lines[0] or len(lengths) != 1:
            raise ValueError(f"not the answer that was expected: {head!r}")
        return lengths[0], len(rest)

    def skip(self, length: int) -> None:
        """Read so many bytes."""
        while length > 0:
            length -= self._receive_into(min(length, _WINDOW))

    def fetch(self, path: str) -> int:
        """Ask and read the whole answer; its length in bytes."""
        self.ask(path)
        length, had = self.head()
        self.skip(length - had)
        return length

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        return bytes(self._buffer[: self._receive_into(_WINDOW)])

    def _receive_into(self, most: int) -> int:
        count = self._spin(most) if self._spins else self._socket.recv_into(self._buffer, most)
        if count == 0:
            raise ConnectionError("the server closed the connection in the middle of an answer")
        return count

    def _spin(self, most: int) -> int:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                return self._socket.recv_into(self._buffer, most, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
        raise TimeoutError("the server did not answer")
