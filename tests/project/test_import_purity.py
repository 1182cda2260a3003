"""Importing the core loads nothing that can do I/O, start a thread or run a loop."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = ("asyncio", "logging", "select", "socket", "ssl", "subprocess", "threading")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.glob("heaven_core/**/*.py")
)

# One interpreter imports the modules one after the other and says what each of them brought along first.
SCRIPT = """
import sys
root, modules, forbidden = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")
sys.path.insert(0, root)
seen = {"": [name for name in forbidden if name in sys.modules]}
for module in modules:
    before = set(sys.modules)
    __import__(module)
    seen[module] = [name for name in forbidden if name in sys.modules and name not in before]
import json
print(json.dumps(seen))
"""


@cache
def brought_along(modules: tuple[str, ...]) -> dict[str, list[str]]:
    """What a fresh interpreter has loaded: at its start (""), and after each module."""
    # -S: a .pth file of the environment may load `threading` first and blind the test. -I: ignore PYTHON*.
    command = [sys.executable, "-I", "-S", "-c", SCRIPT, str(ROOT), ",".join(modules), ",".join(FORBIDDEN)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def test_a_fresh_interpreter_has_none_of_them() -> None:
    assert brought_along(("heaven_core",))[""] == []


def test_importing_heaven_core_loads_no_io_module() -> None:
    assert brought_along(("heaven_core",))["heaven_core"] == []


@pytest.mark.parametrize("module", MODULES)
def test_each_module_of_the_core_loads_no_io_module(module: str) -> None:
    assert brought_along(tuple(MODULES))[module] == []


def test_the_check_sees_what_a_module_brings_along() -> None:
    assert brought_along(("http", "http.client"))["http"] == []
    assert "socket" in brought_along(("http", "http.client"))["http.client"]
