"""The names in a directory to serve. Blocks: call it in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from stat import S_ISDIR, S_ISLNK, S_ISREG

from heaven_core.protocol.needs import Entry
from heaven_io.opening import open_directory, stays_inside

__all__ = ["list_directory"]


def list_directory(path: str, within: str) -> list[Entry]:
    """The files and directories in `path`, below `within`, as far as they could be served.

    Left out are special files, symlinks that lead outside or nowhere, and names that are no UTF-8.

    Raises:
        OSError: as `heaven_io.opening.open_file` does.

    """
    fd = open_directory(path, within)
    try:
        with os.scandir(fd) as found:
            return list(_entries(found, fd, path, within))
    finally:
        os.close(fd)


def _entries(found: Iterator[os.DirEntry[str]], fd: int, path: str, within: str) -> Iterator[Entry]:
    for item in found:
        try:
            item.name.encode()
            info = item.stat(follow_symlinks=False)
            if S_ISLNK(info.st_mode):
                if not stays_inside(f"{path}/{item.name}", within):
                    continue
                info = os.stat(item.name, dir_fd=fd)
        except (OSError, UnicodeEncodeError):
            continue  # it has gone meanwhile, or nobody could ask for it
        if S_ISDIR(info.st_mode) or S_ISREG(info.st_mode):
            yield Entry(item.name, info.st_size if S_ISREG(info.st_mode) else None, info.st_mtime_ns)
