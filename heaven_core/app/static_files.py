"""What `app.files` serves: the files of one directory, each under its path."""

from __future__ import annotations

import re
from os import PathLike
from typing import Final, final

from heaven_core._checks import check_str
from heaven_core.http.headers import check_text
from heaven_core.http.uri import make_location
from heaven_core.machine.file_lookup import MOVED, NOT_FOUND
from heaven_core.message.bodies import DirectorySource, FileSource, path_text
from heaven_core.message.context import Context
from heaven_core.message.html import is_hidden
from heaven_core.message.request import Request
from heaven_core.message.response import Response, draft_of

__all__ = ["HASHED", "Directory"]

# A run of eight or more hexadecimal digits between dots, hyphens or underscores, with a letter and a figure in it, so
# that neither a date nor a word is one.
HASHED: Final = r"[._-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}[._-]"

_NOT_VISIBLE: Final = re.compile(rb"[^!-~]|#")
_NOT_IN_SEGMENT: Final = re.compile(rb"[^!-~]|[#?]")
_FOREVER: Final = b"public, max-age=31536000, immutable"


@final
class Directory:
    """Finds the file that a path names. See `App.files` for what the options mean, and what they raise."""

    __slots__ = (
        "_cache_control", "_fallback", "_hashed", "_hidden", "_index", "_listing", "_precompressed", "_root",
    )  # fmt: skip

    def __init__(
        self,
        root: str | PathLike[str],
        *,
        index: str | None,
        fallback: str | None,
        cache_control: str | None,
        hashed: str | None,
        precompressed: bool,
        hidden: bool,
        listing: bool,
    ) -> None:
        self._root: Final = path_text(root, "the directory of app.files()")
        self._index: Final = None if index is None else _relative("index=", index)
        self._fallback: Final = None if fallback is None else _relative("fallback=", fallback)
        self._cache_control: Final = None if cache_control is None else check_text("Cache-Control", cache_control)
        self._hashed: Final = None if hashed is None else re.compile(hashed)
        self._precompressed: Final = precompressed
        self._hidden: Final = hidden
        self._listing: Final = listing

    def serve(self, req: Request[object], res: Response, ctx: Context) -> None:
        """The handler. The path is what the route's `*` stands for, and nothing for the directory itself."""
        draft = draft_of(res)
        path = str(req.params.get("*", ""))
        if not self._hidden and any(map(is_hidden, path.split("/"))):
            draft.become(404, NOT_FOUND)
            return
        last = path.rpartition("/")[2]
        location = _with_slash(req) if self._has_directories else None
        if last:
            # What looks as if it had been built is no page of an application, and must not be taken for one.
            fallback = None if self._is_hashed(last) else self._fallback_file()
            draft.set_source(self._file(path, directory_location=location, otherwise=fallback))
        elif location is not None and not req.raw_path.endswith(b"/"):
            draft.become(308, MOVED)
            draft.append((b"location", location))
        else:
            draft.set_source(self._file_in_directory(path, req))

    @property
    def _has_directories(self) -> bool:
        return self._index is not None or self._listing

    def _file_in_directory(self, path: str, req: Request[object]) -> FileSource:
        fallback = self._fallback_file()
        listing: DirectorySource | None = None
        if self._listing:
            listing = DirectorySource(path, self._root, f"{req.root_path}{req.path}", self._hidden, fallback)
        return self._file(path + (self._index or ""), otherwise=listing or fallback)

    def _fallback_file(self) -> FileSource | None:
        return None if self._fallback is None else self._file(self._fallback)

    def _file(
        self,
        path: str,
        *,
        directory_location: bytes | None = None,
        otherwise: FileSource | DirectorySource | None = None,
    ) -> FileSource:
        return FileSource(
            path,
            within=self._root,
            precompressed=self._precompressed,
            cache_control=_FOREVER if self._is_hashed(path.rpartition("/")[2]) else self._cache_control,
            directory_location=directory_location,
            otherwise=otherwise,
        )

    def _is_hashed(self, name: str) -> bool:
        return self._hashed is not None and self._hashed.search(name) is not None


def _relative(what: str, value: object) -> str:
    path = check_str(what, value)
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{what} is the path of a file below the directory, such as index.html: {path!r}")
    return path


def _with_slash(req: Request[object]) -> bytes:
    """Where the directory is that was asked for without a slash, relative to the request (RFC 3986 §4.2).

    Relative, since only the client knows what a proxy has taken off the front; and from the path as it was sent, where
    a `%2F` is no slash. The dot keeps a `:` from ending a scheme.
    """
    last = _NOT_IN_SEGMENT.sub(_percent, req.raw_path.rpartition(b"/")[2])
    query = b"?" + _NOT_VISIBLE.sub(_percent, req.query_string) if req.query_string else b""
    return make_location((b"./" + last + b"/" + query).decode("ascii")).encode("ascii")


def _percent(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
