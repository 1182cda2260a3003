"""What the machine waits for. A driver reads `machine.need` after every answer: what it knew before may be stale."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Final, Generic, Protocol, TypeAlias, TypeVar, final

from heaven_core._record import Record
from heaven_core.protocol.frozen_event import as_it_is
from heaven_core.protocol.outcome import Outcome

__all__ = [
    "BinaryFile",
    "CloseFile",
    "CloseStream",
    "Deliver",
    "Entry",
    "FileInfo",
    "Finished",
    "ListDirectory",
    "MakePage",
    "Need",
    "NextItem",
    "OpenFile",
    "PageMaker",
    "UseFile",
]


class BinaryFile(Protocol):
    """What `open(path, "rb")`, `BytesIO`, `TemporaryFile` and their like give: bytes, from any place in them."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes from the position on; none at the end."""
        ...

    def seek(self, offset: int, whence: int, /) -> int:
        """Go to another position of the file, and say where that is."""
        ...

    def close(self) -> object:
        """Close the file."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """The file's lines. Nobody asks for them, but with this a file is one of the things that can be streamed."""
        ...


@final
class Entry(Record):
    """A name in a directory: a file of `size` bytes, or, without one, a directory. `mtime_ns` as in `FileInfo`."""

    __slots__ = ("name", "size", "mtime_ns")
    __match_args__ = ("name", "size", "mtime_ns")

    def __init__(self, name: str, size: int | None, mtime_ns: int) -> None:
        self.name: Final = name
        self.size: Final = size
        self.mtime_ns: Final = mtime_ns


S = TypeVar("S")


@final
class FileInfo(Record):
    """What `fstat` said of the open descriptor: `size` in bytes, `mtime_ns` in nanoseconds since the epoch.

    `mtime_ns` is `None` for what has no such time: a file in memory. `inode` and `ctime_ns` tell one file from another
    where the time of modification says nothing, as that of a reproducible build; 0 where nobody knows them.
    """

    __slots__ = ("size", "mtime_ns", "inode", "ctime_ns")
    __match_args__ = ("size", "mtime_ns", "inode", "ctime_ns")

    def __init__(self, size: int, mtime_ns: int | None, inode: int = 0, ctime_ns: int = 0) -> None:
        self.size: Final = size
        self.mtime_ns: Final = mtime_ns
        self.inode: Final = inode
        self.ctime_ns: Final = ctime_ns


@final
class OpenFile(Record):
    """Open `path` (below `within`, if that is given) and answer `opened(info)` or `open_failed(error)`."""

    __slots__ = ("path", "within")
    __match_args__ = ("path", "within")

    def __init__(self, path: str, within: str | None = None) -> None:
        self.path: Final = path
        self.within: Final = within


@final
class UseFile(Record):
    """Find out about `file`, which the application has opened: answer `opened(info)` or `open_failed(error)`.

    `CloseFile` then only ends its use: the file itself is closed by a `CloseStream` that follows.
    """

    __slots__ = ("file",)
    __match_args__ = ("file",)

    def __init__(self, file: BinaryFile) -> None:
        self.file: Final = file


@final
class ListDirectory(Record):
    """Read the names in the directory `path` below `within`, or, if that is empty, in `within` itself.

    Answer `listed(page(entries))` or `open_failed(error)`. There may be many: `page` makes its text where they are
    read, in a thread where the driver has one.
    """

    __slots__ = ("path", "within", "page")
    __match_args__ = ("path", "within", "page")

    def __init__(self, path: str, within: str, page: Callable[[Iterable[Entry]], str]) -> None:
        self.path: Final = path
        self.within: Final = within
        self.page: Final = page


@final
class NextItem(Record, Generic[S]):
    """Take the next item of `stream`: answer `produced(item)`, `exhausted()` or `stream_failed(error)`.

    When `timeout` seconds have gone by meanwhile, say `elapsed()` and leave the step alone: the same item is still
    awaited. `None` means no limit.

    At the shutdown of the server an `endless` stream, which is one of events, may be ended wherever it waits: stop the
    step and answer `interrupted()`. Any other stream has an end of its own, and is stopped only when time is up.

    A driver that takes steps ahead of time calls `freeze` in each of them, and answers by what that gives: the item as
    it is now, whatever the iterable does to it in its next step. It raises for an item that can't be sent.
    """

    __slots__ = ("stream", "timeout", "endless", "freeze")
    __match_args__ = ("stream", "timeout", "endless", "freeze")

    def __init__(
        self,
        stream: S,
        timeout: float | None,
        endless: bool = False,
        freeze: Callable[[object], object] = as_it_is,
    ) -> None:
        self.stream: Final = stream
        self.timeout: Final = timeout
        self.endless: Final = endless
        self.freeze: Final = freeze


PageMaker: TypeAlias = Callable[[], Coroutine[object, object, None]]


@final
class MakePage(Record):
    """Await `make()`, which runs the application's own page for what has gone wrong, and answer `page_made()`.

    Where the client goes meanwhile, or the request is cancelled, say so and answer all the same. What it raises is no
    `Exception`: a cancellation, an exit.
    """

    __slots__ = ("make",)
    __match_args__ = ("make",)

    def __init__(self, make: PageMaker) -> None:
        self.make: Final = make


@final
class Deliver(Record):
    """Answer `delivered(sent)` once what was handed out has been performed. `sent`: bytes of the `FileRange` in it."""

    __slots__ = ()
    __match_args__ = ()


@final
class CloseStream(Record, Generic[S]):
    """Close `stream`, never started or not, and answer `closed(error)`: what closing raised, if it did."""

    __slots__ = ("stream",)
    __match_args__ = ("stream",)

    def __init__(self, stream: S) -> None:
        self.stream: Final = stream


@final
class CloseFile(Record):
    """Close the file that was opened last, of two the second, and answer `closed(error)`."""

    __slots__ = ()
    __match_args__ = ()


@final
class Finished(Record):
    """Nothing is left to do; `outcome` says how it went."""

    __slots__ = ("outcome",)
    __match_args__ = ("outcome",)

    def __init__(self, outcome: Outcome) -> None:
        self.outcome: Final = outcome


Need: TypeAlias = (
    OpenFile | UseFile | ListDirectory | NextItem[S] | MakePage | Deliver | CloseStream[S] | CloseFile | Finished
)
