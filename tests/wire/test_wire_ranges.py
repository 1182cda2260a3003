"""Ranges on real servers: several parts, read as a client would, and the clients that people use."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.programs import program
from tests.table.files import DATA
from tests.table.kit import Ask
from tests.wire.conftest import Serve, served_by
from tests.wire.raw import fetch
from tests.wire.servers import EVERY_KIND

pytestmark = served_by(*EVERY_KIND)

PATIENCE = 30.0  # seconds


def test_several_parts(serve: Serve) -> None:
    """RFC 9110 §14.6: the parts in the order asked for, under a boundary of this answer alone."""
    server = serve("everything")
    ask = Ask(headers=(("Range", "bytes=511990-,0-299999,300002-300002"),))
    answers = [fetch(server.port, ask, "/larger-file") for _ in range(2)]
    boundaries: set[bytes] = set()
    for answer in answers:
        assert (answer.status, answer.whole) == (206, True)
        fields = dict(answer.fields)
        assert int(fields[b"content-length"]) == len(answer.body)
        assert b"content-range" not in fields
        found = re.fullmatch(rb"multipart/byteranges; boundary=([0-9A-Za-z]+)", fields[b"content-type"])
        assert found is not None
        boundaries.add(found[1])
        head = b"--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %s/512000\r\n\r\n"
        assert answer.body == (
            head % (found[1], b"511990-511999") + DATA[511990:] + b"\r\n"
            + head % (found[1], b"0-299999") + DATA[:300000] + b"\r\n"
            + head % (found[1], b"300002-300002") + DATA[300002:300003] + b"\r\n"
            + b"--%s--\r\n" % found[1]
        )  # fmt: skip
    assert len(boundaries) == 2


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_curl_slices(serve: Serve, tmp_path: Path) -> None:
    server = serve("everything")
    out = tmp_path / "out"
    url = f"http://127.0.0.1:{server.port}/larger-file"
    for asked, expected in (("0-9", DATA[:10]), ("1000-300000", DATA[1000:300001]), ("-5", DATA[-5:])):
        run(program("curl"), "-sS", "--fail", "-r", asked, "-o", out, url)
        assert out.read_bytes() == expected


def test_curl_resumes(serve: Serve, tmp_path: Path) -> None:
    server = serve("everything")
    out = tmp_path / "out"
    out.write_bytes(DATA[:12345])
    run(program("curl"), "-sS", "--fail", "-C", "-", "-o", out, f"http://127.0.0.1:{server.port}/larger-file")
    assert out.read_bytes() == DATA


def test_wget_resumes(serve: Serve, tmp_path: Path) -> None:
    server = serve("everything")
    out = tmp_path / "larger-file"
    out.write_bytes(DATA[:12345])
    run(program("wget"), "-q", "--no-proxy", "-c", "-P", tmp_path, f"http://127.0.0.1:{server.port}/larger-file")
    assert out.read_bytes() == DATA


def test_aria2_takes_it_in_pieces(serve: Serve, tmp_path: Path) -> None:
    """Four connections, each with ranges of its own."""
    server = serve("everything")
    content = os.urandom(8 * 1024 * 1024)
    (server.directory / "shrinks.bin").write_bytes(content)
    run(
        program("aria2c"), "-q", "--no-conf", "-x4", "-s4", "-k1M", "-d", tmp_path, "-o", "out",
        f"http://127.0.0.1:{server.port}/shrinks",
    )  # fmt: skip
    assert (tmp_path / "out").read_bytes() == content
