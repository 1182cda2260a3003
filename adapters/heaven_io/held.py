"""Reading on an event loop what the application has opened itself, wherever its bytes come from."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Final, final

from anyio import get_cancelled_exc_class, move_on_after
from anyio.lowlevel import checkpoint

from heaven_core.protocol.needs import BinaryFile, FileInfo
from heaven_io.blocking import HeldReader, duplicate
from heaven_io.detached import begin
from heaven_io.files import ReadableFile, open_async
from heaven_io.in_threads import work_on_file
from heaven_io.opening import OpenedFile

__all__ = ["use_async"]

# Seconds for which a cancelled request waits for a thread that asks a file for its size.
_MEASURING_LIMIT: Final = 5.0


async def use_async(file: BinaryFile) -> ReadableFile:
    """Get ready to read `file` from its beginning, wherever its position is; closing the result leaves it open.

    A regular file is read through a descriptor of our own, without a thread while it is in memory; what is in memory
    itself is read in place; anything else, such as a file inside an archive, in threads.

    Raises:
        Exception: whatever the file does when its size is asked for.

    """
    if type(file) is BytesIO:
        return _MemoryFile(file)
    try:
        return await open_async(partial(_duplicate, file))
    except _NoRegularFile:
        pass
    measuring = begin(lambda: work_on_file(HeldReader, file), "measuring a file")
    try:
        return _ThreadedFile(await measuring.result())
    except get_cancelled_exc_class():
        with move_on_after(_MEASURING_LIMIT, shield=True), suppress(Exception):
            await measuring.result()  # or it would be closed under the thread that is seeking in it
        measuring.abandon(_drop)
        raise


async def _drop(_: HeldReader) -> None:
    """Leave a file that was measured too late to whoever has opened it."""


class _NoRegularFile(OSError):
    """Raised where there is no descriptor that could be read in the file's place."""


def _duplicate(file: BinaryFile) -> OpenedFile:
    opened = duplicate(file)
    if opened is None:
        raise _NoRegularFile
    return opened


@final
class _MemoryFile:
    __slots__ = ("_file", "fd", "info")

    def __init__(self, file: BytesIO) -> None:
        self._file: Final = file
        self.fd: Final[int | None] = None
        self.info: Final = FileInfo(file.seek(0, os.SEEK_END), None)

    async def read_at(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(count)
        await checkpoint()  # as heaven_io.files does for what is in memory
        return data

    async def close(self) -> None:
        pass


@final
class _ThreadedFile:
    __slots__ = ("_reader", "fd", "info")

    def __init__(self, reader: HeldReader) -> None:
        self._reader: Final = reader
        self.fd: Final[int | None] = None
        self.info: Final = reader.info

    async def read_at(self, offset: int, count: int) -> bytes:
        return await begin(lambda: work_on_file(self._reader.read_at, offset, count), "reading a file").result()

    async def close(self) -> None:
        await begin(lambda: work_on_file(self._reader.close), "closing a file").result()
