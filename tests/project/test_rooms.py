"""Every package of the project is known to what checks, builds and describes packages."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADAPTERS = sorted(path.parent.name for path in ROOT.glob("adapters/*/__init__.py"))
PACKAGES = ["heaven_core", *ADAPTERS]
MODULES = sorted(path for path in ROOT.glob("heaven_core/**/*.py") if path.stem != "__init__")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_import_contracts_hold_for_it(package: str) -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    assert package in contracts["importlinter"]["root_packages"].split()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_would_hold_it(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert package in {path.rpartition("/")[2] for path in packages}


@pytest.mark.parametrize("package", PACKAGES)
def test_it_says_that_it_is_typed(package: str) -> None:
    """PEP 561."""
    assert (ROOT / package / "py.typed").is_file() or (ROOT / "adapters" / package / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_of_rooms_names_it(package: str) -> None:
    assert f"`{package}`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_the_map_names_each_module_of_the_core(path: Path) -> None:
    assert f"`{path.stem}`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_a_tests_folder_is_no_package() -> None:
    """Names are told apart by pytest's importlib mode, and no `tests` package shadows another project's."""
    assert not list(ROOT.glob("tests/**/__init__.py"))


def test_the_names_of_test_files_are_unique() -> None:
    names = [path.name for path in ROOT.glob("tests/**/test_*.py")]
    assert len(names) == len(set(names))
