"""`python -m examples.showcase`, as a process of its own: what it prints, and how it ends."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DEADLINE: Final = 30.0

pytestmark = pytest.mark.slow


def start(port: str) -> subprocess.Popen[str]:
    environment = dict(os.environ, PORT=port, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "adapters")]))
    return subprocess.Popen(
        [sys.executable, "-m", "examples.showcase"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def showcase() -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """The process, what it has printed, and its port."""
    with start("0") as process:
        try:
            assert process.stdout is not None
            printed: list[str] = []
            for line in process.stdout:
                printed.append(line)
                if "Ctrl-C" in line:
                    break
            text = "".join(printed)
            address = re.search(r"http://127\.0\.0\.1:(\d+)/\n", text)
            assert address is not None, text
            yield process, text, int(address[1])
        finally:
            process.kill()


def test_prints_a_curl_line_for_each_feature(showcase: tuple[subprocess.Popen[str], str, int]) -> None:
    _, text, port = showcase
    lines = [line for line in text.splitlines() if " curl " in line]
    titles = [line.split(" curl ")[0].strip(" .") for line in lines]
    for feature in (
        "Text",
        "JSON",
        "File",
        "Download",
        "Stream",
        "Events",
        "Redirect",
        "Abort",
        "Deferred work",
    ):
        assert feature in titles
    for line in lines:
        words = shlex.split(line.partition("curl ")[2])
        assert sum(word.startswith(f"http://127.0.0.1:{port}/") for word in words) == 1, line


def test_answers_as_soon_as_it_says_so(showcase: tuple[subprocess.Popen[str], str, int]) -> None:
    _, _, port = showcase
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 200
    assert b"heaven-core" in response.read()
    connection.close()


@pytest.mark.skipif(os.name != "posix", reason="no such signal")
def test_ctrl_c_stops_it_in_order(showcase: tuple[subprocess.Popen[str], str, int]) -> None:
    """Also while a stream is open."""
    process, _, port = showcase
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("GET", "/events")
    response = connection.getresponse()
    assert response.status == 200
    assert response.readline().startswith(b"id: 1")
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=DEADLINE)
    connection.close()
    assert out.endswith("Stopped.\n")
    assert errors == ""
    assert process.returncode == 0


def test_a_port_that_is_taken_is_a_clear_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = start(str(port))
        out, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert out == ""
    assert errors.startswith(f"Port {port} of 127.0.0.1 can't be used: ")
    assert "PORT=" in errors


@pytest.mark.parametrize("port", ["http", "-1", "65536", "٣", ""])
def test_a_port_that_is_none_is_a_clear_message(port: str) -> None:
    process = start(port)
    out, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert out == ""
    assert errors == f"PORT must be a number from 0 to 65535, not {port!r}.\n"
