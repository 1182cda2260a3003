"""A sparse file of 10 GiB through uvicorn: how soon its last KiB comes, and how much the process grows for all of it.

    python -m benchmarks.huge_file [--gib 10] [--folder /somewhere/on/a/disk]

The last KiB is asked for as `Range: bytes=-1024`, on a new connection each time, first of a file of which nothing is
in memory, then again and again. Then the whole file goes out once; the growth is what the process had at most in
memory less what it had before its first byte. That takes half a minute where the kernel finds 400 MiB of memory a
second for its zeros, which is what the MiB/s are about. Nothing is gated. Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.client import Connection
from benchmarks.server import serve

MIB = 1024 * 1024
OURS_FACTORY = "benchmarks.big_file:make_ours"
TAIL = 1024
TIMES = 50
AIM = 16.0  # MiB of growth, as in benchmarks.big_file


def tail_ms(port: int, path: str) -> float:
    """Milliseconds from connecting to the last byte of the last KiB. `ValueError` for anything but a 206 of that."""
    began = time.perf_counter()
    connection = Connection(port)
    connection.ask(path, (b"range", b"bytes=-%d" % TAIL))
    length, had = connection.head(status=206)
    if length != TAIL:
        raise ValueError(f"{length} bytes are not what was asked for")
    connection.skip(length - had)
    milliseconds = (time.perf_counter() - began) * 1000
    connection.close()
    return milliseconds


def report(gib: int, folder: str) -> None:
    path = Path(folder) / "huge"
    path.touch()
    os.truncate(path, gib * 1024 * MIB)
    with serve(OURS_FACTORY, folder) as server:
        connection = Connection(server.port)
        connection.fetch("/text")
        before = server.memory("VmRSS")
        first = tail_ms(server.port, "/files/huge")
        later = [tail_ms(server.port, "/files/huge") for _ in range(TIMES)]
        began = time.perf_counter()
        length = connection.fetch("/files/huge")
        speed = length / MIB / (time.perf_counter() - began)
        growth = (server.memory("VmHWM") - before) / MIB
        connection.close()
    print(f"a sparse file of {gib} GiB, heaven-core on uvicorn")
    print(
        f"  Range: bytes=-{TAIL} is a 206 of {TAIL} bytes: in {first:.2f} ms the first time, "
        f"then in {median(later):.2f} (median), {max(later):.2f} at most"
    )
    print(f"  all of it, {length} bytes: {speed:.0f} MiB/s, {growth:.1f} MiB of growth (aim < {AIM:g})")


def main() -> None:
    parser = argparse.ArgumentParser(description="A huge sparse file through uvicorn.")
    parser.add_argument("--gib", type=int, default=10, help="its size in GiB")
    parser.add_argument("--folder", help="where the file is made for as long as it takes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        report(arguments.gib, folder)


if __name__ == "__main__":
    main()
