"""Servers as data: how each kind is started, and one that runs.

A kind is a command line that serves the app whose module name is in the environment. A further adapter adds its kinds
to `KINDS`, and all wire tests run on them. Those of WSGI are apart: what a client leaves, shutdowns and connections are
the servers' own there, so that each test says which of them it is for.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

__all__ = [
    "ASGI_KINDS",
    "EVERY_KIND",
    "GRANIAN",
    "GUNICORN",
    "GUNICORN_THREADS",
    "HYPERCORN",
    "HYPERCORN_TRIO",
    "KINDS",
    "SOCKET_KINDS",
    "UVICORN",
    "UVICORN_HTTPTOOLS",
    "UWSGI",
    "UWSGI_THREADS",
    "WAITRESS",
    "WSGI_KINDS",
    "Kind",
    "Server",
    "until",
]

ROOT: Final = Path(__file__).parents[2]
# Seconds until something that takes milliseconds counts as hung: the machine may be busy.
PATIENCE: Final = 20.0


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """A server, and how it is configured. `arguments` makes what follows `python -m` from a port."""

    name: str
    arguments: Callable[[int], list[str]]


def _uvicorn(http: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return [
            *("uvicorn", "tests.wire.asgi_target:application", "--host", "127.0.0.1", "--port", str(port)),
            *("--http", http, "--loop", "asyncio", "--no-access-log", "--timeout-graceful-shutdown", "5"),
        ]

    return arguments


def _hypercorn(worker: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return [
            *("hypercorn", "tests.wire.asgi_target:application", "--bind", f"127.0.0.1:{port}"),
            *("--worker-class", worker, "--graceful-timeout", "1"),
        ]

    return arguments


def _granian(port: int) -> list[str]:
    return [
        *("granian", "tests.wire.asgi_target:application", "--interface", "asgi", "--host", "127.0.0.1"),
        *("--port", str(port), "--loop", "asyncio"),
    ]


def _socket(backend: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return ["tests.wire.socket_target", str(port), backend]

    return arguments


_WSGI_TARGET: Final = "tests.wire.wsgi_target:application"


def _gunicorn(worker: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return [
            *("gunicorn", _WSGI_TARGET, "--bind", f"127.0.0.1:{port}", "--worker-class", worker),
            *("--threads", "16" if worker == "gthread" else "1", "--graceful-timeout", "5", "--no-control-socket"),
        ]

    return arguments


def _waitress(port: int) -> list[str]:
    return ["waitress", "--listen", f"127.0.0.1:{port}", "--threads", "16", "--no-expose-tracebacks", _WSGI_TARGET]


def _uwsgi(*options: str) -> Callable[[int], list[str]]:
    def arguments(port: int) -> list[str]:
        return [
            *("tests.wire.uwsgi_program", "--http-socket", f"127.0.0.1:{port}", "--module", _WSGI_TARGET),
            *(
                "--master",
                "--need-app",
                "--die-on-term",
                "--disable-logging",
                "--stats",
                f"stats-{port}.sock",
                *options,
            ),
        ]

    return arguments


UVICORN: Final = Kind("uvicorn-h11", _uvicorn("h11"))
UVICORN_HTTPTOOLS: Final = Kind("uvicorn-httptools", _uvicorn("httptools"))
HYPERCORN: Final = Kind("hypercorn-asyncio", _hypercorn("asyncio"))
HYPERCORN_TRIO: Final = Kind("hypercorn-trio", _hypercorn("trio"))
GRANIAN: Final = Kind("granian", _granian)
ASGI_KINDS: Final = (UVICORN, UVICORN_HTTPTOOLS, HYPERCORN, HYPERCORN_TRIO, GRANIAN)
SOCKET_KINDS: Final = tuple(
    [Kind(f"socket-{name}", _socket(name)) for name in ("asyncio", "uvloop", "trio", "streams")]
)
GUNICORN: Final = Kind("gunicorn-sync", _gunicorn("sync"))
GUNICORN_THREADS: Final = Kind("gunicorn-gthread", _gunicorn("gthread"))
WAITRESS: Final = Kind("waitress", _waitress)
UWSGI: Final = Kind("uwsgi", _uwsgi())
UWSGI_THREADS: Final = Kind("uwsgi-threads", _uwsgi("--enable-threads", "--threads", "16"))
WSGI_KINDS: Final = (GUNICORN, GUNICORN_THREADS, WAITRESS, UWSGI, UWSGI_THREADS)
KINDS: Final = (*ASGI_KINDS, *SOCKET_KINDS)
EVERY_KIND: Final = (*KINDS, *WSGI_KINDS)


@final
class Server:
    """A server of its own process, with `app` ("tests.wire.apps.everything") and `directory` for what it serves.

    `port` is that of one before it; without, it is a free one.
    """

    def __init__(
        self, kind: Kind, app: str, directory: Path, settings: dict[str, str], port: int | None = None
    ) -> None:
        self.kind: Final = kind
        self.app: Final = app
        self.directory: Final = directory
        self.port: Final = port or _free_port()
        self.log: Final = directory / f"{kind.name}-{self.port}.log"
        environment = dict(
            os.environ,
            PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "adapters")]),
            PYTHONUNBUFFERED="1",
            HEAVEN_TEST_APP=app,
            HEAVEN_TEST_DIRECTORY=str(directory),
            **settings,
        )
        with self.log.open("wb") as log:
            self.process: Final = subprocess.Popen(
                [sys.executable, "-m", *kind.arguments(self.port)],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # with its workers it is a process group, which can be ended as a whole
            )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def output(self) -> str:
        """What it has printed so far, on either stream."""
        return self.log.read_text(errors="replace")

    def wait_until_it_serves(self) -> bool:
        """Whether it takes connections; False when it has ended instead."""
        return until(lambda: not self.is_running or self._answers(), "the server to start", self) and self.is_running

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                connection.sendall(b"GET /text HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                return connection.recv(12) != b""
        except OSError:
            return False

    def terminate(self) -> None:
        """Ask it to end, as a service manager does."""
        if self.is_running:
            os.kill(self.process.pid, signal.SIGTERM)

    def interrupt(self) -> None:
        """Ask it to end, as Ctrl+C does."""
        if self.is_running:
            os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> int:
        """Its exit status."""
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        """End it, in order if it can."""
        self.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def until(condition: Callable[[], object], what: str, server: Server | None = None, seconds: float = PATIENCE) -> bool:
    """Wait for a condition, for as long as anything may take. Raises `AssertionError`, with what the server said."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            said = f"\n{server.output}" if server is not None else ""
            raise AssertionError(f"waited {seconds:g} s in vain for {what}{said}")
        time.sleep(0.005)
    return True


def _free_port() -> int:
    """One that nobody listens on. Somebody else may take it before the server does, which then fails to start."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
