"""What heaven_core may import, statement by statement, and which built-in doors it leaves alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATHS = sorted(ROOT.glob("heaven_core/**/*.py"))

ALLOWED = frozenset(
    {
        "__future__",
        "abc",
        "collections",
        "collections.abc",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "errno",
        "functools",
        "hashlib",
        "html",
        "http",
        "inspect",
        "itertools",
        "json",
        "json.encoder",
        "math",
        "operator",
        "re",
        "stat",
        "string",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "uuid",
        "weakref",
    }
)
ONLY_NAMES = {
    "codecs": frozenset({"getincrementalencoder"}),
    "contextlib": frozenset(
        {"AbstractAsyncContextManager", "AbstractContextManager", "asynccontextmanager", "contextmanager"}
    ),
    "os": frozenset({"PathLike", "fspath"}),
}
ONLY_FOR_TYPES = frozenset({"typing_extensions"})
ONLY_INSIDE_FUNCTIONS_OF_CODECS = frozenset({"msgspec", "pydantic"})
CODECS = frozenset({"msgspec_codec.py", "pydantic_codec.py"})
# `Disk.real()` of the test kit gives a test the real disk. Confinement is in heaven_io and nowhere else: a disk of the
# core's own would be a second one to get right, and would need `open` here. What is allowed is one module of heaven_io,
# by name, in one function of one module, which runs only where a test asks for it: importing the core brings none of it
# along (test_import_purity), nothing that answers requests may import the kit (.importlinter), and the two are one
# distribution, so that it is always there.
ONLY_INSIDE_FUNCTIONS_OF_THE_TEST_KITS_DISK = frozenset({"heaven_io.real_disk"})
THE_TEST_KITS_DISK = "testing/disk.py"
DOORS = frozenset({"__import__", "breakpoint", "compile", "eval", "exec", "input", "open", "print"})


def violations(source: str, filename: str = "some.py") -> list[str]:
    """What is wrong in a module of the core, as `line: what`."""
    return [f"{node.lineno}: {what}" for node, what in _walk(ast.parse(source), filename, False, False)]


def _walk(
    parent: ast.AST, filename: str, in_function: bool, for_types: bool
) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if not _module_allowed(alias.name, filename, in_function, for_types):
                    yield node, f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if node.level or not _name_allowed(node.module or "", alias.name, filename, in_function, for_types):
                    yield node, f"from {'.' * node.level}{node.module or ''} import {alias.name}"
        elif isinstance(node, ast.Name) and node.id in DOORS:
            yield node, node.id
        function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _walk(ast.Module(node.body, []), filename, function, True)
            yield from _walk(ast.Module(node.orelse, []), filename, function, for_types)
        else:
            yield from _walk(node, filename, function, for_types)


def _module_allowed(module: str, filename: str, in_function: bool, for_types: bool) -> bool:
    root = module.partition(".")[0]
    if root in ONLY_INSIDE_FUNCTIONS_OF_CODECS:
        return filename.rpartition("/")[2] in CODECS and in_function
    if module in ONLY_INSIDE_FUNCTIONS_OF_THE_TEST_KITS_DISK:
        return filename == THE_TEST_KITS_DISK and in_function
    return root == "heaven_core" or module in ALLOWED or (for_types and module in ONLY_FOR_TYPES)


def _name_allowed(module: str, name: str, filename: str, in_function: bool, for_types: bool) -> bool:
    if module in ONLY_NAMES:
        return name in ONLY_NAMES[module]
    # `from urllib import parse` names a module as `import urllib.parse` does.
    return _module_allowed(module, filename, in_function, for_types) or _module_allowed(
        f"{module}.{name}", filename, in_function, for_types
    )


@pytest.mark.parametrize("path", PATHS, ids=[str(path.relative_to(ROOT)) for path in PATHS])
def test_a_module_of_the_core_imports_only_itself_and_vocabulary(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT / "heaven_core"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations",
        "import re, json",
        "from urllib.parse import quote",
        "from urllib import parse",
        "from os import PathLike, fspath",
        "from heaven_core.protocol.events import Chunk",
        "import heaven_core.protocol.events",
        "if TYPE_CHECKING:\n    from typing_extensions import override",
        "response.open()",
    ],
)
def test_what_is_allowed(source: str) -> None:
    assert violations(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path",
        "from os import stat",
        "from os.path import join",
        "from contextlib import suppress",
        "import time",
        "import io",
        "import random",
        "import urllib.request",
        "from urllib import request",
        "import http.client",
        "from collections import abc, deque\nimport socket",
        "from . import events",
        "from .events import Chunk",
        "from .. import heaven_core",
        "import heaven_io",
        "from heaven_asgi import ASGIAdapter",
        "def later():\n    import asyncio",
        "async def later():\n    from logging import getLogger",
        "if TYPE_CHECKING:\n    import asyncio",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from typing_extensions import override",
        "from typing_extensions import override",
        "def later():\n    import msgspec",
        "open('/etc/passwd')",
        "reader = open",
        "__import__('socket')",
        "print('here')",
    ],
)
def test_what_is_refused(source: str) -> None:
    assert len(violations(source)) == 1


@pytest.mark.parametrize("library", sorted(ONLY_INSIDE_FUNCTIONS_OF_CODECS))
def test_schema_libraries_are_imported_by_their_codecs_alone_and_inside_functions(library: str) -> None:
    inside = f"def encode():\n    import {library}.json\n    from {library} import convert"
    assert violations(inside, "msgspec_codec.py") == []
    assert violations(f"import {library}", "msgspec_codec.py") == [f"1: import {library}"]
    assert len(violations(inside, "json_codec.py")) == 2


def test_the_real_disk_is_imported_by_that_of_the_test_kit_alone_and_inside_a_function() -> None:
    inside = "def real():\n    from heaven_io.real_disk import RealDisk"
    assert violations(inside, "testing/disk.py") == []
    assert len(violations(inside, "app/disk.py")) == 1
    assert len(violations("from heaven_io.real_disk import RealDisk", "testing/disk.py")) == 1
    assert len(violations("def real():\n    from heaven_io.opening import open_file", "testing/disk.py")) == 1
