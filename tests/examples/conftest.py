"""What the tests of the showcase share: it runs as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.programs import DEADLINE

__all__ = ["Showcase", "Start", "showcase", "start"]

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Showcase:
    """A showcase that answers."""

    process: subprocess.Popen[str]
    printed: str
    port: int
    temporary: Path  # where it makes its files

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture(params=["uvicorn", "asyncio", "uvloop", "trio"])
def served_by(request: pytest.FixtureRequest) -> str:
    """uvicorn, or heaven-core's own server on this event loop."""
    return str(request.param)


@pytest.fixture
def start(tmp_path: Path, served_by: str) -> Iterator[Start]:
    """`start(port)` runs `python -m examples.showcase`. At the end of the test it is stopped."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
    environment = dict(os.environ, PYTHONPATH=paths, TMPDIR=str(tmp_path), SERVER=served_by)
    started: list[subprocess.Popen[str]] = []

    def run(port: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.showcase"],
            cwd=ROOT,
            env=environment | {"PORT": port},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.terminate()
            try:
                process.wait(DEADLINE)
            finally:
                process.kill()


@pytest.fixture
def showcase(start: Start, tmp_path: Path) -> Showcase:
    process = start("0")
    assert process.stdout is not None
    printed: list[str] = []
    for line in process.stdout:
        printed.append(line)
        if "Ctrl-C" in line:
            break
    text = "".join(printed)
    address = re.search(r"http://127\.0\.0\.1:(\d+)/\n", text)
    assert address is not None, text
    return Showcase(process, text, int(address[1]), tmp_path)
