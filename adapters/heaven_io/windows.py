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

__all__ = ["Window"]

# Not every platform has the flag, and 0 would mean to wait.
_NOWAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)


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
