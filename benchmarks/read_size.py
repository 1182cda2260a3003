"""How many bytes to read at a time: the throughput of a hot file through `heaven_io.files`, by size of a read.

    python benchmarks/read_size.py [--mib 1024] [--rounds 3]

Each line is one size; the columns are MiB/s on each event loop, as a part of what `os.pread` alone gives with 1 MiB a
read in the same run. Behind it, in ms, the longest turn of the event loop while the file was read: how long another
request had to wait. No server is in it, which keeps what it could not send yet: `READ_SIZE` says what that changes.
Gates nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import anyio

from heaven_io.files import READ_SIZE, open_async
from heaven_io.opening import open_file

MIB = 1024 * 1024
SIZES = [16, 32, 64, 128, 256, 512, 1024, 2048]  # KiB
LOOPS: dict[str, tuple[str, dict[str, bool]]] = {"asyncio": ("asyncio", {}), "trio": ("trio", {})}
if find_spec("uvloop") is not None:
    LOOPS["uvloop"] = ("asyncio", {"use_uvloop": True})


def best(rounds: int, run: Callable[[], float]) -> float:
    return max(run() for _ in range(rounds))


def blocking(path: Path, size: int) -> float:
    """Bytes a second of `os.pread` and nothing else."""
    fd = os.open(path, os.O_RDONLY)
    began = time.perf_counter()
    offset = 0
    while data := os.pread(fd, size, offset):
        offset += len(data)
    seconds = time.perf_counter() - began
    os.close(fd)
    return offset / seconds


async def reading(path: Path, size: int) -> tuple[float, float]:
    """Bytes a second, and the longest turn of the loop in seconds."""
    speed = longest = 0.0

    async def other_request() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await anyio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    async with anyio.create_task_group() as group:
        group.start_soon(other_request)
        file = await open_async(partial(open_file, str(path), None))
        began = time.perf_counter()
        offset = 0
        while data := await file.read_at(offset, size):
            offset += len(data)
        speed = offset / (time.perf_counter() - began)
        await file.close()
        group.cancel_scope.cancel()
    return speed, longest


def main() -> None:
    parser = argparse.ArgumentParser(description="Throughput of a hot file by size of a read.")
    parser.add_argument("--mib", type=int, default=1024, help="size of the file in MiB")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hot"
        with path.open("wb") as file:
            for _ in range(arguments.mib):
                file.write(os.urandom(4096) * 256)
        floor = best(arguments.rounds, lambda: blocking(path, MIB))
        print(f"{arguments.mib} MiB, hot; os.pread alone, 1 MiB a read: {floor / MIB:.0f} MiB/s")
        print(f"{'KiB':>6}" + "".join(f"{name:>10} {'part':>6} {'ms':>6}" for name in LOOPS))
        for kib in SIZES:
            cells: list[str] = []
            for backend, options in LOOPS.values():
                results = [
                    anyio.run(reading, path, kib * 1024, backend=backend, backend_options=options)
                    for _ in range(arguments.rounds)
                ]
                speed, longest = max(results)
                cells.append(f"{speed / MIB:>10.0f} {speed / floor:>6.2f} {longest * 1000:>6.1f}")
            mark = "  READ_SIZE" if kib * 1024 == READ_SIZE else ""
            print(f"{kib:>6}" + "".join(cells) + mark, flush=True)


if __name__ == "__main__":
    main()
