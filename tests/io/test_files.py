"""Reading files on an event loop: aiofiles on asyncio and uvloop, threads on trio."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_io.files import ReadableFile, open_async
from heaven_io.opening import open_file

pytestmark = pytest.mark.anyio


BACKENDS: dict[str, tuple[str, dict[str, bool]]] = {
    "asyncio": ("asyncio", {"use_uvloop": False}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4)
    return path


async def open_path(path: str | bytes, within: str | None) -> ReadableFile:
    return await open_async(partial(open_file, path, within))


def descriptors_of(path: Path) -> list[str]:
    """The descriptors of this process that are open on `path`."""
    found: list[str] = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}") == str(path):
                found.append(fd)
        except FileNotFoundError:  # that of the listing itself
            pass
    return found


class Settling:
    """Knows when everything has ended that was begun after it."""

    def __init__(self) -> None:
        self._before = self._tasks()

    @staticmethod
    def _tasks() -> set[int]:
        return {task.id for task in anyio.get_running_tasks()}

    async def settled(self) -> None:
        with anyio.fail_after(10):
            while not self._tasks() <= self._before:
                await anyio.sleep(0.001)


class TestOpening:
    async def test_size_and_time_are_those_that_fstat_said(self, path: Path) -> None:
        os.utime(path, ns=(5, 1_700_000_000_123_456_789))
        file = await open_path(str(path), None)
        assert (file.info.size, file.info.mtime_ns) == (1024, 1_700_000_000_123_456_789)
        assert file.fd is not None
        assert os.fstat(file.fd).st_ino == path.stat().st_ino
        await file.close()
        assert descriptors_of(path) == []

    async def test_confined(self, path: Path) -> None:
        file = await open_path("file", str(path.parent))
        assert await file.read_at(0, 2) == b"\x00\x01"
        await file.close()
        with pytest.raises(FileNotFoundError):
            await open_path("../file", str(path.parent))

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            ("none", FileNotFoundError),
            ("", IsADirectoryError),
            ("file/x", NotADirectoryError),
            ("fifo", FileNotFoundError),
            ("a\0b", FileNotFoundError),
            (b"\xff", FileNotFoundError),
        ],
    )
    async def test_errors_are_those_of_open_file(self, name: str | bytes, error: type[Exception], path: Path) -> None:
        os.mkfifo(path.with_name("fifo"))
        with pytest.raises(error):
            await open_path(name, str(path.parent))

    async def test_twenty_cancelled_ones_leak_nothing(self, path: Path) -> None:
        """Each is cancelled a little later than the one before: before, while and after the thread opens it."""
        opened: list[ReadableFile] = []
        settling = Settling()

        async def owner() -> None:
            opened.append(await open_path(str(path), None))

        for turns in range(20):
            async with anyio.create_task_group() as group:
                group.start_soon(owner)
                for _ in range(turns):
                    await anyio.sleep(0)
                group.cancel_scope.cancel()
        await settling.settled()
        assert len(descriptors_of(path)) == len(opened)
        for file in opened:
            await file.close()
        assert descriptors_of(path) == []

    async def test_a_cancelled_one_that_fails_is_nobodys_error(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        settling = Settling()
        for turns in range(3):
            async with anyio.create_task_group() as group:
                group.start_soon(open_path, str(path.with_name("none")), None)
                for _ in range(turns):
                    await anyio.sleep(0)
                group.cancel_scope.cancel()
        await settling.settled()
        assert caplog.records == []


class TestReading:
    async def test_a_file_is_read_at_any_place_in_any_order(self, path: Path) -> None:
        whole = path.read_bytes()
        file = await open_path(str(path), None)
        for offset, count in [(0, 10), (10, 10), (500, 100), (0, 1024), (1000, 100), (1024, 5), (5000, 5), (3, 0)]:
            assert await file.read_at(offset, count) == whole[offset : offset + count]
        await file.close()

    async def test_a_file_that_shrank_gives_less_and_then_nothing(self, path: Path) -> None:
        file = await open_path(str(path), None)
        os.truncate(path, 600)
        assert len(await file.read_at(500, 500)) == 100
        assert await file.read_at(600, 500) == b""
        await file.close()

    async def test_reads_at_the_same_time_do_not_disturb_each_other(self, path: Path) -> None:
        whole = path.read_bytes()
        file = await open_path(str(path), None)

        async def check(offset: int) -> None:
            assert await file.read_at(offset, 50) == whole[offset : offset + 50]

        async with anyio.create_task_group() as group:
            for offset in range(0, 1000, 50):
                group.start_soon(check, offset)
        await file.close()

    async def test_a_cancelled_read_disturbs_neither_the_next_one_nor_the_closing(self, path: Path) -> None:
        whole = path.read_bytes()
        for turns in range(20):
            file = await open_path(str(path), None)
            async with anyio.create_task_group() as group:
                group.start_soon(file.read_at, 100, 300)
                for _ in range(turns):
                    await anyio.sleep(0)
                group.cancel_scope.cancel()
            if turns % 2:
                assert await file.read_at(400, 100) == whole[400:500]
            await file.close()
        assert descriptors_of(path) == []


class TestClosing:
    async def test_once(self, path: Path) -> None:
        file = await open_path(str(path), None)
        await file.close()
        reused = os.open(path, os.O_RDONLY)
        await file.close()
        os.close(reused)  # fails if the second closing was one

    async def test_also_when_cancelled(self, path: Path) -> None:
        settling = Settling()
        file = await open_path(str(path), None)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await file.close()
        await settling.settled()
        assert descriptors_of(path) == []


class TestNativeCancellation:
    """asyncio's `task.cancel()` goes through every shield that anyio can put up."""

    @staticmethod
    def test_a_cancellation_leaks_nothing_whenever_it_comes(path: Path, caplog: pytest.LogCaptureFixture) -> None:
        async def owner() -> None:
            file = await open_path(str(path), None)
            try:
                while True:
                    await file.read_at(0, 1000)
            finally:
                await file.close()

        async def test() -> None:
            settling = Settling()
            for turns in range(60):
                task = asyncio.create_task(owner())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await settling.settled()
            assert descriptors_of(path) == []

        asyncio.run(test())
        assert caplog.records == []


@given(size=st.integers(0, 3000), offset=st.integers(0, 4000), count=st.integers(0, 4000))
def test_reading_is_slicing(size: int, offset: int, count: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "sliced"
    data = os.urandom(size)
    path.write_bytes(data)

    async def test() -> bytes:
        file = await open_path(str(path), None)
        try:
            return await file.read_at(offset, count)
        finally:
            await file.close()

    assert asyncio.run(test()) == data[offset : offset + count]
