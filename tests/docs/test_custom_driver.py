"""The driver of the documentation, as a process, spoken to by curl's kind of client."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-m", "examples.custom_driver", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"(\d+)\)$", line.strip())
        assert found is not None, line
        try:
            yield int(found[1])
        finally:
            process.terminate()


def answer(port: int, request: str) -> tuple[str, bytes]:
    """The head and the body of what comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"{request}\r\nHost: test\r\n\r\n".encode())
        received = b""
        while piece := client.recv(65536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode("ascii"), body


def test_json(port: int) -> None:
    head, body = answer(port, "GET /hello/Zo%C3%AB HTTP/1.1")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "content-length: 16" in head
    assert body == '{"hello":"Zoë"}'.encode()


def test_a_file(port: int) -> None:
    head, body = answer(port, "GET /source/hello.py HTTP/1.1")
    assert "etag: " in head
    assert body == (ROOT / "examples" / "hello.py").read_bytes()


def test_no_way_out_of_the_directory(port: int) -> None:
    head, _ = answer(port, "GET /source/../README.md HTTP/1.1")
    assert head.startswith("HTTP/1.1 404 ")


def test_a_stream_is_chunked_for_http_1_1_and_ends_with_the_connection_for_1_0(port: int) -> None:
    head, body = answer(port, "GET /count HTTP/1.1")
    assert "transfer-encoding: chunked" in head
    assert body == b"2\r\n0\n\r\n2\r\n1\n\r\n2\r\n2\n\r\n0\r\n\r\n"
    head, body = answer(port, "GET /count HTTP/1.0")
    assert "transfer-encoding" not in head
    assert body == b"0\n1\n2\n"


def test_head_has_no_body(port: int) -> None:
    head, body = answer(port, "HEAD /hello/you HTTP/1.1")
    assert "content-length: 15" in head
    assert body == b""
