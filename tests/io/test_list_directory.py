"""The names in a directory, as far as they could be served."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heaven_core import Entry
from heaven_io.listing import list_directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"hello")
    (root / "inner" / "b.txt").write_bytes(b"b")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(b"secret")
    return root


def found(root: Path, path: str = "") -> dict[str, int | None]:
    return {entry.name: entry.size for entry in list_directory(path, str(root))}


def test_files_have_a_size_and_directories_none(root: Path) -> None:
    os.utime(root / "a.txt", ns=(5, 7))
    assert found(root) == {"a.txt": 5, "inner": None}
    assert found(root, "inner") == found(root, "inner/") == {"b.txt": 1}
    assert Entry("a.txt", 5, 7) in list_directory("", str(root))


def test_a_link_that_stays_inside_is_what_it_leads_to(root: Path) -> None:
    (root / "link.txt").symlink_to("inner/b.txt")
    (root / "link").symlink_to("inner")
    assert found(root) == {"a.txt": 5, "inner": None, "link.txt": 1, "link": None}
    assert found(root, "link") == {"b.txt": 1}


def test_names_that_could_not_be_served_are_left_out(root: Path) -> None:
    (root / "away").symlink_to("../outside")
    (root / "away.txt").symlink_to("../outside/secret.txt")
    (root / "absolute").symlink_to("/etc")
    (root / "nowhere").symlink_to("none")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")
    os.mkdir(os.fsencode(root) + b"/\xff")
    assert found(root) == {"a.txt": 5, "inner": None}


@pytest.mark.parametrize("path", ["..", "../outside", "/etc", "inner/../..", "none", "a.txt", "away", "a\0b"])
def test_no_other_directory_is_listed(path: str, root: Path) -> None:
    (root / "away").symlink_to("../outside")
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        list_directory(path, str(root))


def test_no_descriptor_stays_open(root: Path) -> None:
    before = os.listdir("/proc/self/fd")
    found(root)
    with pytest.raises(NotADirectoryError):
        list_directory("a.txt", str(root))
    assert len(os.listdir("/proc/self/fd")) == len(before)
