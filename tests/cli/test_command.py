"""The command `heaven-core serve`, as a process: what it prints, what it serves, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from urllib.request import urlopen

import pytest

import heaven_core
from heaven_cli.target import FACTORY_VARIABLE

ROOT = Path(__file__).parents[2]
APP = """
from heaven_core import App, Context, Request, Response

async def hello(req: Request, res: Response, ctx: Context) -> None:
    res.body = "hello"

app = App()
app.GET("/hello", hello)

def make_app() -> App:
    print("the factory was called", flush=True)
    return app
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "heaven_cli", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(), capture_output=True, text=True, timeout=50, check=False
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.slow
def test_a_wrong_target_is_a_usage_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(APP)
    found = run(tmp_path, "serve", "served:ap")
    assert found.returncode == 2
    assert "did you mean served:app?" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.slow
def test_help_says_whose_the_options_are(tmp_path: Path) -> None:
    found = run(tmp_path, "serve", "--help")
    assert found.returncode == 0
    assert "uvicorn" in found.stdout


@pytest.mark.slow
def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise ModuleNotFoundError('no click here', name='click')\n")
    found = run(tmp_path, "serve", "served:app")
    assert found.returncode == 1
    assert 'needs the package click for this: pip install "heaven-core[asgi]"' in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("extra", [(), ("--workers", "2"), ("--reload",)], ids=["one", "workers", "reload"])
def test_the_command_serves_with_the_options_of_uvicorn(tmp_path: Path, extra: tuple[str, ...]) -> None:
    assert_served(tmp_path, "served:app", *extra)


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["asgi", "socket"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_factory_is_called_in_each_process_that_serves(tmp_path: Path, adapter: str, workers: int) -> None:
    options = ("--factory", "--adapter", adapter, *(() if workers == 1 else ("--workers", str(workers))))
    printed = assert_served(tmp_path, "served:make_app", *options)
    called = printed.count(b"the factory was called")
    assert called == 1 if workers == 1 else called >= 1


@pytest.mark.slow
def test_a_server_that_one_with_a_factory_has_started_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FACTORY_VARIABLE, "1")
    assert_served(tmp_path, "served:app")


def assert_served(folder: Path, target: str, *options: str) -> bytes:
    """Serve it until it has answered. What the command has printed."""
    (folder / "served.py").write_text(APP)
    port = free_port()
    process = subprocess.Popen(
        command("serve", target, "--port", str(port), *options),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        assert fetched(process, port) == b"hello"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            printed = process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed = process.communicate()[0]
    return printed


def _runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=0.05)
    except subprocess.TimeoutExpired:
        return True
    return False


def fetched(process: subprocess.Popen[bytes], port: int) -> bytes:
    """The answer of the server, as soon as it listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _runs(process):
        try:
            with urlopen(f"http://127.0.0.1:{port}/hello", timeout=10) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            continue
    raise AssertionError(f"no answer; the process: {process.poll()}")


def test_the_version_says_which_build_it_is(tmp_path: Path) -> None:
    done = run(tmp_path, "--version")
    build = "compiled" if heaven_core.compiled else "pure Python"
    assert done.stdout.endswith(f", version {version('heaven-core')} ({build})\n")
