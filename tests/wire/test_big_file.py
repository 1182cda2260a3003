"""Any size: memory stays flat, and other requests are answered meanwhile."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.table.files import DATA
from tests.table.kit import Ask
from tests.wire.conftest import Serve
from tests.wire.raw import Raw, fetch, write_request
from tests.wire.servers import GRANIAN, UVICORN, UVICORN_HTTPTOOLS, Server

MIB: Final = 1024 * 1024
SIZE: Final = 1024 * MIB
MOST_GROWTH: Final = 16 * MIB


def memory(server: Server, what: str) -> int:
    """Bytes: VmRSS is what the process has now, VmHWM the most that it ever had."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path(f"/proc/{server.process.pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("kind", [UVICORN, UVICORN_HTTPTOOLS], ids=lambda kind: str(kind.name), indirect=True)
def test_a_gibibyte_costs_less_than_16_mib(serve: Serve) -> None:
    """Issue 3, "It must show" 4. The file is sparse: all of it is zeros, and no byte of it is on the disk."""
    server = serve("everything", fresh=True)
    path = server.directory / "big.bin"
    with path.open("wb") as file:
        file.truncate(SIZE)
    fetch(server.port, Ask(), "/data")  # what is imported and allocated once
    before = memory(server, "VmRSS")
    buffer = bytearray(MIB)
    received = answered = 0
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/big", [("Connection", "close")]))
        head, _, body = raw.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        assert f"content-length: {SIZE}".encode() in head.lower()
        received = len(body)
        while count := raw.socket.recv_into(buffer):
            # Nothing but the end is left in the buffers below when a quarter is still to come.
            if (received + count) // (64 * MIB) > received // (64 * MIB) and received < SIZE * 3 // 4:
                answer = fetch(server.port, Ask(), "/text")
                assert (answer.status, answer.text) == (200, "grüß dich")
                answered += 1
            received += count
    assert received == SIZE
    assert answered > 8
    growth = memory(server, "VmHWM") - before
    assert growth < MOST_GROWTH, f"{growth / MIB:.1f} MiB"


@pytest.mark.parametrize("kind", [GRANIAN], ids=lambda kind: str(kind.name), indirect=True)
def test_granian_sends_the_path_of_an_open_file_whole_each_time(serve: Serve) -> None:
    """It opens the path after `send` has returned: closed at once, most of these were granian's own 404."""
    server = serve("everything")
    offered = fetch(server.port, Ask(), "/extensions")
    assert "http.response.pathsend" in offered.text

    def download(_: int) -> tuple[int, bool, bool]:
        answer = fetch(server.port, Ask(), "/larger-file")
        return answer.status, answer.whole, answer.body == DATA

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(download, range(320))) == {(200, True, True)}
