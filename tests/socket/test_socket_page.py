"""docs/socket.md says what the limits are."""

from __future__ import annotations

from pathlib import Path

import pytest

from heaven_socket import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "socket.md").read_text()


@pytest.mark.parametrize("name", sorted(Limits.__slots__))
def test_each_limit_is_there_with_its_default(name: str) -> None:
    default: object = getattr(Limits(), name)
    assert f"| `{name}` | {default} |" in PAGE
