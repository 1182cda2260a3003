"""Bodies that are fetched while they are sent: a file to be opened, one that is open, an iterable to be pulled."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from datetime import datetime
from os import PathLike
from typing import Final, Self, TypeAlias, TypeGuard, final

from heaven_core._checks import check_str, exact
from heaven_core.http.content_disposition import content_disposition
from heaven_core.http.headers import check_text
from heaven_core.http.media_types import content_type as content_type_of
from heaven_core.http.validators import make_etag, make_last_modified
from heaven_core.protocol.needs import BinaryFile, Entry

__all__ = [
    "AnyIterable",
    "DirectorySource",
    "FileSource",
    "HeldFile",
    "InOneThread",
    "StreamSource",
    "check_binary_file",
    "held_by",
    "is_binary_file",
    "is_same",
    "name_of",
    "only_once",
    "path_text",
]


@final
class HeldFile:
    """An open file that is, or was, the body of a response: an iterator without items, which closes it."""

    __slots__ = ("file",)

    def __init__(self, file: BinaryFile) -> None:
        self.file: Final = file

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> bytes:
        """Raises `StopIteration`: a file is read at the places that the machine names."""
        raise StopIteration

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def is_binary_file(value: object) -> TypeGuard[BinaryFile]:
    """Whether `value` looks like an open file. What it holds, bytes or text, is for `check_binary_file` to find out."""
    return all(callable(getattr(value, name, None)) for name in ("read", "seek", "close", "__iter__"))


def check_binary_file(file: BinaryFile) -> BinaryFile:
    """`file` if it can be read at any place. Raises `TypeError` for a text file, `ValueError` for one that can't."""
    if hasattr(file, "encoding"):
        raise TypeError(f'res.file() takes a file that was opened in binary mode, as by open(path, "rb"): {file!r}')
    if getattr(file, "closed", False):
        raise ValueError(f"the file is closed already: {file!r}")
    for able in ("readable", "seekable"):
        question: object = getattr(file, able, None)
        if callable(question) and not question():
            hint = "; res.stream() takes what can only be read in order" if able == "seekable" else ""
            raise ValueError(f"the file is not {able}: {file!r}{hint}")
    return file


def name_of(file: BinaryFile) -> str:
    """The name that `file` was opened by, "" if it has none; of a descriptor that was opened the name is a number."""
    name: object = getattr(file, "name", None)
    return name if isinstance(name, str) else ""


AnyIterable: TypeAlias = AsyncIterable[object] | Iterable[object]


@final
class FileSource:
    """What `res.file` was asked for, checked: nothing has been opened yet. Raises `TypeError`, `ValueError`.

    The file is at `path`, or is open already: then it is `held`. `etag` and `last_modified` (seconds since the epoch)
    are those that were given, `version` goes into a tag that was not; `cache_control` goes on 200, 206 and 304 only.
    Where there is no such file, the client is sent to `directory_location` if it is a directory; else `otherwise` takes
    its place.
    """

    __slots__ = (
        "cache_control", "content_encoding", "content_type", "directory_location", "disposition", "etag", "held",
        "last_modified", "otherwise", "path", "precompressed", "version", "within",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  # what `res.file` takes, and `app.files` besides
        self,
        file: object,
        filename: str | None = None,
        *,
        within: object = None,
        name: str | None = None,
        content_type: str | None = None,
        charset: str | None = "utf-8",
        content_encoding: str | None = None,
        precompressed: bool = False,
        etag: str | None = None,
        last_modified: datetime | float | None = None,
        version: str | None = None,
        cache_control: bytes | None = None,
        directory_location: bytes | None = None,
        otherwise: FileSource | DirectorySource | None = None,
    ) -> None:
        held = None if isinstance(file, str) or _is_path(file) or not is_binary_file(file) else check_binary_file(file)
        self.path: Final = path_text(file, "the path of a file") if held is None else ""
        if held is not None:
            _check_held(within, precompressed)
        known_as = self.path if held is None else name_of(held) or filename or ""
        if precompressed and content_encoding is not None:
            raise ValueError("precompressed=True finds out the content_encoding: leave out one of them")
        self.held: Final = None if held is None else HeldFile(held)
        self.within: Final = None if within is None else path_text(within, "within= of a file")
        if content_type is None:
            known_as = known_as if name is None else check_str("name=", name)
            content_type = content_type_of(known_as.rpartition("/")[2], charset)
        self.content_type: Final = check_text("Content-Type", content_type)
        self.content_encoding: Final = (
            None if content_encoding is None else check_text("Content-Encoding", content_encoding)
        )
        self.precompressed: Final = bool(precompressed)
        self.etag: Final = None if etag is None else make_etag(etag).encode("ascii")
        self.last_modified: Final = None if last_modified is None else make_last_modified(last_modified)
        self.version: Final = None if version is None else check_str("version=", version)
        self.disposition: Final = None if filename is None else content_disposition(filename).encode("ascii")
        self.cache_control: Final = cache_control
        self.directory_location: Final = directory_location
        self.otherwise: Final = otherwise


@final
class DirectorySource:
    """A directory whose entries are to be listed: `page` makes the text of the page of them."""

    __slots__ = ("otherwise", "page", "path", "within")

    def __init__(
        self, path: str, within: str, page: Callable[[Iterable[Entry]], str], otherwise: FileSource | None
    ) -> None:
        self.path: Final = path
        self.within: Final = within
        self.page: Final = page
        self.otherwise: Final = otherwise


