"""A disk in memory, whose files a test makes, breaks and shrinks."""

from __future__ import annotations

from errno import ENOENT
from typing import Final, final

from heaven_core.needs import FileInfo, OpenFile

__all__ = ["Disk", "OpenedFile"]


@final
class OpenedFile:
    """An open file, counted by its disk until it is closed. Reads what the file holds at that moment."""

    __slots__ = ("_disk", "_path", "info")

    def __init__(self, disk: Disk, path: str, info: FileInfo) -> None:
        self._disk: Final = disk
        self._path: Final = path
        self.info: Final = info

    def read(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset` on; fewer where the file has shrunk."""
        return self._disk.files[self._path][offset : offset + count]

    def close(self) -> None:
        """Raises `ValueError` if it is closed already."""
        self._disk.open_files.remove(self)


@final
class Disk:
    """`files` maps paths to contents; all have the modification time `mtime`, in seconds since the epoch.

    `errors` maps paths to what opening them raises. `open_files` are those that nobody has closed.
    """

    __slots__ = ("errors", "files", "mtime", "open_files")

    def __init__(self, files: dict[str, bytes] | None = None, mtime: float = 999_000_000.0) -> None:
        self.files: Final[dict[str, bytes]] = dict(files or {})
        self.errors: Final[dict[str, OSError]] = {}
        self.open_files: Final[list[OpenedFile]] = []
        self.mtime = mtime

    def open(self, need: OpenFile) -> OpenedFile:
        """Raises `OSError` as a real disk would; a path that leaves its `within` is not there."""
        path = need.path
        if need.within is not None:
            if path.startswith("/") or ".." in path.split("/"):
                raise FileNotFoundError(ENOENT, "outside of within=", path)
            path = f"{need.within.rstrip('/')}/{path}"
        if path in self.errors:
            raise self.errors[path]
        if path not in self.files:
            raise FileNotFoundError(ENOENT, "no such file on the test's disk", path)
        opened = OpenedFile(self, path, FileInfo(len(self.files[path]), int(self.mtime * 1_000_000_000)))
        self.open_files.append(opened)
        return opened
