"""Which build of the core this is: the pure one, or one whose modules mypyc has compiled."""

from __future__ import annotations

from typing import Final

__all__ = ["compiled"]

compiled: Final[bool] = not __file__.endswith(".py")
"""Whether the core is compiled: docs/compiled.md. All of it behaves the same, and takes less time."""
