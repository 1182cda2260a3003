"""The core imports in one direction: no module needs one that needs it, but for two edges that are for types alone."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EDGES = (
    # A deferred call is a function of the app, and its author is told so by `Response.defer`.
    ("heaven_core.message.response", "heaven_core.app.app"),
    # A handler finds its app at `Request.app`.
    ("heaven_core.message.request", "heaven_core.app.app"),
)


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


def imports_without(*edges: tuple[str, str]) -> dict[str, set[str]]:
    graph = imports()
    for module, imported in edges:
        graph[module].remove(imported)
    return graph


def test_there_is_no_circle_beside_the_listed_edges() -> None:
    TopologicalSorter(imports_without(*EDGES)).prepare()


@pytest.mark.parametrize("edge", EDGES)
def test_each_listed_edge_closes_one(edge: tuple[str, str]) -> None:
    """So it is still there, and the test above sees circles."""
    with pytest.raises(CycleError):
        TopologicalSorter(imports_without(*(other for other in EDGES if other != edge))).prepare()
