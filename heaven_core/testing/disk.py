"""A disk in memory, whose files a test makes, breaks and shrinks."""

from __future__ import annotations

from collections.abc import Callable
from errno import EISDIR, ENOENT
from typing import Final, final

from heaven_core.protocol.needs import BinaryFile, Entry, FileInfo, ListDirectory, OpenFile, UseFile

__all__ = ["Disk", "OpenedFile"]

_FROM_THE_END: Final = 2


@final
class OpenedFile:
    """An open file, counted by its disk until it is closed. Reads what the file holds at that moment."""

    __slots__ = ("_disk", "_read", "info")

    def __init__(self, disk: Disk, read: Callable[[int, int], bytes], info: FileInfo) -> None:
        self._disk: Final = disk
        self._read: Final = read
        self.info: Final = info

    def read(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset` on; fewer where the file has shrunk."""
        return self._read(offset, count)

    def close(self) -> None:
        """Close the file. Raises `ValueError` if it is closed already."""
        self._disk.open_files.remove(self)


@final
class Disk:
    """`files` maps paths to contents; all have the modification time `mtime`, in seconds since the epoch.

    `mtimes` maps paths to other times, `errors` to what opening them raises. `open_files` are those that nobody has
    closed. A directory is what the path of a file has before a slash.
    """

    __slots__ = ("errors", "files", "mtime", "mtimes", "open_files")

    def __init__(self, files: dict[str, bytes] | None = None, mtime: float = 999_000_000.0) -> None:
        self.files: Final[dict[str, bytes]] = dict(files or {})
        self.errors: Final[dict[str, OSError]] = {}
        self.mtimes: Final[dict[str, float]] = {}
        self.open_files: Final[list[OpenedFile]] = []
        self.mtime: float = mtime

    def open(self, need: OpenFile | UseFile) -> OpenedFile:
        """Open a file. Raises `OSError` as a real disk would; a path that leaves its `within` is not there."""
        if type(need) is UseFile:
            opened = OpenedFile(self, _reader_of(need.file), FileInfo(need.file.seek(0, _FROM_THE_END), None))
        else:
            path = _inside(need.path, need.within)
            if path in self.errors:
                raise self.errors[path]
            if self._names_in(path):
                raise IsADirectoryError(EISDIR, "a directory of the test's disk", path)
            if path not in self.files:
                raise FileNotFoundError(ENOENT, "no such file on the test's disk", path)
            opened = OpenedFile(self, self._reader_at(path), FileInfo(len(self.files[path]), self._mtime_ns(path)))
        self.open_files.append(opened)
        return opened

    def entries(self, need: ListDirectory) -> list[Entry]:
        """The entries of a directory. Raises `OSError` as a real disk would."""
        path = _inside(need.path, need.within)
        if path in self.errors:
            raise self.errors[path]
        names = self._names_in(path)
        if not names:
            raise FileNotFoundError(ENOENT, "no such directory on the test's disk", path)
        found: list[Entry] = []
        for name in sorted(names):
            full = f"{path.rstrip('/')}/{name}"
            content = self.files.get(full)
            found.append(Entry(name, None if content is None else len(content), self._mtime_ns(full)))
        return found

    def _names_in(self, path: str) -> set[str]:
        below = path.rstrip("/") + "/"
        return {other[len(below) :].partition("/")[0] for other in self.files if other.startswith(below)}

    def _mtime_ns(self, path: str) -> int:
        return int(self.mtimes.get(path, self.mtime) * 1_000_000_000)

    def _reader_at(self, path: str) -> Callable[[int, int], bytes]:
        return lambda offset, count: self.files[path][offset : offset + count]


def _inside(path: str, within: str | None) -> str:
    if within is None:
        return path
    if path.startswith("/") or ".." in path.split("/"):
        raise FileNotFoundError(ENOENT, "outside of within=", path)
    return f"{within.rstrip('/')}/{path}"


def _reader_of(file: BinaryFile) -> Callable[[int, int], bytes]:
    def read(offset: int, count: int) -> bytes:
        file.seek(offset, 0)
        return file.read(count)

    return read
