"""Downloads that go on in a process of their own, so that whoever measures meanwhile shares no GIL with them.

    python -m benchmarks.downloading PORT PATH COUNT PAUSE

prints a line when they have begun, goes on until its standard input ends, and prints how many MiB a second came in
all. With a pause, each reads 64 KiB and sleeps so many milliseconds, over and over: a client on a slow line.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from benchmarks.client import Connection

__all__ = ["Downloads", "downloading"]

ROOT = Path(__file__).parents[1]
MIB = 1024 * 1024
STEP = MIB
SLOW_STEP = 64 * 1024


class Downloads:
    """What came of them; `speed` is known when they are over."""

    def __init__(self) -> None:
        self.speed = 0.0  # MiB a second, of all together


@contextmanager
def downloading(port: int, path: str, count: int, pause_ms: float = 0.0) -> Generator[Downloads]:
    """So many downloads of the same at once, each beginning anew when it is over."""
    command = [sys.executable, "-m", "benchmarks.downloading", str(port), path, str(count), str(pause_ms)]
    found = Downloads()
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise SystemExit("the downloads did not begin (see above)")
            yield found
            process.stdin.close()
            line = process.stdout.readline()
            if not line:
                raise SystemExit("a download failed (see above)")
            found.speed = float(line)
        finally:
            process.kill()


class Download:
    """One connection that downloads the same again and again."""

    def __init__(self, port: int, path: str, pause: float) -> None:
        self.received = 0
        self.failed = False
        self._connection = Connection(port)
        self._path = path
        self._pause = pause

    def run(self) -> None:
        """For a thread of its own."""
        try:
            while True:
                self._once()
        except BaseException:
            self.failed = True
            raise

    def _once(self) -> None:
        connection = self._connection
        connection.ask(self._path)
        length, had = connection.head()
        self.received += had
        left = length - had
        step = SLOW_STEP if self._pause else STEP
        while left > 0:
            count = min(step, left)
            connection.skip(count)
            left -= count
            self.received += count
            if self._pause:
                time.sleep(self._pause)


def main() -> None:
    port, path, count, pause_ms = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    downloads = [Download(port, path, pause_ms / 1000) for _ in range(count)]
    began = time.perf_counter()
    for download in downloads:
        Thread(target=download.run, daemon=True).start()
    print("begun", flush=True)
    sys.stdin.read()
    seconds = time.perf_counter() - began
    if any(download.failed for download in downloads):
        raise SystemExit(1)
    print(sum(download.received for download in downloads) / MIB / seconds, flush=True)


if __name__ == "__main__":
    main()
