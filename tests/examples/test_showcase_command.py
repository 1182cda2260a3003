"""`python -m examples.showcase`, as a process of its own: what it prints, and how it ends."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.examples.conftest import Showcase, Start
from tests.programs import DEADLINE

pytestmark = pytest.mark.slow


def test_prints_a_curl_line_for_each_feature(showcase: Showcase) -> None:
    lines = [line for line in showcase.printed.splitlines() if " curl " in line]
    titles = [line.split(" curl ")[0].strip(" .") for line in lines]
    for feature in (
        "Text",
        "JSON",
        "File",
        "Download",
        "Media",
        "resumed",
        "Stream",
        "Events",
        "Redirect",
        "Abort",
        "Deferred work",
    ):
        assert feature in titles
    for line in lines:
        words = shlex.split(line.partition("curl ")[2])
        assert sum(word.startswith(f"{showcase.url}/") for word in words) == 1, line


def test_answers_as_soon_as_it_says_so(showcase: Showcase) -> None:
    connection = HTTPConnection("127.0.0.1", showcase.port, timeout=DEADLINE)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 200
    assert b"heaven-core" in response.read()
    connection.close()


@pytest.mark.skipif(os.name != "posix", reason="no such signal")
def test_ctrl_c_stops_it_in_order(showcase: Showcase) -> None:
    """Also while a stream is open. Nothing stays behind."""
    connection = HTTPConnection("127.0.0.1", showcase.port, timeout=DEADLINE)
    connection.request("GET", "/events")
    response = connection.getresponse()
    assert response.status == 200
    assert response.readline().startswith(b"id: 1")
    assert len(list(showcase.temporary.glob("*/melody.wav"))) == 1
    showcase.process.send_signal(signal.SIGINT)
    out, errors = showcase.process.communicate(timeout=DEADLINE)
    connection.close()
    assert out.endswith("Stopped.\n")
    assert errors == ""
    assert showcase.process.returncode == 0
    assert list(showcase.temporary.iterdir()) == []


def test_a_port_that_is_taken_is_a_clear_message(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = start(str(port))
        out, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert out == ""
    assert errors.startswith(f"Port {port} of 127.0.0.1 can't be used: ")
    assert "PORT=" in errors


@pytest.mark.parametrize("port", ["http", "-1", "65536", "٣", ""])
def test_a_port_that_is_none_is_a_clear_message(start: Start, port: str) -> None:
    process = start(port)
    out, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert out == ""
    assert errors == f"PORT must be a number from 0 to 65535, not {port!r}.\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of the size of files is Linux's")
def test_a_recording_that_does_not_fit_is_a_failure_with_its_reason(start: Start, tmp_path: Path) -> None:
    if sys.platform == "linux":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))  # the process inherits it
        try:
            process = start("0")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        out, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == 1
        assert out.endswith("Not started.\n")
        assert "File too large" in errors
        assert list(tmp_path.iterdir()) == []
