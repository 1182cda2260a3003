"""Bodies that are fetched while they are sent: a file to be opened, an iterable to be pulled."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from os import PathLike
from typing import Final, TypeAlias, TypeGuard, final

from heaven_core.disposition import content_disposition
from heaven_core.headers import check_value
from heaven_core.mediatypes import content_type as content_type_of
from heaven_core.validators import make_etag

__all__ = ["AnyIterable", "FileSource", "StreamSource"]

AnyIterable: TypeAlias = AsyncIterable[object] | Iterable[object]


@final
class FileSource:
    """What `res.file` was asked for, checked: nothing has been opened yet."""

    __slots__ = ("content_encoding", "content_type", "disposition", "etag", "path", "within")

    def __init__(
        self,
        path: object,
        filename: str | None,
        within: object,
        content_type: str | None,
        charset: str | None,
        content_encoding: str | None,
        etag: str | None,
    ) -> None:
        self.path: Final = _path(path, "the path")
        self.within: Final = None if within is None else _path(within, "within=")
        if content_type is None:
            content_type = content_type_of(self.path.rpartition("/")[2], charset)
        self.content_type: Final = check_value("Content-Type", content_type)
        self.content_encoding: Final = (
            None if content_encoding is None else check_value("Content-Encoding", content_encoding)
        )
        self.etag: Final = None if etag is None else make_etag(etag).encode("ascii")
        self.disposition: Final = None if filename is None else content_disposition(filename).encode("ascii")


@final
class StreamSource:
    """What `res.stream` was asked for. `length` is the promised number of bytes; times are in seconds."""

    __slots__ = ("content_type", "head_timeout", "heartbeat", "iterable", "length", "sse")

    def __init__(
        self,
        iterable: AnyIterable,
        content_type: bytes,
        length: int | None,
        sse: bool,
        heartbeat: float | None,
        head_timeout: float | None,
    ) -> None:
        _check_iterable(iterable)
        self.iterable: Final = iterable
        self.content_type: Final = content_type
        self.length: Final = _length(length)
        self.sse: Final = sse
        self.heartbeat: Final = _seconds("heartbeat", heartbeat)
        self.head_timeout: Final = _seconds("head_timeout", head_timeout)


def _path(path: object, what: str) -> str:
    if isinstance(path, str):
        return path
    if not _is_path(path):
        raise TypeError(f"{what} of a file must be str or PathLike, not {type(path).__name__}: {path!r}")
    return _text(path.__fspath__(), what)


def _is_path(value: object) -> TypeGuard[PathLike[str]]:
    return isinstance(value, PathLike)


def _text(path: object, what: str) -> str:
    if not isinstance(path, str):
        raise TypeError(f"{what} of a file must be text, not {type(path).__name__}: {path!r}; see os.fsdecode()")
    return path


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
