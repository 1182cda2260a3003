"""uvicorn with one application in a process of its own, and what it has used so far.

    python -m benchmarks.server bare

serves an application by its name, on a free port that it prints first; the benchmarks start it with `serve`.
"""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import uvicorn

from benchmarks.asgi_apps import ASGI

__all__ = ["ServerProcess", "serve"]

ROOT = Path(__file__).parents[1]


class ServerProcess:
    """A server that runs. What is asked for is there on Linux only."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port
        # The CPU clock of another process, by the rule of clock_getcpuclockid(3), for which Python has no name. It
        # has what utime and stime in /proc/PID/stat sum up to, in nanoseconds instead of hundredths of a second.
        self._clock = ~pid << 3 | 2

    def cpu_ns(self) -> int:
        """CPU time of the process since it began, in nanoseconds."""
        return time.clock_gettime_ns(self._clock)

    def memory(self, field: str) -> int:
        """Bytes by `field` of /proc/PID/status: VmRSS is now, VmHWM the most so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024
        raise KeyError(field)


@contextmanager
def serve(factory: str, *arguments: str) -> Generator[ServerProcess]:
    """Start a server with the application that the function `module:name` makes of these arguments."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
    command = [sys.executable, "-m", "benchmarks.server", factory, *arguments]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the server did not start (see above)")
            yield ServerProcess(process.pid, int(line))
        finally:
            process.terminate()


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    make: Callable[..., ASGI] = getattr(importlib.import_module(module), name)
    for needed in ("httptools", "uvloop"):
        if find_spec(needed) is None:
            print(f"({needed} is not installed: these are not the figures of the issue)", file=sys.stderr)
    # With the protocol, which create_server leaves out: asyncio sees by it that TCP_NODELAY is to be set. Without it a
    # body waits 40 ms for the head to be acknowledged.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(make(*sys.argv[2:]), log_level="warning", access_log=False)
    print(listener.getsockname()[1], flush=True)  # connections wait in the backlog until it serves
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