@final
class InOneThread:
    """A sync iterable whose steps have to be taken in one thread, its own: a cursor of sqlite3 asks for that.

    A driver that knows no threads takes it as it is.
    """

    __slots__ = ("iterable",)

    def __init__(self, iterable: Iterable[object]) -> None:
        self.iterable: Final = iterable

    def __iter__(self) -> Iterator[object]:
        """An iterator of the iterable that is in it."""
        return iter(self.iterable)

    def close(self) -> None:
        """Close the iterable that is in it, if it can be closed."""
        close: Callable[[], object] | None = getattr(self.iterable, "close", None)
        if close is not None:
            close()


@final
class StreamSource:
    """What `res.stream` was asked for. `length` is the promised number of bytes; times are in seconds.

    `at_shutdown` is the last event, for when the server shuts down; `None` where there is none.
    """

    __slots__ = ("at_shutdown", "content_type", "head_timeout", "heartbeat", "iterable", "length", "sse")

    def __init__(
        self,
        iterable: AnyIterable,
        content_type: bytes,
        length: int | None,
        sse: bool,
        heartbeat: float | None,
        head_timeout: float | None,
        *,
        thread: str = "any",
        at_shutdown: object = None,
    ) -> None:
        _check_iterable(iterable)
        self.iterable: Final[AnyIterable] = iterable if thread == "any" else _in_one_thread(iterable, thread)
        self.content_type: Final = content_type
        self.length: Final = _length(length)
        self.sse: Final = sse
        self.at_shutdown: Final = at_shutdown
        self.heartbeat: Final = _seconds("heartbeat", heartbeat)
        self.head_timeout: Final = _seconds("head_timeout", head_timeout)


def held_by(source: FileSource | StreamSource) -> AnyIterable | None:
    """What has to be closed once `source` is done with; nothing of a path that has not been opened."""
    return source.iterable if type(source) is StreamSource else source.held


def only_once(iterable: AnyIterable) -> object | None:
    """What one response alone can send: an iterator, which is used up by it, or an open file, which it closes.

    Only what can be known again without being kept alive, as generators and files can.
    """
    inner: object = iterable
    if type(iterable) is HeldFile:
        inner = iterable.file
    elif type(iterable) is InOneThread:
        inner = iterable.iterable
    if type(inner).__weakrefoffset__ == 0:
        return None
    is_once = type(iterable) is HeldFile or hasattr(inner, "__next__") or hasattr(inner, "__anext__")
    return inner if is_once else None


def is_same(one: AnyIterable, other: AnyIterable) -> bool:
    """Whether closing the one closes the other."""
    return _closed_by(one) is _closed_by(other)


def _closed_by(held: AnyIterable) -> object:
    if type(held) is HeldFile:
        return held.file
    return held.iterable if type(held) is InOneThread else held


def _in_one_thread(iterable: AnyIterable, thread: str) -> InOneThread:
    if thread != "own":
        raise ValueError(f'thread= must be "any" or "own", not {thread!r}')
    if isinstance(iterable, AsyncIterable):
        raise ValueError('thread="own" is for sync iterables: an async one runs in the task of its request')
    return InOneThread(iterable)


def _check_held(within: object, precompressed: bool) -> None:
    if within is not None:
        raise ValueError("within= is where a path is looked for, and this file is open already: leave it out")
    if precompressed:
        raise ValueError("precompressed=True looks for siblings of a path, and this file is open already: leave it out")


def path_text(path: object, what: str) -> str:
    """A path as text. Raises `TypeError`, which calls it `what`, if it is none."""
    if isinstance(path, str):
        return exact(path)
    if not _is_path(path):
        or_open = ", or an open binary file" if what == "the path of a file" else ""
        raise TypeError(f"{what} must be str or PathLike{or_open}, not {type(path).__name__}: {path!r}")
    return _text(path.__fspath__(), what)


def _text(path: object, what: str) -> str:
    if not isinstance(path, str):
        raise TypeError(f"{what} must be text, not {type(path).__name__}: {path!r}; see os.fsdecode()")
    return exact(path)


def _is_path(value: object) -> TypeGuard[PathLike[str]]:
    return isinstance(value, PathLike)


def _check_iterable(source: object) -> None:
    name = type(source).__name__
    if isinstance(source, (str, bytes, bytearray, memoryview, dict)):
        raise TypeError(f"res.stream() takes an iterable of parts, not {name}; set res.body to that")
    if not isinstance(source, (AsyncIterable, Iterable)):
        hint = ": call the function, and give what it yields" if callable(source) else ""
        raise TypeError(f"res.stream() takes an async or sync iterable, not {name}{hint}")


def _length(length: object) -> int | None:
    if length is None:
        return None
    if not isinstance(length, int) or isinstance(length, bool):
        raise TypeError(f"length= must be a number of bytes, not {type(length).__name__}: {length!r}")
    if length < 0:
        raise ValueError(f"length= must be 0 or more bytes: {length}")
    return length


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name}= must be a number of seconds or None, not {type(value).__name__}: {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}= must be more than 0 seconds; None switches it off: {value!r}")
    return float(value)
