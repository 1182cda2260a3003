"""Sending files without copying them through Python, where the server offers one of ASGI's two extensions for that.

- `http.response.pathsend` takes a path and sends the whole file. A path could lead to another file by then, so it gets
  that of an open descriptor. The server may open it after `send` has returned, and says `http.disconnect` when it is
  done with the application. granian says so before it has opened the path in one of some 500 responses, which then are
  its own 404; a hundredth of a second later in none of 6,000. So the descriptor lingers.
- `http.response.zerocopysend` takes a file object, and a part of it.

Neither says how much has left. Afterwards the size of the file is looked at: if it is smaller now, less was there to be
sent than the head has announced.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from io import FileIO
from typing import Final, final

import anyio

from heaven_asgi.types import Message, Scope
from heaven_io.detached import begin

__all__ = ["LINGER", "MOST_LINGERING", "PathOfDescriptor", "extensions_of", "left_of", "path_of", "zero_copy_message"]

PATHSEND: Final = "http.response.pathsend"
ZEROCOPYSEND: Final = "http.response.zerocopysend"

# Seconds that a descriptor stays open for a server that is late, and how many do so at once; then files are read.
LINGER: Final = 1.0
MOST_LINGERING: Final = 128


def extensions_of(scope: Scope) -> Collection[str]:
    """The ones of the two that the server offers; as most offer none, this costs next to nothing."""
    offered: Mapping[str, object] | None = scope.get("extensions")
    return [name for name in (PATHSEND, ZEROCOPYSEND) if name in offered] if offered else ()


@final
class PathOfDescriptor:
    """A descriptor of its own, and the path by which the server can open the same file."""

    # Those of all event loops of the process.
    _open: Final[set[int]] = set()

    __slots__ = ("_fd", "path")

    def __init__(self, fd: int) -> None:
        self._fd: Final = os.dup(fd)
        # By our own number: "self" would be another process if the server had one for files.
        self.path: Final = f"/proc/{os.getpid()}/fd/{self._fd}"
        self._open.add(self._fd)

    @classmethod
    def has_room(cls) -> bool:
        """Whether one more descriptor may linger."""
        return len(cls._open) < MOST_LINGERING

    @property
    def message(self) -> Message:
        """The message that makes the server send the file, and end the response."""
        return {"type": PATHSEND, "path": self.path}

    def close_later(self) -> None:
        """Close the descriptor when no server can be so late any more."""
        begin(self._linger, "closing a file that was sent by its path")

    async def _linger(self) -> None:
        try:
            await anyio.sleep(LINGER)
        finally:  # also where the event loop ends
            self.close()

    def close(self) -> None:
        """Close the descriptor."""
        self._open.discard(self._fd)
        os.close(self._fd)


def path_of(extensions: Collection[str], fd: int) -> PathOfDescriptor | None:
    """A path that the server can open, `None` where it takes no paths or can't open this one: /proc is Linux's."""
    if PATHSEND not in extensions or not PathOfDescriptor.has_room():
        return None
    try:
        path = PathOfDescriptor(fd)
    except OSError:
        return None  # no descriptor is left: the file is open, and can be read
    if os.access(path.path, os.R_OK):
        return path
    path.close()
    return None


def zero_copy_message(extensions: Collection[str], fd: int, offset: int, count: int) -> Message | None:
    """The message that makes the server send `count` bytes from `offset` on, `None` where it takes no descriptors."""
    if ZEROCOPYSEND not in extensions:
        return None
    file = FileIO(fd, closefd=False)
    return {"type": ZEROCOPYSEND, "file": file, "offset": offset, "count": count, "more_body": True}


def left_of(fd: int, offset: int, count: int) -> int:
    """How many of the `count` bytes from `offset` on the file has now."""
    return max(0, min(count, os.fstat(fd).st_size - offset))
