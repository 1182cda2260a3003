"""Which endpoint a method and a path belong to."""

from __future__ import annotations

from typing import Final, Generic, TypeVar, final

from heaven_core.app.patterns import INT, LITERAL, NAME, Pattern, is_int
from heaven_core.message.params import NO_PARAMS, Params

__all__ = ["Match", "Pattern", "Router"]


E = TypeVar("E")


@final
class Match(Generic[E]):
    """What `Router.find` found. `params` is read-only: routes without parameters share one empty mapping."""

    __slots__ = ("endpoint", "params", "pattern")

    def __init__(self, endpoint: E, pattern: Pattern, params: Params) -> None:
        self.endpoint: Final = endpoint
        self.pattern: Final = pattern
        self.params: Final = params


@final
class _Leaf(Generic[E]):
    __slots__ = ("endpoint", "names", "pattern")

    def __init__(self, endpoint: E, pattern: Pattern, names: tuple[str, ...]) -> None:
        self.endpoint: Final = endpoint
        self.pattern: Final = pattern
        self.names: Final = names


@final
class _Node(Generic[E]):
    """A place in the tree of one method: the leaf of the patterns that end here, and what may follow."""

    __slots__ = ("integer", "leaf", "literals", "name", "rest")

    def __init__(self) -> None:
        self.leaf: _Leaf[E] | None = None
        self.literals: dict[str, _Node[E]] = {}
        self.integer: _Node[E] | None = None
        self.name: _Node[E] | None = None
        self.rest: _Leaf[E] | None = None


@final
class _Table(Generic[E]):
    """The routes of one method: whole paths in a dict, patterns with parameters in a tree."""

    __slots__ = ("root", "static")

    def __init__(self) -> None:
        self.static: Final[dict[str, Match[E]]] = {}
        self.root: Final[_Node[E]] = _Node()

    def put(self, pattern: Pattern, endpoint: E) -> None:
        """Add a route, or put it in the place of the one of the same shape."""
        node, names = self.root, list[str]()
        for segment in pattern.segments:
            if segment.kind == LITERAL:
                node = node.literals.setdefault(segment.text, _Node())
                continue
            names.append(segment.text)
            if segment.kind == INT:
                node.integer = node = node.integer or _Node()
            elif segment.kind == NAME:
                node.name = node = node.name or _Node()
            else:
                node.rest = _Leaf(endpoint, pattern, tuple(names))
                return
        if names:
            node.leaf = _Leaf(endpoint, pattern, tuple(names))
        else:
            self.static[pattern.text] = Match(endpoint, pattern, NO_PARAMS)

    def find(self, path: str) -> Match[E] | None:
        """The route among those with parameters."""
        if not path.startswith("/"):
            return None
        values: list[str | int] = []
        leaf = _walk(self.root, path, 1, values)
        if leaf is None:
            return None
        return Match(leaf.endpoint, leaf.pattern, Params(dict(zip(leaf.names, values, strict=True))))


@final
class Router(Generic[E]):
    """Routes by method and pattern.

    Of several patterns that match, one without parameters wins; then, segment by segment from the left, a literal over
    `:name:int`, that over `:name`, and that over `*`; where the narrower one leads nowhere, the next is tried. A HEAD
    is answered as if each GET route were a HEAD route too (RFC 9110 §9.3.2), unless one of its own has the same
    pattern.
    """

    __slots__ = ("_registered", "_tables")

    def __init__(self) -> None:
        self._tables: Final[dict[str, _Table[E]]] = {}
        self._registered: Final[dict[tuple[str, str], Pattern]] = {}

    def add(self, method: str, pattern: Pattern, endpoint: E) -> None:
        """Register a route. Raises `ValueError` as `check` does."""
        self.check(method, pattern)
        shape = pattern.shape
        self._registered[method, shape] = pattern
        self._tables.setdefault(method, _Table()).put(pattern, endpoint)
        if method == "GET" and ("HEAD", shape) not in self._registered:
            self._tables.setdefault("HEAD", _Table()).put(pattern, endpoint)

    def check(self, method: str, pattern: Pattern) -> None:
        """Raise `ValueError` for a second route of the method that matches the same paths."""
        if not pattern.segments:
            raise ValueError("the pattern '*' is for hooks; the route for every path is '/*'")
        known = self._registered.get((method, pattern.shape))
        if known is not None:
            raise ValueError(
                f"{method} {pattern.text} is already registered"
                + (f" as {known.text}: the two match the same paths" if known.text != pattern.text else "")
            )

    def find(self, method: str, path: str) -> Match[E] | None:
        """The route for `method` and `path` (percent-decoded), else `None`."""
        table = self._tables.get(method)
        return None if table is None else table.static.get(path) or table.find(path)

    def allowed(self, path: str) -> tuple[str, ...]:
        """The methods for `path`, sorted, as `Allow` lists them (RFC 9110 §10.2.1); none where no route matches.

        OPTIONS is always among them, since it is answered without a route, too. The path `*` stands for the
        whole server (RFC 9110 §9.3.7): every method that has a route.
        """
        found = {method for method in self._tables if path == "*" or self.find(method, path) is not None}
        return tuple(sorted(found | {"OPTIONS"})) if found else ()


def _walk(node: _Node[E], path: str, start: int, values: list[str | int]) -> _Leaf[E] | None:
    """The leaf for what begins at `start`, with its values added to `values`.

    A node has one way to it and is entered once at most, so the work is bounded by the number of patterns,
    whatever the path.
    """
    slash = path.find("/", start)
    part = path[start:] if slash < 0 else path[start:slash]
    child = node.literals.get(part)
    if child is not None:
        leaf = _end_at(child, values) if slash < 0 else _walk(child, path, slash + 1, values)
        if leaf is not None:
            return leaf
    kept = len(values)
    if node.integer is not None and is_int(part):
        values.append(int(part))
        leaf = _end_at(node.integer, values) if slash < 0 else _walk(node.integer, path, slash + 1, values)
        if leaf is not None:
            return leaf
        del values[kept:]
    if node.name is not None and part:
        values.append(part)
        leaf = _end_at(node.name, values) if slash < 0 else _walk(node.name, path, slash + 1, values)
        if leaf is not None:
            return leaf
        del values[kept:]
    if node.rest is not None:
        values.append(path[start:])
        return node.rest
    return None


def _end_at(node: _Node[E], values: list[str | int]) -> _Leaf[E] | None:
    """The leaf of the patterns that end here, else that of the rest, which may be nothing."""
    if node.leaf is None and node.rest is not None:
        values.append("")
        return node.rest
    return node.leaf
