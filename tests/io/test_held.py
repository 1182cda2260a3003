"""Files that the application has opened itself, read on an event loop and in a thread."""

from __future__ import annotations

import gzip
import os
import tempfile
import threading
from collections.abc import Callable
from errno import EOPNOTSUPP
from io import BytesIO, UnsupportedOperation
from pathlib import Path
from typing import Final, cast
from zipfile import ZipFile

import anyio
import pytest
from typing_extensions import override

from heaven_core.protocol.needs import BinaryFile, OpenFile, UseFile
from heaven_io.blocking import BlockingFile, open_blocking
from heaven_io.files import ReadableFile
from heaven_io.held import use_async
from tests.io.test_files import BACKENDS, descriptors_of

pytestmark = pytest.mark.anyio

DATA: Final = bytes(range(256)) * 40


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


def on_disk(folder: Path) -> BinaryFile:
    (folder / "file").write_bytes(DATA)
    return (folder / "file").open("rb")


def unbuffered(folder: Path) -> BinaryFile:
    (folder / "file").write_bytes(DATA)
    return (folder / "file").open("rb", buffering=0)


def in_memory(folder: Path) -> BinaryFile:
    return BytesIO(DATA)


def temporary(folder: Path) -> BinaryFile:
    """Written to, and not flushed."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the test closes it)
    file.write(DATA)
    return file


def named_temporary(folder: Path) -> BinaryFile:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    file.write(DATA)
    return file


def spooled(folder: Path) -> BinaryFile:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115
    file.write(DATA)
    return file


def gzipped(folder: Path) -> BinaryFile:
    (folder / "file.gz").write_bytes(gzip.compress(DATA))
    return gzip.GzipFile(folder / "file.gz")


def in_an_archive(folder: Path) -> BinaryFile:
    with ZipFile(folder / "file.zip", "w") as archive:
        archive.writestr("member", DATA)
    with ZipFile(folder / "file.zip") as archive:
        return archive.open("member")  # which keeps the archive open


KINDS: Final[list[Callable[[Path], BinaryFile]]] = [
    on_disk, unbuffered, in_memory, temporary, named_temporary, spooled, gzipped, in_an_archive,
]  # fmt: skip


@pytest.mark.parametrize("make", KINDS)
async def test_any_kind_of_file_is_read_from_any_place_whatever_its_position(
    make: Callable[[Path], BinaryFile], tmp_path: Path
) -> None:
    file = make(tmp_path)
    file.seek(7, 0)
    reader = await use_async(file)
    assert reader.info.size == len(DATA)
    for offset, count in ((0, 10), (5000, 300), (1, 1), (len(DATA) - 3, 100), (len(DATA), 5)):
        assert await reader.read_at(offset, count) == DATA[offset : offset + count]
    await reader.close()
    file.seek(0, 0)
    assert file.read(3) == DATA[:3], "its use has ended, and it is open"
    file.close()


@pytest.mark.parametrize("make", KINDS)
def test_any_kind_of_file_is_read_in_a_thread(make: Callable[[Path], BinaryFile], tmp_path: Path) -> None:
    file = make(tmp_path)
    reader: BlockingFile = open_blocking(UseFile(file))
    assert reader.info.size == len(DATA)
    assert (reader.read_at(5000, 300), reader.read_at(0, 1)) == (DATA[5000:5300], DATA[:1])
    reader.close()
    file.seek(0, 0)
    assert file.read(1) == DATA[:1]
    file.close()


def test_a_path_is_read_in_a_thread(tmp_path: Path) -> None:
    on_disk(tmp_path).close()
    reader = open_blocking(OpenFile("file", str(tmp_path)))
    assert (reader.info.size, reader.read_at(3, 4)) == (len(DATA), DATA[3:7])
    reader.close()
    assert descriptors_of(tmp_path / "file") == []
    with pytest.raises(FileNotFoundError):
        open_blocking(OpenFile("none", str(tmp_path)))


async def test_a_file_of_the_disk_has_a_time_and_others_have_none(tmp_path: Path) -> None:
    file = on_disk(tmp_path)
    os.utime(tmp_path / "file", ns=(5, 1_700_000_000_123_456_789))
    reader = await use_async(file)
    assert reader.info.mtime_ns == 1_700_000_000_123_456_789
    await reader.close()
    file.close()
    assert descriptors_of(tmp_path / "file") == []
    for make in (in_memory, gzipped):
        file = make(tmp_path)
        reader = await use_async(file)
        assert (reader.info.mtime_ns, reader.fd) == (None, None)
        await reader.close()
        file.close()


async def test_a_file_that_cannot_be_measured_says_so() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb"), pytest.raises(OSError, match=r"[Ss]eek"):
        await use_async(file)


class Slow(BytesIO):
    """Holds up whoever seeks in it or reads it, until told otherwise, and knows if it was closed meanwhile."""

    def __init__(self, slow_at: str) -> None:
        super().__init__(DATA)
        self.slow_at = slow_at
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.running = False
        self.closed_under_it = False

    def _hold_up(self, what: str) -> None:
        if what == self.slow_at:
            self.running = True
            self.entered.set()
            assert self.go_on.wait(20)
            self.running = False

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._hold_up("seek")
        return super().seek(offset, whence)

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        self._hold_up("read")
        return super().read(size)

    @override
    def close(self) -> None:
        self.closed_under_it = self.closed_under_it or self.running
        super().close()


@pytest.mark.parametrize("slow_at", ["seek", "read"])
async def test_a_file_is_not_closed_under_a_thread_that_a_cancelled_owner_has_left_behind(slow_at: str) -> None:
    file = Slow(slow_at)

    async def owner() -> None:
        reader: ReadableFile | None = None
        try:
            reader = await use_async(file)
            await reader.read_at(0, 10)
        finally:
            with anyio.CancelScope(shield=True):
                if reader is not None:
                    await reader.close()
                file.close()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(owner)
            while not file.entered.is_set():
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
            await anyio.lowlevel.cancel_shielded_checkpoint()
            threading.Timer(0.05, file.go_on.set).start()
    assert file.closed
    assert not file.closed_under_it


def _not_supported(*_: object) -> int:
    """As on tmpfs."""
    raise OSError(EOPNOTSUPP, "no flags here")


@pytest.mark.parametrize("cached", [True, False])
async def test_a_position_that_is_shared_does_not_matter(cached: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor and its duplicate have one position; what is not in the page cache is read by a thread."""
    if not cached:
        monkeypatch.setattr("heaven_io.windows.os.preadv", _not_supported)
    with tempfile.TemporaryFile() as file:
        file.write(DATA)
        file.seek(16)
        readers = [await use_async(file) for _ in range(2)]
        for reader in readers:
            assert await reader.read_at(0, 100) == DATA[:100]
        assert await readers[0].read_at(100, 100) == DATA[100:200]
        for reader in readers:
            await reader.close()
        assert file.tell() == 16


