"""A Python program of a test's own, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

__all__ = ["printed_by"]

PATIENCE: Final = 20.0


def printed_by(program: str) -> str:
    """What it prints; it has to end by itself, and well."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", program]
    ran = subprocess.run(command, env=environment, timeout=PATIENCE, check=True, stdout=subprocess.PIPE, text=True)
    return ran.stdout
