"""What users of the core see: every name exported on purpose, every class closed, slotted and described."""

from __future__ import annotations

import ast
import importlib
import inspect
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest

from heaven_core._record import Record

ROOT = Path(__file__).parents[2]
PATHS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.glob("heaven_core/**/*.py"))
}
INNER_PACKAGES = sorted(
    path.parent.name for path in ROOT.glob("heaven_core/*/__init__.py") if path.parent.name != "testing"
)
NAMES = [name for name in PATHS if name != "heaven_core" and name.removeprefix("heaven_core.") not in INNER_PACKAGES]

# Neither final nor the base of anything in the core: users may derive from them, or catch them as a family.
MEANT_FOR_SUBCLASSING = frozenset(
    {"BadRequest", "ClientDisconnected", "ClientError", "LocalProtocolError", "ResponseStarted"}
)


def tree(name: str) -> ast.Module:
    return ast.parse(PATHS[name].read_text(encoding="utf-8"))


CLASSES = [
    (name, node.name)
    for name in NAMES
    for node in tree(name).body
    if isinstance(node, ast.ClassDef)
    and not node.name.startswith("_")
    # A TypedDict is the shape of a dict: its instances are none of its own.
    and not any(isinstance(base, ast.Name) and base.id == "TypedDict" for base in node.bases)
]
each_class = pytest.mark.parametrize(("name", "public"), CLASSES, ids=[public for _, public in CLASSES])


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def class_of(name: str, public: str) -> type[object]:
    found: type[object] = getattr(module(name), public)
    return found


def exported(name: str) -> list[str]:
    found: list[str] = list(module(name).__all__)
    return found


def is_protocol(public: type[object]) -> bool:
    return bool(getattr(public, "_is_protocol", False))


def usual_order(name: str) -> tuple[int, str]:
    """Constants, classes, the rest: the order that ruff's RUF022 keeps."""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("name", NAMES)
def test_a_module_lists_what_it_defines_for_others_and_nothing_else(name: str) -> None:
    defined = {
        node.name
        for node in tree(name).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }
    assert defined <= set(exported(name))
    assert all(hasattr(module(name), public) for public in exported(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_modules_list_is_sorted(name: str) -> None:
    assert exported(name) == sorted(set(exported(name)), key=usual_order)


def test_the_packages_list_is_sorted() -> None:
    assert exported("heaven_core") == sorted(set(exported("heaven_core")), key=usual_order)


def test_the_package_lists_exactly_what_it_re_exports() -> None:
    imported = {
        alias.asname or alias.name
        for node in tree("heaven_core").body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("heaven_core")
        for alias in node.names
    }
    assert set(exported("heaven_core")) - {"__version__"} == imported


@pytest.mark.parametrize("package", INNER_PACKAGES)
def test_an_inner_package_says_that_it_is_not_for_others_and_holds_nothing_else(package: str) -> None:
    (only,) = tree(f"heaven_core.{package}").body
    assert isinstance(only, ast.Expr)
    assert "For the library itself" in ast.unparse(only) or "is in `heaven_core`" in ast.unparse(only)


def test_the_package_defines_nothing_itself() -> None:
    assert not [node for node in ast.walk(tree("heaven_core")) if isinstance(node, ast.ClassDef | ast.FunctionDef)]


def test_what_is_re_exported_is_listed_by_the_module_that_defines_it() -> None:
    everything = {public for name in NAMES for public in exported(name)}
    assert set(exported("heaven_core")) - {"__version__"} <= everything


@each_class
def test_a_class_is_final_or_a_base_on_purpose(name: str, public: str) -> None:
    value = class_of(name, public)
    if is_protocol(value) or issubclass(value, Enum):
        return
    others = [class_of(*where) for where in CLASSES]
    base = any(other is not value and issubclass(other, value) for other in others)
    assert ("__final__" in vars(value)) != (base or public in MEANT_FOR_SUBCLASSING)


@each_class
def test_a_class_has_slots_and_its_instances_no_dict(name: str, public: str) -> None:
    value = class_of(name, public)
    if is_protocol(value) or issubclass(value, BaseException | Enum):
        return
    assert "__slots__" in vars(value)
    assert value.__dictoffset__ == 0, "a base without __slots__"


@each_class
def test_a_record_is_matched_by_position_as_it_is_made(name: str, public: str) -> None:
    """`case Chunk(data)`: and equality and `repr` go by the same names."""
    value = class_of(name, public)
    if not issubclass(value, Record) or value is Record:
        return
    arguments = tuple(inspect.signature(value).parameters)
    assert value.__dict__["__match_args__"] == value.__dict__["__slots__"] == arguments


@each_class
def test_a_class_and_its_public_methods_are_described(name: str, public: str) -> None:
    value = class_of(name, public)
    assert value.__doc__
    for attribute, member in vars(value).items():
        if not attribute.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
            assert inspect.getdoc(getattr(value, attribute)), f"{public}.{attribute} has no docstring"


@pytest.mark.parametrize("name", NAMES)
def test_a_module_and_its_public_functions_are_described(name: str) -> None:
    assert module(name).__doc__
    for public in exported(name):
        value = getattr(module(name), public)
        if inspect.isfunction(value):
            assert value.__doc__, f"{public} has no docstring"
