"""What README and docs/ say is so: their code passes the type checkers and runs, their links lead somewhere."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
BLOCK: Final = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


# Whose blocks are one file, from top to bottom.
PROGRAM: Final = ROOT / "docs" / "small-app.md"


def blocks() -> list[tuple[str, str]]:
    """Each block of Python, with the page and the number it has there; those of a page that is one program, joined."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        parts: list[str] = BLOCK.findall(page.read_text(encoding="utf-8"))
        if page == PROGRAM:
            found.append(("shop", "\n\n".join(parts)))
        else:
            found += [(f"{page.stem.lower()}_{number}", part) for number, part in enumerate(parts)]
    return found


BLOCKS: Final = blocks()


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters"), str(folder)])}


def written(folder: Path) -> list[str]:
    names: list[str] = []
    for name, block in BLOCKS:
        (folder / f"{name}.py").write_text(block, encoding="utf-8")
        names.append(str(folder / f"{name}.py"))
    return names


def test_there_are_pages_with_code() -> None:
    assert {"README.md", "drivers.md", "errors.md", "states.md"} <= {page.name for page in PAGES}
    assert len(BLOCKS) >= 6


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_each_link_to_a_file_leads_to_one(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [target for target in LINK.findall(text) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_each_block_runs(name: str, block: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text(block, encoding="utf-8")
    runpy.run_path(str(file), run_name=name)


def test_the_tests_of_the_small_app_pass(tmp_path: Path) -> None:
    """And there are some."""
    (tmp_path / "shop.py").write_text(dict(BLOCKS)["shop"], encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "shop.py"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "5 passed" in found.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_block_passes_mypy(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "mypy.ini"), *written(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_block_passes_pyright(tmp_path: Path) -> None:
    settings = (ROOT / "pyrightconfig.json").read_text(encoding="utf-8")
    settings = settings.replace('"typings"', f'"{ROOT}/typings"').replace(
        '["adapters"]', f'["{ROOT}", "{ROOT}/adapters"]'
    )
    (tmp_path / "pyrightconfig.json").write_text(settings, encoding="utf-8")
    written(tmp_path)
    found = subprocess.run(
        [sys.executable, "-m", "pyright", "--project", str(tmp_path), "--pythonpath", sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
