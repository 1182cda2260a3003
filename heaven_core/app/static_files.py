"""What `app.files` serves: the files of one directory, each under its path."""

from __future__ import annotations

import re
from functools import partial
from os import PathLike
from typing import Final, final

from heaven_core._checks import check_bool, check_int, check_str
from heaven_core.errors import NO_FILE, NotFound
from heaven_core.http.headers import check_text
from heaven_core.http.media_types import is_page
from heaven_core.http.uri import make_location
from heaven_core.machine.file_lookup import MOVED
from heaven_core.message.bodies import DirectorySource, FileSource, path_text
from heaven_core.message.context import Context
from heaven_core.message.draft import Draft
from heaven_core.message.html import is_hidden, listing_page
from heaven_core.message.request import Request
from heaven_core.message.response import Response, draft_of

__all__ = ["HEX_HASHED", "VITE_HASHED", "Directory"]

_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}"

HEX_HASHED: Final = rf"(?<!{_UUID})[._-](?!{_UUID})(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{{8,}}[._-]"
"""For `app.files(hashed=)`: `app.3f9c01ab.js`, eight or more hexadecimal digits, a letter and a figure among them.

So neither a date nor a word is one, nor is a UUID, which says nothing of what is in the file.
"""

VITE_HASHED: Final = r"-(?=.[a-z_-]*[A-Z0-9])[A-Za-z0-9_-]{8}\.[A-Za-z0-9.]+$"
"""For `app.files(hashed=)`: `index-DiwrgTda.js`, as Vite and Rollup name what they have built.

Eight characters after a hyphen, with a figure or a capital that is not the first of them: a word is none.
"""

_NOT_VISIBLE: Final = re.compile(rb"[^!-~]|#")
_NOT_IN_SEGMENT: Final = re.compile(rb"[^!-~]|[#?]")
_FOREVER: Final = b"public, max-age=31536000, immutable"


@final
class Directory:
    """Finds the file that a path names. See `App.files` for what the options mean, and what they raise."""

    __slots__ = (
        "_cache_control", "_fallback", "_hashed", "_hidden", "_index", "_listing", "_max_listing", "_precompressed",
        "_root", "_version",
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
        max_listing: int,
        version: str | None,
    ) -> None:
        self._version: Final = None if version is None else check_str("version=", version)
        self._root: Final = path_text(root, "the directory of app.files()")
        self._index: Final = None if index is None else _relative("index=", index)
        self._fallback: Final = None if fallback is None else _relative("fallback=", fallback)
        self._cache_control: Final = None if cache_control is None else check_text("Cache-Control", cache_control)
        self._hashed: Final = None if hashed is None else re.compile(hashed)
        self._precompressed: Final = precompressed
        self._hidden: Final = hidden
        self._listing: Final = check_bool("listing=", listing)
        self._max_listing: Final = check_int("max_listing=", max_listing)
        if max_listing < 1:
            raise ValueError(f"max_listing= is a number of names, 1 or more: {max_listing}")

    def serve(self, req: Request[object], res: Response, ctx: Context) -> None:
        """The handler. The path is what the route's `*` stands for, and nothing for the directory itself."""
        draft = draft_of(res)
        path = str(req.params.get("*", ""))
        if not self._hidden and any(map(is_hidden, path.split("/"))):
            raise NotFound(NO_FILE)
        last = path.rpartition("/")[2]
        location = _with_slash(req) if self._has_directories else None
        if last:
            # A script or a picture that is missing is no page of an application, and nobody is helped by one.
            fallback = self._fallback_file(req, draft) if is_page(last) else None
            draft.set_source(self._file(path, directory_location=location, otherwise=fallback))
        elif location is not None and not req.raw_path.endswith(b"/"):
            draft.become(308, MOVED)
            draft.append((b"location", location))
        else:
            draft.set_source(self._file_in_directory(path, req, self._fallback_file(req, draft)))

    @property
    def _has_directories(self) -> bool:
        return self._index is not None or self._listing

    def _file_in_directory(self, path: str, req: Request[object], fallback: FileSource | None) -> FileSource:
        listing: DirectorySource | None = None
        if self._listing:
            title = f"{req.root_path}{req.path}"
            page = partial(listing_page, title, hidden=self._hidden, most=self._max_listing)
            listing = DirectorySource(path, self._root, page, fallback)
        return self._file(path + (self._index or ""), otherwise=listing or fallback)

    def _fallback_file(self, req: Request[object], draft: Draft) -> FileSource | None:
        """The page for what is missing: for who takes a page, which the response depends on (RFC 9110 §12.5.5)."""
        if self._fallback is None:
            return None
        draft.vary_on(b"Accept")
        return self._file(self._fallback) if req.accepts("text/html") else None

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
            version=self._version,
            cache_control=_FOREVER if self._is_hashed(path.rpartition("/")[2]) else self._cache_control,
            directory_location=directory_location,
            otherwise=otherwise,
        )

    def _is_hashed(self, name: str) -> bool:
        return self._hashed is not None and self._hashed.search(name) is not None


def _relative(what: str, value: object) -> str:
    path = check_str(what, value)
    if any(segment in ("", ".", "..") for segment in path.split("/")):
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
