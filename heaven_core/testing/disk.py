"""The disk of a test: in memory, where it makes, breaks and shrinks files, and above the real one where it wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from errno import EISDIR, ENOENT
from typing import Final, Protocol, final

from heaven_core.protocol.needs import BinaryFile, Entry, FileInfo, ListDirectory, OpenFile, UseFile

__all__ = ["Disk", "OpenedFile", "OtherDisk", "OtherFile"]

_FROM_THE_END: Final = 2


class OtherFile(Protocol):
    """An open file of another disk."""

    @property
    def info(self) -> FileInfo:
        """The file's size, and when it was changed."""
        ...

    def read_at(self, offset: int, count: int, /) -> bytes:
        """At most `count` bytes from `offset` on; none only at the end."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class OtherDisk(Protocol):
    """A disk below that of a test: `heaven_io.real_disk.RealDisk`, or one of the test's own."""

    def open(self, need: OpenFile, /) -> OtherFile:
        """Open a file. Raises `OSError`."""
        ...

    def entries(self, need: ListDirectory, /) -> Iterable[Entry]:
        """The entries of a directory. Raises `OSError`."""
        ...


@final
class OpenedFile:
    """An open file, counted by its disk until it is closed. Reads what the file holds at that moment."""

    __slots__ = ("_close", "_disk", "_read", "info")

    def __init__(
        self, disk: Disk, read: Callable[[int, int], bytes], info: FileInfo, close: Callable[[], None] | None = None
    ) -> None:
        self._disk: Final = disk
        self._read: Final = read
        self._close: Final = close
        self.info: Final = info

    def read(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset` on; fewer where the file has shrunk."""
        return self._read(offset, count)

    def close(self) -> None:
        """Close the file. Raises `ValueError` if it is closed already."""
        self._disk.open_files.remove(self)
        if self._close is not None:
            self._close()


@final
class Disk:
    """`files` maps paths to contents; all have the modification time `mtime`, in seconds since the epoch.

    `mtimes` maps paths to other times, `errors` to what opening them raises. `open_files` are those that nobody has
    closed. A directory is what the path of a file has before a slash.

    What has no place in `files` and `errors` is looked for on the disk `below`, if there is one. Of a directory with
    some of `files` in it, these alone are listed.
    """

    __slots__ = ("_below", "errors", "files", "mtime", "mtimes", "open_files")

    def __init__(
        self,
        files: dict[str, bytes] | None = None,
        mtime: float = 999_000_000.0,
        *,
        below: OtherDisk | None = None,
    ) -> None:
        self.files: Final[dict[str, bytes]] = dict(files or {})
        self.errors: Final[dict[str, OSError]] = {}
        self.mtimes: Final[dict[str, float]] = {}
        self.open_files: Final[list[OpenedFile]] = []
        self.mtime: float = mtime
        self._below: Final = below

    @staticmethod
    def real(files: dict[str, bytes] | None = None) -> Disk:
        """The real disk, with `files` in front of it. Symlinks and `within=` are what they are in production."""
        # The core opens nothing, and confining is done in one place only, in heaven_io. So this is the one line of the
        # core that knows of a room above: it runs where a test asks for that, and tests/project holds that it is alone.
        from heaven_io.real_disk import RealDisk  # noqa: PLC0415

        return Disk(files, below=RealDisk())

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
            if path in self.files:
                opened = OpenedFile(self, self._reader_at(path), FileInfo(len(self.files[path]), self._mtime_ns(path)))
            elif self._below is not None:
                file = self._below.open(need)
                opened = OpenedFile(self, file.read_at, file.info, file.close)
            else:
                raise FileNotFoundError(ENOENT, "no such file on the test's disk", path)
        self.open_files.append(opened)
        return opened

    def entries(self, need: ListDirectory) -> list[Entry]:
        """The entries of a directory. Raises `OSError` as a real disk would."""
        path = _inside(need.path, need.within)
        if path in self.errors:
            raise self.errors[path]
        names = self._names_in(path)
        if not names and self._below is not None:
            return list(self._below.entries(need))
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
    if path and any(segment in ("", ".", "..") for segment in path.removesuffix("/").split("/")):
        raise FileNotFoundError(ENOENT, "outside of within=", path)
    return f"{within.rstrip('/')}/{path}"


def _reader_of(file: BinaryFile) -> Callable[[int, int], bytes]:
    def read(offset: int, count: int) -> bytes:
        file.seek(offset, 0)
        return file.read(count)

    return read
