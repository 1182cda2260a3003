"""Reading what the page cache has, where the event loop is: no thread, and no waiting for the disk.

`preadv` with RWF_NOWAIT gives what is in memory, and an error where it would have to wait. The way to a thread and back
costs more than copying a window that is there. 1 GiB hot through uvicorn (benchmarks/big_file.py) goes at 0.9 to 1.0
of the speed of a bare callable that reads with `os.pread` on the loop; with a thread for each read at 0.5 to 0.7 of it.
"""

from __future__ import annotations

import os
from errno import EAGAIN
from threading import local
from typing import Final, final

__all__ = ["Window", "is_in_memory"]

# Not every platform has the flag, and 0 would mean to wait.
_NOWAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)


# Bytes that the kernel reads ahead at a time: what is in memory is so in pieces of about this size.
_AHEAD: Final = 128 * 1024


def is_in_memory(fd: int, offset: int, count: int) -> bool:
    """Whether `count` bytes of a file from `offset` on can be had without waiting for the disk, as far as can be told.

    Some bytes of them are looked at. Not where the platform or the file system can't say.
    """
    if not _NOWAIT:
        return False
    last = offset + count - 1
    probe = [bytearray(1)]
    try:
        for place in range(offset, last, _AHEAD):
            os.preadv(fd, probe, place, _NOWAIT)
        os.preadv(fd, probe, last, _NOWAIT)
    except OSError:
        return False
    return True


@final
class _Buffers(local):
    """One buffer a thread: nothing awaits between filling it and copying out of it."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray())


_buffers: Final = _Buffers()


@final
class Window:
    """Reads of one descriptor, as long as its file system can say what is in memory (tmpfs, for one, can't).

    `close` before the descriptor is closed: its number may be another file's then.
    """

    __slots__ = ("_fd", "able")

    def __init__(self, fd: int) -> None:
        self._fd: Final = fd
        self.able: bool = bool(_NOWAIT)

    def read(self, offset: int, count: int) -> bytes | None:
        """At most `count` bytes from `offset` on, and fewer also where no more of them are in memory.

        None at all at the end of the file; `None` where a thread has to read them, which says what is wrong, too.
        """
        if not self.able:
            return None
        if len(_buffers.view) < count:
            _buffers.view = memoryview(bytearray(count))
        try:
            size = os.preadv(self._fd, [_buffers.view[:count]], offset, _NOWAIT)
        except OSError as error:
            # Any other error is one of the flag (EOPNOTSUPP) or of the disk, which a plain read will say again.
            self.able = error.errno == EAGAIN
            return None
        return bytes(_buffers.view[:size])

    def close(self) -> None:
        """Read no more."""
        self.able = False
