"""Opening files to serve: without blocking on what is no file, and without leaving the directory they must be in.

Confinement does not check a path and then use it, for a symlink can be exchanged in between. The path is walked one
segment at a time, each opened in the directory opened before it and never through a symlink, so that nothing but a
descriptor is ever trusted. Where the walk meets a symlink, the path is resolved as text, has to lie inside, and what
came out, which has no symlink in it unless somebody is exchanging them right now, is walked in the same way.

Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EILSEQ, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import Final, final

from heaven_core.protocol.needs import FileInfo

__all__ = ["OpenedFile", "open_directory", "open_file", "stays_inside"]

# Special files are seen and refused before they are opened, but for one that has been put there in between: opening a
# FIFO must not wait for a writer, nor may opening a terminal make it ours.
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# Linux can open a directory that may be searched but not listed, as open() of the whole path would; elsewhere it
# has to be readable.
_SEARCH: Final[int] = getattr(os, "O_PATH", os.O_RDONLY)
_DIRECTORY: Final = _SEARCH | os.O_DIRECTORY | os.O_CLOEXEC


@final
@dataclass(slots=True)
class OpenedFile:
    """An open regular file: its descriptor, and what the machine wants to know of it."""

    fd: Final[int]
    info: Final[FileInfo]


def info_of(status: os.stat_result) -> FileInfo:
    """What the machine wants to know of a file."""
    return FileInfo(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def open_file(path: str | bytes, within: str | bytes | None) -> OpenedFile:
    """Open the regular file `path` for reading; with `within` it is relative to that directory and stays inside.

    Every failure is an `OSError` and leaves nothing open. Those that the operating system has a word for come as it
    says them (`NotADirectoryError`, `PermissionError`, ELOOP, ENAMETOOLONG, EMFILE, ...). Besides: a directory is an
    `IsADirectoryError`; any other special file, a path with a NUL or one that is no UTF-8 (EILSEQ), and with `within`
    a leading slash, a `..`, `.` or empty segment and whatever leads outside, are a `FileNotFoundError`.
    """
    try:
        name = path.encode() if isinstance(path, str) else path.decode().encode()
        if within is None:
            _check_kind(os.stat(name), path)
            fd = os.open(name, _FILE)
        else:
            fd = _open_below(os.fsencode(within), name)
    except ValueError as error:  # no UTF-8, or a NUL in it: there can be no such file
        raise FileNotFoundError(EILSEQ, os.strerror(EILSEQ), path) from error
    try:
        info = os.fstat(fd)
        _check_kind(info, path)
    except BaseException:
        os.close(fd)
        raise
    return OpenedFile(fd, info_of(info))


def open_directory(path: str, within: str) -> int:
    """A descriptor of the directory `path` below `within`, to read its names. Raises as `open_file` does."""
    try:
        name = path.encode()
        return _open_below(
            os.fsencode(within), name + b"/" if name and not name.endswith(b"/") else name, is_file=False
        )
    except ValueError as error:
        raise FileNotFoundError(EILSEQ, os.strerror(EILSEQ), path) from error


def stays_inside(path: str, within: str) -> bool:
    """Whether what `path` below `within` leads to, through whatever symlinks, is there and below it, too."""
    try:
        _resolve(os.fsencode(within), path.encode())
    except (OSError, ValueError):
        return False
    return True


def _check_kind(info: os.stat_result, path: str | bytes) -> None:
    if S_ISDIR(info.st_mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), path)
    if not S_ISREG(info.st_mode):
        raise FileNotFoundError(ENOENT, "Not a regular file", path)


def _open_below(root: bytes, name: bytes, is_file: bool = True) -> int:
    # The kernel takes "name/" for a directory only, and so does this.
    flags = _FILE | os.O_DIRECTORY if name.endswith(b"/") or not is_file else _FILE
    segments = name.removesuffix(b"/").split(b"/") if name else []
    # An empty or a "." segment is no other name for a file: a hook that guards a path would not know it by that.
    if any(segment in (b"", b".", b"..") for segment in segments):
        raise _outside(name)
    if not segments:
        return os.open(root, flags)
    try:
        return _walk(root, segments, flags)
    except OSError as error:
        # ELOOP is a symlink at the end, ENOTDIR one on the way, or really no directory, which resolving will say.
        if error.errno not in (ELOOP, ENOTDIR):
            raise
    base, segments = _resolve(root, name)
    try:
        return _walk(base, segments, flags)
    except OSError as error:
        if error.errno == ENOTDIR and flags != _FILE:
            raise
        if error.errno in (ELOOP, ENOTDIR):  # it was no symlink a moment ago
            raise _outside(name) from error
        raise


def _walk(root: bytes, segments: Sequence[bytes], flags: int) -> int:
    """Open the last of `segments` with `flags`, each of them in the one before it, and none through a symlink.

    Without any, `root` itself.
    """
    if not segments:
        return os.open(root, flags)
    directory = os.open(root, _DIRECTORY)
    try:
        for segment in segments[:-1]:
            inner = os.open(segment, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = inner
        if not flags & os.O_DIRECTORY:
            # Opening a FIFO wakes whoever waits to write to it, and opening a device may do anything: look first.
            info = os.stat(segments[-1], dir_fd=directory, follow_symlinks=False)
            if not S_ISLNK(info.st_mode):  # opening a symlink says ELOOP
                _check_kind(info, segments[-1])
        return os.open(segments[-1], flags | os.O_NOFOLLOW, dir_fd=directory)
    finally:
        os.close(directory)


def _resolve(root: bytes, name: bytes) -> tuple[bytes, list[bytes]]:
    """`root` without symlinks, and the segments below it of what `name` leads to."""
    base = os.path.realpath(root, strict=True)
    inside = base if base.endswith(b"/") else base + b"/"
    try:
        target = os.path.realpath(inside + name, strict=True)
    except OSError as error:
        # EINVAL: a symlink was one no more when it was read. And whether something outside is missing, or not ours
        # to see, is nobody's business.
        seen: object = error.filename
        if error.errno != EINVAL and isinstance(seen, bytes) and seen.startswith(inside):
            raise
        raise _outside(name) from error
    if target == base:
        return base, []
    if not target.startswith(inside):
        raise _outside(name)
    return base, target[len(inside) :].split(b"/")


def _outside(name: bytes) -> FileNotFoundError:
    return FileNotFoundError(ENOENT, "No such file inside the directory", name)
