"""Reading from the page cache: the bytes of the file, or word that a thread has to read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaven_io.windows import Window, is_in_memory


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


# What is in memory, without reading it


@pytest.fixture
def large(tmp_path: Path) -> Iterator[int]:
    """The descriptor of a file of 1 MiB, which has just been written to the disk."""
    with (tmp_path / "f").open("wb") as file:
        file.write(os.urandom(1024 * 1024))
        os.fsync(file.fileno())
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    if not is_in_memory(fd, 0, 1):
        os.close(fd)
        pytest.skip("this file system can't say what is in memory")
    yield fd
    os.close(fd)


def test_what_has_been_written_is_in_memory(large: int) -> None:
    assert is_in_memory(large, 0, 1024 * 1024)
    assert is_in_memory(large, 1024 * 1024 - 1, 1)


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="asks the kernel to forget")
@pytest.mark.parametrize(("offset", "count"), [(0, 1), (0, 256 * 1024), (512 * 1024, 128 * 1024), (1024 * 1024 - 1, 1)])
def test_what_the_kernel_has_forgotten_is_not(offset: int, count: int, large: int) -> None:
    os.posix_fadvise(large, 0, 0, os.POSIX_FADV_DONTNEED)
    assert not is_in_memory(large, offset, count)
    os.pread(large, 1024 * 1024, 0)
    assert is_in_memory(large, offset, count)


def test_the_end_of_a_range_counts_too(large: int) -> None:
    """Its beginning alone would have sendfile wait for the rest."""
    os.posix_fadvise(large, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(large, 0, 0, os.POSIX_FADV_RANDOM)  # nothing is read ahead
    os.pread(large, 4096, 0)
    assert is_in_memory(large, 0, 4096)
    assert not is_in_memory(large, 0, 64 * 1024)


def test_of_what_can_not_be_read_nothing_is(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    assert not is_in_memory(fd, 0, 1)
    os.close(fd)
