"""uvicorn with one application in a process of its own, and what it has used so far.

    python -m benchmarks.server [--loop asyncio] [--graceful 5] MODULE:FACTORY [ARGUMENT ...]

serves the application that a function makes, on a free port that it prints first; the benchmarks start it with `serve`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import uvicorn

from benchmarks.asgi_apps import ASGI

__all__ = ["ServerProcess", "allow_many_connections", "serve", "serve_program"]

ROOT = Path(__file__).parents[1]
PATIENCE = 20.0  # seconds that a server has for its end


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
def serve(factory: str, *arguments: str, options: Sequence[str] = ()) -> Generator[ServerProcess]:
    """Start uvicorn with the application that the function `module:name` makes of these arguments."""
    with serve_program("benchmarks.server", *options, factory, *arguments) as server:
        yield server


@contextmanager
def serve_program(module: str, *arguments: str, core: int | None = None) -> Generator[ServerProcess]:
    """Start a server that is a program, and prints its port first; on this core, if one is given."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the server did not start (see above)")
            yield ServerProcess(process.pid, int(line))
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def allow_many_connections() -> None:
    """Let this process have as many open files as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser(description="uvicorn with one application.")
    parser.add_argument("--loop", default="auto", choices=("auto", "asyncio", "uvloop"))
    parser.add_argument("--graceful", type=int, help="seconds that connections have at the shutdown, else any number")
    parser.add_argument("--log-level", default="warning", help="of uvicorn's own messages")
    parser.add_argument("factory", metavar="MODULE:FACTORY")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs="*")
    options = parser.parse_args()
    module, _, name = options.factory.partition(":")
    make: Callable[..., ASGI] = getattr(importlib.import_module(module), name)
    allow_many_connections()
    for needed in ("httptools",) if options.loop == "asyncio" else ("httptools", "uvloop"):
        if find_spec(needed) is None:
            print(f"({needed} is not installed: these are not the figures of the issue)", file=sys.stderr)
    # With the protocol, which create_server leaves out: asyncio sees by it that TCP_NODELAY is to be set. Without it a
    # body waits 40 ms for the head to be acknowledged.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(
        make(*options.arguments),
        loop=options.loop,
        log_level=options.log_level,
        access_log=False,
        timeout_graceful_shutdown=options.graceful,
    )
    print(listener.getsockname()[1], flush=True)  # connections wait in the backlog until it serves
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
