"""Where the core asks a type checker to look away. There should be no place: a new one is argued for here."""

from __future__ import annotations

import ast
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATHS = sorted(ROOT.glob("heaven_core/**/*.py"))

# module: how many, with the reason beside it
CASTS: dict[str, int] = {
    "protocol/events.py": 1,  # a deferred call is given the app, whose type `Response.defer` has checked
    "message/request.py": 1,  # what a schema has decoded: the route takes only a handler of a Request of that
    "app/route_method.py": 1,  # one table holds the handlers of every Request[T]; a route's schema is what makes T true
}
ANYS: dict[str, int] = {}
COMMENTS: dict[str, int] = {}


def _names(path: Path, name: str) -> int:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = sum(
        alias.name == name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in {"typing", "typing_extensions"}
        for alias in node.names
    )
    calls = sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))
    attributes = sum(
        isinstance(node, ast.Attribute) and ast.unparse(node) == f"typing.{name}" for node in ast.walk(tree)
    )
    return calls + attributes if imports or attributes else 0


def _comments(path: Path, *marks: str) -> int:
    with path.open("rb") as file:
        return sum(
            token.type == tokenize.COMMENT and any(mark in token.string for mark in marks)
            for token in tokenize.tokenize(file.readline)
        )


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT / "heaven_core"))


def _found(counts: dict[str, int]) -> dict[str, int]:
    return dict(+Counter(counts))


def test_casts() -> None:
    assert _found({_name(path): _names(path, "cast") for path in PATHS}) == CASTS


def test_any() -> None:
    assert _found({_name(path): _names(path, "Any") for path in PATHS}) == ANYS


def test_comments_that_silence_a_type_checker_or_the_coverage() -> None:
    marks = ("type: ignore", "pyright:", "mypy:", "pragma: no")
    assert _found({_name(path): _comments(path, *marks) for path in PATHS}) == COMMENTS
