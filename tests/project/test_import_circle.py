"""The core imports in one direction: no module needs one that needs it, but for one edge that is for types alone."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A deferred call is a function of the app, and its author is told so by `Response.defer`.
EDGE = ("heaven_core.message.response", "heaven_core.app.app")


def imports() -> dict[str, set[str]]:
    """Each module of the core and those that it imports, for type checkers alone or not."""
    found: dict[str, set[str]] = {}
    for path in ROOT.glob("heaven_core/**/*.py"):
        if path.name == "__init__.py":
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        names = {
            imported
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module is not None
            for imported in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        }
        found[module] = {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).is_file()}
    return found


def test_there_is_no_circle_beside_the_listed_edge() -> None:
    graph = imports()
    graph[EDGE[0]].remove(EDGE[1])
    TopologicalSorter(graph).prepare()


def test_the_listed_edge_closes_one() -> None:
    """So it is still there, and the test above sees circles."""
    with pytest.raises(CycleError):
        TopologicalSorter(imports()).prepare()
