"""SPEC 3: files whose time of modification a reproducible build has written, so that it says nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

from heaven_core import App, Chunk, Context, FileInfo, Request, Response, Start
from heaven_core.http.headers import find_value
from heaven_core.machine.file_metadata import etag_of, tag_of
from heaven_driver.blocking import serve, system_runtime

NOW: Final = 2_000_000_000.0
SECOND: Final = 1_000_000_000
ZIP: Final = 315_532_800  # 1980-01-01

SILENT: Final = [0, 1, ZIP, ZIP + 14 * 3600, ZIP - 12 * 3600]
SPEAKING: Final = [-1, 2, ZIP + 15 * 3600, ZIP - 15 * 3600, 999_000_000]


@pytest.mark.parametrize("seconds", SILENT)
def test_the_tag_is_weak_and_tells_one_file_from_another(seconds: int) -> None:
    """Of the same size and time, one that was put in the place of the other, or written over."""
    one = tag_of(FileInfo(5, seconds * SECOND, 7, 100), NOW, None)
    assert one is not None
    assert one.startswith(b'W/"')
    assert tag_of(FileInfo(5, seconds * SECOND, 8, 100), NOW, None) != one
    assert tag_of(FileInfo(5, seconds * SECOND, 7, 101), NOW, None) != one
    assert tag_of(FileInfo(6, seconds * SECOND, 7, 100), NOW, None) != one
    assert tag_of(FileInfo(5, seconds * SECOND, 7, 100), NOW, None) == one


@pytest.mark.parametrize("seconds", SPEAKING)
def test_any_other_time_makes_the_tag_alone(seconds: int) -> None:
    """So servers that have copies of a file have one tag for it."""
    expected = etag_of(5, seconds * SECOND, NOW)
    assert tag_of(FileInfo(5, seconds * SECOND, 7, 100), NOW, None) == expected
    assert tag_of(FileInfo(5, seconds * SECOND, 8, 200), NOW, None) == expected
    assert expected.startswith(b'"')


def test_a_version_goes_into_every_tag() -> None:
    for seconds in (ZIP, 999_000_000):
        info = FileInfo(5, seconds * SECOND, 7, 100)
        tags = {tag_of(info, NOW, version) for version in (None, "v1", "v2", "grün", "\ud800")}
        assert len(tags) == 5


def test_a_file_in_memory_has_no_tag() -> None:
    assert tag_of(FileInfo(5, None), NOW, "v1") is None


class Site:
    """A directory with one file, as a build has left it."""

    def __init__(self, root: Path, version: str | None = None) -> None:
        self._path: Final = root / "app.txt"
        self._app: Final = App()
        self._app.files("/*", root, version=version)
        self._app.GET("/one", self._serve_one)

    def _serve_one(self, req: Request, res: Response, ctx: Context) -> None:
        res.file(self._path, version="r1")

    def build(self, content: bytes) -> None:
        """In the place of what was there, with the time that all have."""
        new = self._path.with_suffix(".new")
        new.write_bytes(content)
        os.utime(new, (ZIP, ZIP))
        new.rename(self._path)

    def get(self, target: str = "/app.txt", **lines: str) -> tuple[int, bytes, str | None, str | None]:
        """Status, body, ETag and Last-Modified."""
        fields = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in lines.items()]
        status, body, found = 0, b"", list[tuple[bytes, bytes]]()
        for event in serve(self._app, Request("GET", target, b"", fields), system_runtime()):
            if type(event) is Start:
                status, found = event.status, event.fields
            elif type(event) is Chunk:
                body += event.data
        return status, body, find_value(found, "etag"), find_value(found, "last-modified")


def test_a_new_version_of_the_same_size_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.build(b"version one")
    status, _, tag, date = site.get()
    assert (status, date) == (200, None)
    assert tag is not None
    assert site.get(If_None_Match=tag)[0] == 304
    site.build(b"version two")
    assert site.get(If_None_Match=tag)[:2] == (200, b"version two")


def test_a_download_is_not_resumed_with_another_version(tmp_path: Path) -> None:
    """A weak tag never matches If-Range (RFC 9110 §13.1.5), so the whole of it comes again."""
    site = Site(tmp_path)
    site.build(b"version one")
    tag = site.get()[2]
    assert tag is not None
    site.build(b"version two")
    assert site.get(Range="bytes=8-", If_Range=tag)[:2] == (200, b"version two")


def test_a_version_of_a_site_or_a_file_changes_its_tag(tmp_path: Path) -> None:
    plain, released = Site(tmp_path), Site(tmp_path, "v1")
    plain.build(b"text")
    assert len({plain.get()[2], released.get()[2], plain.get("/one")[2]}) == 3


@pytest.mark.parametrize("version", [1, b"v1"])
def test_a_version_is_text(version: object, tmp_path: Path) -> None:
    from tests.handlers.kit import loose

    with pytest.raises(TypeError, match="version="):
        loose(App().files)("/*", tmp_path, version=version)
    with pytest.raises(TypeError, match="version="):
        loose(Response().file)("/f", version=version)


def test_a_tag_says_nothing_of_what_it_is_made_of() -> None:
    """A hash, of which neither size nor time can be calculated: 96 bits, all of them other ones for the next file."""
    tags = [etag_of(size, mtime_ns, 10.0) for size in range(20) for mtime_ns in range(20)]
    assert len(set(tags)) == 400
    assert all(re.fullmatch(rb'"[0-9a-f]{24}"', tag) for tag in tags)
    assert etag_of(1, 2, 10.0, "v1") != etag_of(1, 2, 10.0, "v2") != etag_of(1, 2, 10.0)
