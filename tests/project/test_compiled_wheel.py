"""Which wheel is built: a pure one, unless a compiled one is asked for and can be made (docs/compiled.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from hatchling.bridge.app import Application
from hatchling.builders.wheel import WheelBuilder

import heaven_core
from heaven_core.machine import machine
from tools.hatch_build import NEEDS, CompiledBuildHook

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> CompiledBuildHook:
    for name in ("HEAVEN_CORE_COMPILED", "HEAVEN_CORE_PURE"):
        monkeypatch.delenv(name, raising=False)
    builder: Any = WheelBuilder(str(ROOT))
    return CompiledBuildHook(str(ROOT), {}, builder.config, builder.metadata, "", builder.PLUGIN_NAME, Application())


def wheel_of(hook: CompiledBuildHook, version: str = "standard") -> dict[str, Any]:
    """What the hook tells hatchling of the wheel; nothing is compiled."""
    build_data: dict[str, Any] = {"force_include": {}, "pure_python": True, "infer_tag": False}
    hook.initialize(version, build_data)
    hook.finalize(version, build_data, "")
    return build_data


def is_pure(build_data: dict[str, Any]) -> bool:
    return build_data == {"force_include": {}, "pure_python": True, "infer_tag": False}


def test_which_build_runs_can_be_asked() -> None:
    is_source = machine.__file__.endswith(".py")
    assert heaven_core.compiled == (not is_source)


def test_the_wheel_is_pure_and_needs_nothing(hook: CompiledBuildHook) -> None:
    assert is_pure(wheel_of(hook))
    assert hook.dependencies() == []


@pytest.mark.parametrize("value", ["", "0"])
def test_a_variable_that_says_no_says_no(value: str, hook: CompiledBuildHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVEN_CORE_COMPILED", value)
    assert is_pure(wheel_of(hook))


def test_one_that_is_to_be_compiled_needs_a_compiler_of_python(
    hook: CompiledBuildHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAVEN_CORE_COMPILED", "1")
    assert hook.dependencies() == NEEDS


def test_that_it_is_to_be_pure_comes_first(hook: CompiledBuildHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVEN_CORE_COMPILED", "1")
    monkeypatch.setenv("HEAVEN_CORE_PURE", "1")
    assert is_pure(wheel_of(hook))
    assert hook.dependencies() == []


def test_without_a_c_compiler_it_is_pure_and_the_build_says_so(
    hook: CompiledBuildHook, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEAVEN_CORE_COMPILED", "1")
    monkeypatch.setenv("CC", "there-is-no-such-compiler")
    assert is_pure(wheel_of(hook))
    assert "there is no C compiler: the wheel will be pure" in capsys.readouterr().err


def test_an_editable_install_is_never_compiled(hook: CompiledBuildHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVEN_CORE_COMPILED", "1")
    assert is_pure(wheel_of(hook, "editable"))
