"""What the head says of a file, and what the client is told when there is none to send."""

from __future__ import annotations

from errno import EACCES, EILSEQ, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM
from typing import Final

from heaven_core.http.dates import format_http_date
from heaven_core.http.headers import Field
from heaven_core.http.negotiation import Coding
from heaven_core.message.bodies import FileSource
from heaven_core.protocol.needs import FileInfo
from heaven_core.runtime import Runtime

__all__ = ["etag_of", "file_fields", "is_older", "last_modified_of", "status_of_open_error", "tag_of"]

# To the client all of these mean that there is no such file; ENXIO is what a socket or a device without a driver says.
_NO_SUCH_FILE: Final = frozenset({ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EILSEQ, ENXIO})
_SECOND: Final = 1_000_000_000  # in nanoseconds
_ZIP_EPOCH: Final = 315_532_800  # 1980-01-01, in seconds since the epoch
_MOST_OFFSET: Final = 14 * 3600  # of a time zone, in seconds


def status_of_open_error(error: BaseException) -> int:
    """404 or 403 where this `OSError` means that; 500 where the fault is ours (too many open files, ...)."""
    if isinstance(error, OSError):
        if error.errno in _NO_SUCH_FILE or isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return 404
        if error.errno in (EACCES, EPERM):
            return 403
    return 500


def file_fields(
    source: FileSource, info: FileInfo, fields: list[Field], runtime: Runtime, coding: Coding | None
) -> tuple[list[Field], bool]:
    """The lines of the handler, and those that a file brings with it unless they are there already.

    `coding` is that of the sibling that is sent in its place. And whether its Last-Modified is another than the file's,
    since that lies in the future.
    """
    given = {name for name, _ in fields}
    chosen = fields.copy()
    now = runtime.wall()
    encoding = source.content_encoding if coding is None else coding.name.encode("ascii")
    tag = source.etag or tag_of(info, now, source.version)
    for name, value in (
        (b"content-disposition", source.disposition),
        (b"content-encoding", encoding),
        (b"etag", tag),
        (b"cache-control", source.cache_control),
    ):
        if value is not None and name not in given:
            chosen.append((name, value))
    if coding is not None:
        chosen = [_tag_of_encoded(line, coding) for line in chosen]
    if b"last-modified" in given:
        return chosen, False
    if source.last_modified is not None:
        # In the future it is replaced where all dates of handlers are (heaven_core.http.validators).
        return [*chosen, (b"last-modified", format_http_date(source.last_modified).encode("ascii"))], False
    if info.mtime_ns is None or _says_nothing(info.mtime_ns):
        return chosen, False
    date = last_modified_of(info.mtime_ns, now, runtime.date_lag)
    if date is None:
        return chosen, False
    return [*chosen, (b"last-modified", date)], info.mtime_ns // _SECOND > now


def tag_of(info: FileInfo, now: float, version: str | None) -> bytes | None:
    """The tag of a file; `version` is the application's own word for what is in it. `None` for one in memory."""
    if info.mtime_ns is None:
        return None
    if not _says_nothing(info.mtime_ns):
        return etag_of(info.size, info.mtime_ns, now, version)
    # Weak: another file may have come and gone within one tick of the clock (RFC 9110 §8.8.1).
    return b"W/" + _hashed(info.size, info.inode, info.ctime_ns, version)


def _says_nothing(mtime_ns: int) -> bool:
    """Whether reproducible builds write this time, so that any version of a file may have it.

    The epoch and the second after it, or the beginning of 1980, the first time that zip files know, in whatever zone
    they were unpacked.
    """
    seconds = mtime_ns // _SECOND
    return 0 <= seconds <= 1 or abs(seconds - _ZIP_EPOCH) <= _MOST_OFFSET


def etag_of(size: int, mtime_ns: int, now: float, version: str | None = None) -> bytes:
    """An opaque tag made of size and modification time (RFC 9110 §8.8.3).

    Weak while the file is less than a second old, for it could change again and keep its time (§8.8.1).
    """
    tag = _hashed(size, mtime_ns, version)
    return tag if now - mtime_ns / 1e9 >= 1.0 else b"W/" + tag


def last_modified_of(mtime_ns: int, now: float, date_lag: float) -> bytes | None:
    """The Last-Modified date, `None` where no HTTP-date can express it.

    A time in the future becomes the time of the response, and never later than its Date (RFC 9110 §8.8.2.1).
    """
    seconds = mtime_ns // _SECOND
    if seconds > now:
        seconds = int(now - date_lag)
    try:
        return format_http_date(seconds).encode("ascii")
    except ValueError:
        return None


def is_older(sibling: FileInfo, file: FileInfo) -> bool:
    """Whether the precompressed `sibling` was made before the `file` that it stands for was changed.

    Compressors give it the file's own time, and some of them without the fraction of a second.
    """
    if sibling.mtime_ns is None or file.mtime_ns is None:
        return True
    return sibling.mtime_ns < file.mtime_ns and sibling.mtime_ns != file.mtime_ns // _SECOND * _SECOND


def _tag_of_encoded(line: Field, coding: Coding) -> Field:
    """The tag of an encoded file, made of the plain file's: each representation has its own (RFC 9110 §8.8.3.3)."""
    name, value = line
    return (name, value[:-1] + b"-" + coding.name.encode("ascii") + b'"') if name == b"etag" else line


def _hashed(*parts: int | str | None) -> bytes:
    """An opaque tag, out of which nothing of this can be calculated."""
    from hashlib import blake2s  # noqa: PLC0415  (takes a millisecond to import, and not every app has files)

    data = repr(parts).encode("utf-8", "surrogatepass")
    return b'"%b"' % blake2s(data, digest_size=12).hexdigest().encode("ascii")
