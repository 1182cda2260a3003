"""Types are part of the contract: what is right passes both checkers, and both refuse what is wrong.

In `tests/typing/`, a line that must be refused has a `# type: ignore[code]`, and both checkers are told to
complain about one that is not needed. So a file passes only if each of its wrong lines is wrong for both of
them, and no other line is.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RIGHT = sorted(ROOT.glob("tests/typing/right_*.py"))
WRONG = sorted(ROOT.glob("tests/typing/wrong_*.py"))


def check(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command, *(str(path) for path in (*RIGHT, *WRONG))],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_takes_what_is_right_and_refuses_what_is_wrong() -> None:
    check("mypy", "--no-error-summary")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pyright_takes_what_is_right_and_refuses_what_is_wrong() -> None:
    check("pyright", "--pythonpath", sys.executable)


@pytest.mark.parametrize("path", RIGHT, ids=[path.stem for path in RIGHT])
def test_a_right_file_silences_nothing(path: Path) -> None:
    assert "ignore" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=[path.stem for path in WRONG])
def test_a_wrong_file_has_pyright_look_for_comments_that_are_not_needed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "# pyright: reportUnnecessaryTypeIgnoreComment=true\n" in text
    assert re.search(r"# type: ignore\[[a-z-]+\]\n", text)
