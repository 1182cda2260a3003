"""The real disk as one that a driver opens files of: for `heaven_core.testing`, and for drivers that may block."""

from __future__ import annotations

from typing import final

from heaven_core.protocol.needs import Entry, ListDirectory, OpenFile, UseFile
from heaven_io.blocking import BlockingFile, open_blocking
from heaven_io.listing import list_directory

__all__ = ["RealDisk"]


@final
class RealDisk:
    """A `heaven_core.machine.loop.Disk`: what is opened below `within` is confined to it."""

    __slots__ = ()

    def open(self, need: OpenFile | UseFile) -> BlockingFile:
        """See `heaven_io.blocking.open_blocking`."""
        return open_blocking(need)

    def entries(self, need: ListDirectory) -> list[Entry]:
        """See `heaven_io.listing.list_directory`."""
        return list_directory(need.path, need.within)
