"""Reading from the page cache: the bytes of the file, or word that a thread has to read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaven_io.windows import Window


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    """Of a file that has just been written, and so is in memory."""
    (tmp_path / "f").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    window = Window(fd)
    if window.read(0, 1) is None:
        os.close(fd)
        pytest.skip("this file system can't say what is in memory")
    yield window
    os.close(fd)


def test_bytes_in_memory_are_read(window: Window) -> None:
    assert window.read(2, 3) == b"234"
    assert window.read(8, 100) == b"89"
    assert window.read(10, 1) == b""


def test_bytes_that_were_read_stay_when_the_next_ones_are(window: Window) -> None:
    first = window.read(0, 4)
    window.read(4, 4)
    assert first == b"0123"


def test_a_closed_one_reads_nothing(window: Window) -> None:
    """The number of its descriptor may be another file's by then."""
    window.close()
    assert window.read(0, 1) is None


def test_an_error_leaves_it_to_the_thread_for_good(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    window = Window(fd)
    assert window.read(0, 1) is None
    assert window.able is False
    assert window.read(0, 1) is None
    os.close(fd)
