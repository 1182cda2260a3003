"""Reading files without blocking the event loop: from the page cache, else aiofiles on asyncio, threads on trio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol, final

import aiofiles
import anyio
from anyio.lowlevel import checkpoint

from heaven_core.protocol.needs import FileInfo
from heaven_io.detached import Job, begin
from heaven_io.in_threads import work_on_file
from heaven_io.opening import OpenedFile
from heaven_io.threads import FILES
from heaven_io.windows import Window

__all__ = ["READ_SIZE", "ReadableFile", "open_async"]

# Bytes to read at a time. What is not in memory costs the way to a thread and back, some 80 µs, whatever its size, so
# that larger reads alone go faster (benchmarks/read_size.py). But a server keeps what it could not send yet beside what
# it is given next: 16 downloads to slow clients take 11 MiB at 256 KiB, 6.6 at 128 and 3.6 at 64. Through uvicorn
# (benchmarks/downloads.py) 128 KiB is no slower than 256, and others wait less; 64 KiB loses 38 % on asyncio.
READ_SIZE: Final = 128 * 1024


class ReadableFile(Protocol):
    """A regular file, open for reading."""

    @property
    def fd(self) -> int | None:
        """The descriptor, for calls that take one, if there is one. It is valid until `close`."""
        ...

    @property
    def info(self) -> FileInfo:
        """Size and modification time of the open file."""
        ...

    async def read_at(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset` on, and at least one; none only at the end of the file."""
        ...

    async def close(self) -> None:
        """Close the descriptor, once, when no read is running any more; also if this is cancelled."""
        ...


async def open_async(opening: Callable[[], OpenedFile]) -> ReadableFile:
    """Call `opening` in a thread; what it has opened, to be read.

    It runs to its end also when this is cancelled; a file that was opened too late is closed.

    Raises:
        OSError: as `opening` does.

    """
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return await _opened(begin(partial(_open_on_asyncio, opening), "opening a file"))
    return await _opened(begin(partial(_open_in_thread, opening), "opening a file"))


async def _opened(job: Job[ReadableFile | OSError]) -> ReadableFile:
    try:
        file = await job.result()
    except anyio.get_cancelled_exc_class():
        job.abandon(_close_late)
        raise
    if isinstance(file, OSError):
        raise file
    return file


async def _close_late(file: ReadableFile | OSError) -> None:
    if not isinstance(file, OSError):
        await file.close()


async def _open_on_asyncio(opening: Callable[[], OpenedFile]) -> ReadableFile | OSError:
    opened: list[OpenedFile] = []

    def opener(_: str, __: int) -> int:
        opened.append(opening())
        return opened[0].fd

    try:
        # The name is only for its repr: a path with a NUL would be refused before our own opener sees it.
        file = await aiofiles.open("file", "rb", buffering=0, opener=opener, executor=FILES)
    except OSError as error:
        return error
    return _File(opened[0], file.close)


async def _open_in_thread(opening: Callable[[], OpenedFile]) -> ReadableFile | OSError:
    try:
        opened = await work_on_file(opening)
    except OSError as error:
        return error
    return _File(opened, lambda: work_on_file(os.close, opened.fd))


@final
class _File:
    __slots__ = ("_close_file", "_closed", "_lock", "_window", "fd", "info")

    def __init__(self, opened: OpenedFile, close: Callable[[], Awaitable[None]]) -> None:
        self._close_file: Final = close
        # Reads and the closing are jobs, which outlive their owner: this keeps a descriptor from being closed, and
        # its number from being given to another file, under a read that a cancelled owner has left behind.
        self._lock: Final = anyio.Lock(fast_acquire=True)
        self._closed = False
        self._window: Final = Window(opened.fd)
        self.fd: Final[int] = opened.fd
        self.info: Final = opened.info

    async def read_at(self, offset: int, count: int) -> bytes:
        data = self._window.read(offset, count)
        if data is None:
            return await begin(partial(self._read, offset, count), "reading a file").result()
        await checkpoint()  # whoever sends what is in memory to a server with room for it would suspend nowhere else
        return data

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._window.close()
            await begin(self._close, "closing a file").result()

    async def _read(self, offset: int, count: int) -> bytes:
        # Not aiofiles' seek() and read(): a file that the application has opened shares its position with ours.
        async with self._lock:
            return await work_on_file(os.pread, self.fd, count, offset)

    async def _close(self) -> None:
        async with self._lock:
            await self._close_file()