class Silent(BytesIO):
    """Its `seek` says nothing, as that of some clients of network file systems."""

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        super().seek(offset, whence)
        return cast(int, None)


class Mute(Silent):
    @override
    def tell(self) -> int:
        return cast(int, None)


class Untold(BytesIO):
    """Says where it is when it seeks, and not otherwise."""

    @override
    def tell(self) -> int:
        raise UnsupportedOperation("tell")


class Generous(BytesIO):
    """Gives more than it is asked for."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read() + b"more"


async def test_a_seek_that_says_nothing_is_asked_by_tell() -> None:
    reader = await use_async(Silent(DATA))
    assert reader.info.size == len(DATA)
    assert await reader.read_at(3, 4) == DATA[3:7]
    assert (await use_async(Untold(DATA))).info.size == len(DATA)
    with pytest.raises(TypeError, match=r"what its seek\(\) or tell\(\) says at the end: <.*Mute"):
        await use_async(Mute(DATA))


async def test_a_file_that_gives_more_than_was_asked_for_is_refused() -> None:
    reader = await use_async(Generous(DATA))
    with pytest.raises(ValueError, match="gave 10244 bytes when it was asked for 3"):
        await reader.read_at(0, 3)


async def test_a_file_that_was_closed_meanwhile_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """As any other that opening meets, so that one who was cancelled need not hear of it."""
    file = on_disk(tmp_path)
    file.close()
    with pytest.raises(OSError, match="was closed before it could be sent"):
        await use_async(file)
