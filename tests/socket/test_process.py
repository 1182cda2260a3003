"""The server as a process: signals, exit status, workers; by the command that users type."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.wire.raw import Raw, read_answers, write_request
from tests.wire.servers import PATIENCE, until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BACKENDS = ["asyncio", "uvloop", "trio"]
APP = """
import os
import time
from contextlib import asynccontextmanager

import anyio

from heaven_core import App

@asynccontextmanager
async def lifespan(app):
    print("entered", flush=True)
    yield
    print("left", flush=True)

async def slow(req, res, ctx):
    print("begun", flush=True)
    await anyio.sleep(0.5)
    res.body = "slow"

async def events(req, res, ctx):
    async def items():
        try:
            yield "one"
            await anyio.sleep_forever()
        finally:
            print("closed", flush=True)
    res.stream(items(), sse=True, at_shutdown="bye")

def busy(req, res, ctx):
    print("begun", flush=True)
    time.sleep(60)

async def later(req, res, ctx):
    async def call(app):
        print("begun", flush=True)
        await anyio.sleep(0.3)
        print("deferred", flush=True)
    res.body = "deferring"
    res.defer(call)

app = App(lifespan=lifespan)
app.GET("/text", lambda req, res, ctx: setattr(res, "body", str(os.getpid())))
app.GET("/slow", slow)
app.GET("/events", events)
app.GET("/busy", busy)
app.GET("/later", later)
"""


@pytest.fixture
def kind() -> None:
    """Each test starts a process of its own."""


class Running:
    """One that serves, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.output, f"{text!r} in {self.output}")

    def tell(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def running(
    folder: Path, *arguments: str, target: str = "served:app", begins: str = "serving on"
) -> Generator[Running]:
    (folder / "served.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "heaven_cli", "serve", target),
                *("--adapter", "socket", "--port", str(port)),
                *arguments,
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Running(process, port, log)
    try:
        server.wait_for(begins)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ask(server: Running, path: str) -> str:
    with Raw(server.port) as raw:
        raw.send(write_request("GET", path, [("Connection", "close")]))
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
        return answer.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_signal_ends_it_in_order(backend: str, number: signal.Signals, tmp_path: Path) -> None:
    """Idle connections are closed, no new ones taken, responses end and streams are told; then the lifespan is left."""
    with running(tmp_path, "--backend", backend) as server:
        with Raw(server.port) as idle, Raw(server.port) as slow, Raw(server.port) as events, Raw(server.port) as later:
            idle.send(write_request("GET", "/text"))
            idle.read_answer()
            later.send(write_request("GET", "/later"))
            later.read_answer()
            slow.send(write_request("GET", "/slow"))
            events.send(write_request("GET", "/events"))
            events.read_until(b"data: one\n\n")
            until(lambda: server.output.count("begun") == 2, "both to begin")
            server.tell(number)
            assert idle.read_until_closed() == b""
            [answer] = read_answers(slow.read_until_closed(), ["GET"])
            assert (answer.text, answer.hop["connection"]) == ("slow", "close")
            [stream] = read_answers(events.read_until_closed(), ["GET"])
            assert (stream.body, stream.whole) == (b"data: one\n\ndata: bye\n\n", True)
        assert server.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            Raw(server.port)
        printed = [line for line in server.output.splitlines() if line in ("entered", "closed", "deferred", "left")]
        assert printed[0] == "entered"
        assert printed[-1] == "left"
        assert sorted(printed[1:-1]) == ["closed", "deferred"]


@pytest.mark.parametrize("path", ["/slow", "/busy"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_signal_ends_it_at_once(backend: str, path: str, tmp_path: Path) -> None:
    """Also where a handler holds the event loop up."""
    with running(tmp_path, "--backend", backend) as server, Raw(server.port) as waiting:
        waiting.send(write_request("GET", path))
        server.wait_for("begun")
        until(lambda: ended_by_another_signal(server), "it to end")
        assert server.wait() == -signal.SIGTERM
    assert "left" not in server.output


def ended_by_another_signal(server: Running) -> bool:
    if server.process.poll() is None:
        server.tell()
        time.sleep(0.05)
    return server.process.poll() is not None


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_signal_that_comes_twice_at_once_is_one(backend: str, tmp_path: Path) -> None:
    """A service manager tells each process of a group, and whoever looks after the workers tells them, too."""
    with running(tmp_path, "--backend", backend) as server, Raw(server.port) as slow:
        slow.send(write_request("GET", "/slow"))
        server.wait_for("begun")
        server.tell()
        server.tell()
        [answer] = read_answers(slow.read_until_closed(), ["GET"])
        assert answer.text == "slow"
        assert server.wait() == 0


def test_a_startup_that_hangs_is_ended_by_the_second_signal(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(
        "import asyncio\nfrom contextlib import asynccontextmanager\nfrom heaven_core import App\n"
        "@asynccontextmanager\nasync def lifespan(app):\n    print('entering', flush=True)\n"
        "    await asyncio.sleep(60)\n    yield\napp = App(lifespan=lifespan)\n"
    )
    with running(tmp_path, target="hanging:app", begins="entering") as server:
        until(lambda: ended_by_another_signal(server), "it to end")
        assert server.wait() == -signal.SIGTERM


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_share_the_sockets_and_one_that_dies_is_replaced(backend: str, tmp_path: Path) -> None:
    with running(tmp_path, "--backend", backend, "--workers", "2") as server:
        pids = {ask(server, "/text") for _ in range(40)}
        assert str(server.process.pid) not in pids
        time.sleep(1.1)  # one that dies before has never served
        victim = int(pids.pop())
        os.kill(victim, signal.SIGKILL)
        server.wait_for("another takes its place")
        until(lambda: server.output.count("entered") == 3, "the next one to begin", seconds=PATIENCE)
        assert ask(server, "/text") != str(victim)
        server.tell(signal.SIGINT)
        assert server.wait() == 0
        assert server.output.count("left") == 2


def test_workers_end_in_order_where_everybody_is_told(tmp_path: Path) -> None:
    """As systemd does it: the workers hear it from the manager, and from the one who looks after them."""
    with running(tmp_path, "--workers", "2") as server, Raw(server.port) as slow:
        # One that is told before it has begun to serve is ended by the signal, as it may be.
        until(lambda: server.output.count("entered") == 2, "both to begin", seconds=PATIENCE)
        pids = {int(ask(server, "/text")) for _ in range(40)}
        slow.send(write_request("GET", "/slow"))
        server.wait_for("begun")
        for pid in (*pids, server.process.pid):
            os.kill(pid, signal.SIGTERM)
        [answer] = read_answers(slow.read_until_closed(), ["GET"])
        assert answer.text == "slow"
        assert server.wait() == 0
        assert server.output.count("left") == 2


def test_workers_end_with_the_one_who_looks_after_them(tmp_path: Path) -> None:
    """Also where that one is killed: else they would go on serving, and the port would stay taken."""
    with running(tmp_path, "--workers", "2") as server:
        ask(server, "/text")
        server.process.kill()
        server.wait()
        until(lambda: refuses(server.port), "the workers to end")


def test_workers_that_can_not_serve_are_not_begun_for_ever(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "import os\nfrom heaven_core import App\napp = App()\nif 'LISTEN_FDS' in os.environ: 1/0\n"
    )
    found = command(tmp_path, "broken:app", "--port", "0", "--workers", "2")
    assert found.returncode == 1
    assert "giving up" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["served:ap"], "did you mean served:app?"),
        (
            ["served:app", "--certificate", "nowhere.pem"],
            "no TLS certificate with its key can be read from nowhere.pem",
        ),
        (["served:app", "--key", "nowhere.pem"], "--key is of no use without --certificate"),
        (["served:app", "--trusted-proxy", "300.1.1.1"], "'300.1.1.1' does not appear to be"),
        (["served:app", "--uds", "x", "--uds-mode", "9"], "no mode in octal digits"),
        (["served:app", "--host", "203.0.113.1"], "can't listen on 203.0.113.1:8000"),
        (["served:app", "--backend", "curio"], "'curio' is not one of"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(APP)
    found = command(tmp_path, *arguments)
    assert found.returncode != 0
    assert says in found.stderr
    assert "Traceback" not in found.stderr


def command(folder: Path, *arguments: Sequence[str] | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "heaven_cli", "serve", *map(str, arguments), "--adapter", "socket"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_its_help_lists_its_options(tmp_path: Path) -> None:
    found = command(tmp_path, "--help")
    assert found.returncode == 0
    assert "--trusted-proxy" in found.stdout


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_unix_socket_is_removed_in_the_end(backend: str, tmp_path: Path) -> None:
    with running(tmp_path, "--backend", backend, "--uds", "socket", "--uds-mode", "600") as server:
        path = tmp_path / "socket"
        assert path.is_socket()
        assert oct(path.stat().st_mode)[-3:] == "600"
        server.tell()
        assert server.wait() == 0
        assert not path.exists()
