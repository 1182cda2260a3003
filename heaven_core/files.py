"""What the head says of a file, and what the client is told when there is none to send."""

from __future__ import annotations

from errno import EACCES, EILSEQ, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM
from typing import Final

from heaven_core.dates import format_http_date
from heaven_core.headers import Field
from heaven_core.needs import FileInfo
from heaven_core.runtime import Runtime
from heaven_core.sources import FileSource

__all__ = ["etag_of", "file_fields", "last_modified_of", "status_of_open_error"]

# To the client all of these mean that there is no such file; ENXIO is what a socket or a device without a driver says.
_NO_SUCH_FILE: Final = frozenset({ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EILSEQ, ENXIO})
_MASK: Final = (1 << 64) - 1


def status_of_open_error(error: BaseException) -> int:
    """404 or 403 where that is the answer to this `OSError`; 500 where the fault is ours (too many open files, ...)."""
    if isinstance(error, OSError):
        if error.errno in _NO_SUCH_FILE or isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return 404
        if error.errno in (EACCES, EPERM):
            return 403
    return 500


def file_fields(source: FileSource, info: FileInfo, fields: list[Field], runtime: Runtime) -> tuple[list[Field], bool]:
    """The lines of the handler, and those that a file brings with it unless they are there already.

    And whether its Last-Modified is another than the file's, since that lies in the future.
    """
    given = {name for name, _ in fields}
    chosen = fields.copy()
    now = runtime.wall()
    if source.disposition is not None and b"content-disposition" not in given:
        chosen.append((b"content-disposition", source.disposition))
    if source.content_encoding is not None and b"content-encoding" not in given:
        chosen.append((b"content-encoding", source.content_encoding))
    if b"etag" not in given:
        chosen.append((b"etag", source.etag or etag_of(info, now)))
    if b"last-modified" in given:
        return chosen, False
    date = last_modified_of(info, now, runtime.date_lag)
    if date is not None:
        chosen.append((b"last-modified", date))
    return chosen, info.mtime_ns // 1_000_000_000 > now


def etag_of(info: FileInfo, now: float) -> bytes:
    """An opaque tag made of size and modification time (RFC 9110 §8.8.3).

    Weak while the file is less than a second old, for it could change again and keep its time (§8.8.1).
    """
    tag = b'"%016x"' % _mixed(_mixed(info.size) ^ info.mtime_ns)
    return tag if now - info.mtime_ns / 1e9 >= 1.0 else b"W/" + tag


def last_modified_of(info: FileInfo, now: float, date_lag: float) -> bytes | None:
    """The Last-Modified date, `None` where no HTTP-date can express it.

    A time in the future becomes the time of the answer, and never later than its Date (RFC 9110 §8.8.2.1).
    """
    seconds = info.mtime_ns // 1_000_000_000
    if seconds > now:
        seconds = int(now - date_lag)
    try:
        return format_http_date(seconds).encode("ascii")
    except ValueError:
        return None


def _mixed(number: int) -> int:
    """Scatter 64 bits (the finaliser of splitmix64), so that neither size nor time can be read off the tag."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
