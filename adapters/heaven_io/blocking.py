"""Files to be read where a call may block: in worker threads, and in drivers that have a thread for each request."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EBADF
from io import BufferedRandom, BufferedReader, FileIO, UnsupportedOperation
from stat import S_ISREG
from threading import Lock
from typing import Final, Protocol, final

from heaven_core.protocol.needs import BinaryFile, FileInfo, OpenFile, UseFile
from heaven_io.opening import OpenedFile, info_of, open_file

__all__ = ["BlockingFile", "HeldReader", "duplicate", "open_blocking"]


class BlockingFile(Protocol):
    """A file that the machine was told to be open."""

    @property
    def info(self) -> FileInfo:
        """The file's size, and when it was changed."""
        ...

    def read_at(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset` on, and at least one; none only at the end."""
        ...

    def fileno(self) -> int:
        """The descriptor, for calls that take one. Raises `io.UnsupportedOperation`, an `OSError`, if there is none."""
        ...

    def close(self) -> None:
        """Close the file; one of the application's own is only read no more."""
        ...


def open_blocking(need: OpenFile | UseFile) -> BlockingFile:
    """Open what the machine needs.

    Raises:
        OSError: as `heaven_io.opening.open_file` does.
        Exception: what an open file of the application's own raises when its size is asked for.

    """
    if type(need) is OpenFile:
        return _Descriptor(open_file(need.path, need.within))
    opened = duplicate(need.file)
    return HeldReader(need.file) if opened is None else _Descriptor(opened)


def duplicate(file: BinaryFile) -> OpenedFile | None:
    """A descriptor of our own of a regular file that the application has opened; `None` for anything else.

    The file may be read at any place then, and its position is nobody's business.
    """
    raw = file.raw if type(file) is BufferedReader or type(file) is BufferedRandom else file
    if type(raw) is not FileIO:
        return None  # a file inside an archive, too, has a descriptor: that of the archive
    flush: Callable[[], object] | None = getattr(file, "flush", None)
    try:
        if flush is not None:
            flush()  # what was written to a temporary file may not have got that far
        fd = raw.fileno()
    except ValueError as error:
        raise OSError(EBADF, "an open file was closed before it could be sent") from error
    info = os.fstat(fd)
    return OpenedFile(os.dup(fd), info_of(info)) if S_ISREG(info.st_mode) else None


@final
class HeldReader:
    """A reader of any open file. The position is one for all who read, so they do so in turn."""

    __slots__ = ("_file", "_lock", "info")

    def __init__(self, file: BinaryFile) -> None:
        self._file: Final = file
        self._lock: Final = Lock()
        self.info: Final = FileInfo(_size_of(file), None)

    def read_at(self, offset: int, count: int) -> bytes:
        """See `BlockingFile`."""
        with self._lock:
            self._file.seek(offset, os.SEEK_SET)
            data = self._file.read(count)
        if len(data) > count:
            raise ValueError(f"an open file gave {len(data)} bytes when it was asked for {count}: {self._file!r}")
        return data

    def fileno(self) -> int:
        """See `BlockingFile`: what the application has opened may be anything."""
        raise UnsupportedOperation("this open file has no descriptor of a regular file")

    def close(self) -> None:
        """Wait until no read is running that a cancelled owner has left behind."""
        with self._lock:
            pass


def _size_of(file: BinaryFile) -> int:
    place = _place(file.seek(0, os.SEEK_END))
    if place is None:  # some say nothing when they seek, and mean that tell() does
        tell: Callable[[], object] | None = getattr(file, "tell", None)
        place = None if tell is None else _place(tell())
    if place is None:
        raise TypeError(f"the size of an open file is what its seek() or tell() says at the end: {file!r}")
    return place


def _place(said: object) -> int | None:
    return said if isinstance(said, int) and said >= 0 else None


@final
class _Descriptor:
    __slots__ = ("_fd", "info")

    def __init__(self, opened: OpenedFile) -> None:
        self._fd: Final = opened.fd
        self.info: Final = opened.info

    def read_at(self, offset: int, count: int) -> bytes:
        return os.pread(self._fd, count, offset)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)
