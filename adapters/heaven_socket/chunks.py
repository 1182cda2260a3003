"""The body of a request that comes in chunks (RFC 9112 §7.1).

Stricter than h11, which says no word of how long a size was, nor of what came beside the data: a size has at most 16
digits, and extensions may not add up. tests/socket/test_chunks.py has h11 read the same bodies: what this accepts, h11
accepts, with equal bytes.
"""

from __future__ import annotations

import re
from typing import Final, final

from heaven_socket.head import RemoteProtocolError

__all__ = ["ChunkReader"]

# RFC 9112 §7.1: a recipient must not let a size overflow; 16 digits are 64 bits. RFC 9112 §7.1.1: extensions are
# ignored, so anything visible may stand in them.
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~\x80-\xff]*|[ \t]*)\r\n")
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n")
_LONGEST_LINE: Final = 4096
# Bytes of size lines, beyond some for each chunk: a client could make us read gigabytes for a body of a kilobyte.
_MOST_OVERHEAD: Final = 64 * 1024
_FREE_OVERHEAD: Final = 32

# What is said of a mistake does not depend on how much has come: in any pieces the answer is the same.
_NO_SIZE: Final = "this is no size of a chunk, which is 1 to 16 hexadecimal digits and perhaps an extension"

_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILERS: Final = 3
_END: Final = 4


@final
class ChunkReader:
    """Takes the chunks apart that stand at the front of a buffer.

    `trailer_size` is how many bytes the trailer section may have. Its fields are dropped: RFC 9110 §6.5.1 lets them be
    merged only where their definition says so.
    """

    __slots__ = ("_left", "_overhead", "_state", "_trailer_left")

    def __init__(self, trailer_size: int) -> None:
        self._state = _SIZE
        self._left = 0  # of the chunk, in bytes
        self._overhead = 0
        self._trailer_left = trailer_size

    def read(self, buffer: bytearray) -> bytes | None:
        """The next piece of the body, taken out of `buffer`; `b""` after the last, `None` where more has to come.

        Raises `RemoteProtocolError`: 400, or 431 for a trailer section beyond its limit.
        """
        while self._state != _END:
            if self._state == _DATA:
                if not buffer:
                    return None
                data = bytes(buffer[: self._left])
                del buffer[: self._left]
                self._left -= len(data)
                if not self._left:
                    self._state = _DATA_END
                return data
            if self._state == _DATA_END:
                if not _take(buffer, b"\r\n"):
                    return None
                self._state = _SIZE
            elif self._state == _SIZE:
                if not self._read_size(buffer):
                    return None
            elif not self._read_trailer(buffer):
                return None
        return b""

    def _read_size(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\n", 0, _LONGEST_LINE)
        if end < 0:
            if len(buffer) >= _LONGEST_LINE:
                raise RemoteProtocolError(f"the size of a chunk is followed by more than {_LONGEST_LINE} bytes")
            if buffer and re.match(rb"[0-9A-Fa-f]", buffer) is None:
                raise RemoteProtocolError(_NO_SIZE)
            return False
        line = bytes(buffer[: end + 1])
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(_NO_SIZE)
        del buffer[: end + 1]
        self._overhead += max(0, len(line) - _FREE_OVERHEAD)
        if self._overhead > _MOST_OVERHEAD:
            raise RemoteProtocolError(f"the extensions of the chunks have more than {_MOST_OVERHEAD} bytes")
        self._left = int(match[1], 16)
        self._state = _DATA if self._left else _TRAILERS
        return True

    def _read_trailer(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\n")
        if (len(buffer) if end < 0 else end + 1) > self._trailer_left:
            raise RemoteProtocolError("the trailer section of the request is larger than the head may be", 431)
        if end < 0:
            return False
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        self._trailer_left -= len(line)
        if line == b"\r\n":
            self._state = _END
            return True
        if _TRAILER.fullmatch(line) is None:
            raise RemoteProtocolError(f"this is no field of a trailer section: {line[:64]!r}")
        return True


def _take(buffer: bytearray, wanted: bytes) -> bool:
    """Take `wanted` off the front, if it has come. Raises `RemoteProtocolError` for anything else."""
    if not wanted.startswith(buffer[: len(wanted)]):
        raise RemoteProtocolError("the data of a chunk is not followed by CR LF")
    if len(buffer) < len(wanted):
        return False
    del buffer[: len(wanted)]
    return True
