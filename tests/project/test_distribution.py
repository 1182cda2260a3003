"""What users install: built as it is published, put into an empty environment, and imported there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
ADAPTERS = sorted(path.parent.name for path in ROOT.glob("adapters/*/__init__.py"))
PACKAGES = ["heaven_core", *ADAPTERS]
NAME = "heaven_core-0.1.0"

IMPORT_ALL = """
import importlib, pkgutil, heaven_core
for module in pkgutil.walk_packages(heaven_core.__path__, "heaven_core."):
    importlib.import_module(module.name)
print(heaven_core.__file__)
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist made from the tree, and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def in_the_sdist(built: Path) -> set[str]:
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        return {name.removeprefix(f"{NAME}/") for name in archive.getnames()}


@pytest.fixture(scope="module")
def in_the_wheel(built: Path) -> set[str]:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as archive:
        return set(archive.namelist())


def install(built: Path, folder: Path) -> Path:
    """Make an environment with nothing but the wheel, not even pip; give its interpreter."""
    venv.create(folder, with_pip=False)
    interpreter = folder / "bin" / "python"
    wheel = built / f"{NAME}-py3-none-any.whl"
    # No index: whatever it needed could not be found.
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", "--no-index", wheel, cwd=folder)
    return interpreter


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing but the wheel."""
    return install(built, tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="module")
def with_all_extras(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, which also sees what the tests' own environment holds."""
    folder = tmp_path_factory.mktemp("extras")
    install(built, folder)
    [packages] = folder.glob("lib/python3*/site-packages")
    (packages / "extras.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def test_the_wheel_holds_the_packages_and_nothing_else(in_the_wheel: set[str]) -> None:
    assert {name.partition("/")[0] for name in in_the_wheel} == {*PACKAGES, f"{NAME}.dist-info"}


def test_the_wheel_holds_every_module(in_the_wheel: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("heaven_core/**/*.py")}
    modules |= {str(path.relative_to(ROOT / "adapters")) for path in ROOT.glob("adapters/**/*.py")}
    assert {name for name in in_the_wheel if name.endswith(".py")} == modules


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_says_that_a_package_is_typed(in_the_wheel: set[str], package: str) -> None:
    assert f"{package}/py.typed" in in_the_wheel


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_of_a_package_has_a_type_that_no_checker_has_to_infer(package: str, with_all_extras: Path) -> None:
    """As pyright counts it for a user who installed the wheel; what other packages leave open is theirs."""
    # Pyright looks for a package where the interpreter on the path would: the environment has to be active.
    active = {"VIRTUAL_ENV": str(with_all_extras), "PATH": f"{with_all_extras / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--verifytypes", package, "--ignoreexternal"],
        capture_output=True,
        text=True,
        check=False,
        cwd=with_all_extras,
        env=os.environ | active,
    )
    assert f'Package directory: "{with_all_extras}' in done.stdout, f"not the wheel: {done.stdout}{done.stderr}"
    assert "Type completeness score: 100%" in done.stdout, done.stdout
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_the_wheel_holds_the_licence_and_the_script(built: Path, in_the_wheel: set[str]) -> None:
    assert f"{NAME}.dist-info/licenses/LICENSE" in in_the_wheel
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as archive:
        scripts = archive.read(f"{NAME}.dist-info/entry_points.txt").decode()
    assert "heaven-core = heaven_cli.__main__:main" in scripts


@pytest.mark.parametrize("folder", ["tests", "docs", "examples", "benchmarks", "typings", "tools"])
def test_the_sdist_holds_what_a_packager_needs(in_the_sdist: set[str], folder: str) -> None:
    in_the_tree = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob(f"{folder}/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert in_the_tree <= in_the_sdist


@pytest.mark.parametrize("name", ["Makefile", "README.md", "CONTRIBUTING.md", "LICENSE", "mypy.ini", ".importlinter"])
def test_the_sdist_holds_the_projects_own_files(in_the_sdist: set[str], name: str) -> None:
    assert name in in_the_sdist


def test_the_sdist_holds_nothing_that_was_made(in_the_sdist: set[str]) -> None:
    made = ("__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".coverage")
    assert not [name for name in in_the_sdist if any(part in made for part in Path(name).parts)]


def test_the_core_is_imported_where_nothing_else_is_installed(python: Path, tmp_path: Path) -> None:
    where = run(python, "-I", "-c", IMPORT_ALL, cwd=tmp_path).strip()
    assert Path(where).is_relative_to(python.parents[1])


def test_the_blocking_halves_are_imported_where_nothing_else_is_installed(python: Path, tmp_path: Path) -> None:
    """What a server of one's own needs comes with a bare `pip install`, and loads no event loop."""
    script = "import sys, heaven_driver.blocking; print([name for name in ('asyncio', 'anyio') if name in sys.modules])"
    assert run(python, "-I", "-c", script, cwd=tmp_path).strip() == "[]"


def test_it_needs_no_other_distribution(python: Path, tmp_path: Path) -> None:
    script = "from importlib.metadata import distributions; print([d.name for d in distributions()])"
    assert run(python, "-I", "-c", script, cwd=tmp_path).strip() == "['heaven-core']"


def test_the_extras_are_those_that_the_docs_name(python: Path, tmp_path: Path) -> None:
    script = "from importlib.metadata import metadata as m; print(*m('heaven-core').get_all('Provides-Extra'))"
    found = run(python, "-I", "-c", script, cwd=tmp_path).split()
    assert sorted(found) == ["all", "asgi", "conformance", "schema", "socket", "uvloop", "wsgi"]


def test_without_its_extra_the_script_names_it(python: Path, tmp_path: Path) -> None:
    """SPEC: a script that lacks what it needs says which extra holds it, and shows no traceback."""
    script = python.parent / "heaven-core"
    done = subprocess.run(
        [str(script), "serve", "module:app"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode != 0
    assert "heaven-core[asgi]" in done.stderr
    assert "Traceback" not in done.stderr
