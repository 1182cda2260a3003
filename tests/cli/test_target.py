"""`module:app` on the command line: what is served, and what is said where nothing can be."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaven_asgi import ASGIAdapter
from heaven_cli.target import (
    FACTORY_VARIABLE,
    TARGET_VARIABLE,
    TargetError,
    application,
    check_factory,
    load,
    load_server,
)
from heaven_socket import SocketAdapter

MODULE = """
from heaven_asgi import ASGIAdapter
from heaven_core import App

app = App()
adapter = ASGIAdapter(app)
number = 7

class Group:
    inner = App()

CALLS = []

def make():
    CALLS.append("made")
    return App()

def make_adapter():
    return adapter

def make_number():
    return number

def make_it_fail():
    raise LookupError("in the factory")
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
        ("served:make", "'served:make' is a function; it must be a heaven_core.App"),
        ("served:make", "if it returns the app, say so by --factory"),
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


class TestFactories:
    @pytest.mark.parametrize("target", ["served:make", "served:make_adapter"])
    def test_what_it_returns_is_served(self, target: str) -> None:
        assert isinstance(load(target, factory=True), ASGIAdapter)
        assert isinstance(load_server(target, factory=True), SocketAdapter)

    def test_it_is_called_once_and_not_to_check_it(self) -> None:
        check_factory("served:make")
        assert sys.modules["served"].CALLS == []
        load("served:make", factory=True)
        assert sys.modules["served"].CALLS == ["made"]

    def test_the_environment_tells_the_servers_processes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(TARGET_VARIABLE, "served:make")
        monkeypatch.setenv(FACTORY_VARIABLE, "1")
        assert isinstance(application(), ASGIAdapter)

    @pytest.mark.parametrize(
        ("target", "hint"),
        [
            ("served:app", "'served:app' is a App, and no function that returns one: omit --factory"),
            ("served:number", "'served:number' is a int, and no function that returns the app"),
            ("served:makes", "'served' has no 'makes'"),
        ],
    )
    def test_what_is_no_factory_is_refused_before_anything_is_called(self, target: str, hint: str) -> None:
        with pytest.raises(TargetError) as caught:
            check_factory(target)
        assert hint in str(caught.value)

    def test_one_that_returns_something_else_is_named(self) -> None:
        with pytest.raises(TargetError, match="what 'served:make_number' has returned is a int; it must be"):
            load("served:make_number", factory=True)

    def test_what_it_raises_is_its_own(self) -> None:
        with pytest.raises(LookupError, match="in the factory"):
            load("served:make_it_fail", factory=True)
