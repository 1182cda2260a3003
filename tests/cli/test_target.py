"""`module:app` on the command line: what is served, and what is said where nothing can be."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaven_asgi import ASGIAdapter
from heaven_cli.target import TARGET_VARIABLE, TargetError, application, load

MODULE = """
from heaven_asgi import ASGIAdapter
from heaven_core import App

app = App()
adapter = ASGIAdapter(app)
number = 7

class Group:
    inner = App()
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "served.py").write_text(MODULE)
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "broken.py").write_text("import nothing_that_exists\n")
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "served.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] in ("served", "empty", "broken", "pack")]:
        del sys.modules[name]


@pytest.mark.parametrize("target", ["served:app", "pack.served:app", "served:Group.inner"])
def test_an_app_is_adapted(target: str) -> None:
    assert isinstance(load(target), ASGIAdapter)


def test_an_adapter_is_served_as_it_is() -> None:
    adapter = load("served:adapter")
    assert adapter is sys.modules["served"].adapter


def test_the_factory_reads_the_target_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TARGET_VARIABLE, "served:app")
    assert application().app is sys.modules["served"].app


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("served", "as in served:app"),
        (":app", "as in module:app"),
        ("", "as in module:app"),
        ("served:", "as in served:app"),
        ("served.py", "as in served:app"),
        ("pack/served.py", "as in pack.served:app"),
        ("served.py:app", "served:app"),
        ("./pack/served.py:app", "pack.served:app"),
        ("pack/served:app", "pack.served:app"),
        ("served:ap", "did you mean served:app?"),
        ("served:application", "did you mean served:app?"),
        ("served:Group.outer", "did you mean served:app?"),
        ("served:number", "is a int; it must be a heaven_core.App"),
        ("empty:app", "it has no App at its top level"),
        ("missing:app", "there is no module 'missing' in"),
        ("pack.missing:app", "there is no module 'pack.missing' in"),
        ("missing.pack:app", "there is no module 'missing' in"),
    ],
)
def test_each_mistake_has_an_answer_of_its_own(target: str, hint: str) -> None:
    with pytest.raises(TargetError) as caught:
        load(target)
    assert hint in str(caught.value)


def test_a_mistake_inside_the_module_keeps_its_own_traceback() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_that_exists"):
        load("broken:app")
