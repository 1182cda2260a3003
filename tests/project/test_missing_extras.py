"""A package whose extra is not installed says which one it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("package", "missing", "extra"),
    [
        ("heaven_asgi", "anyio", "asgi"),
        ("heaven_asgi", "aiofiles", "asgi"),
        ("heaven_socket", "anyio", "socket"),
        ("heaven_socket", "h11", "socket"),
    ],
)
def test_the_extra_is_named(package: str, missing: str, extra: str) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None  # Python finds no such module then
try:
    import {package}
except ModuleNotFoundError as error:
    print(error.name, error)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert found.stdout == f'{missing} {package} needs the package {missing}: pip install "heaven-core[{extra}]"\n'


def test_the_wsgi_bridge_needs_none() -> None:
    program = "import sys; sys.modules.update(dict.fromkeys(['anyio', 'aiofiles', 'h11', 'click'])); import heaven_wsgi"
    subprocess.run([sys.executable, "-c", program], timeout=50, check=True)
