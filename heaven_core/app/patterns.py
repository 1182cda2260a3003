"""Path patterns of routes and hooks.

A pattern is compared with the path as a handler sees it, percent-decoded once: a `%2F` of the client is a slash
here. Segments are compared one by one, so for one pattern there is never more than one way to match, and matching is
linear in the length of the path. Nothing is normalised: `/a` and `/a/` are two paths, and so are `/a/b` and `/a//b`.
But `/a/*` is `/a`, `/a/` and all below: a hook that guards a section guards all of it, and a route has the same paths.
"""

from __future__ import annotations

import re
from typing import Final, final

from heaven_core._typing import override

__all__ = ["INT", "LITERAL", "NAME", "Pattern", "Segment", "is_int"]

# How narrow a segment is: the greater, the fewer texts it matches. `*` is everything from here on, the end included.
_REST: Final = 0
_END: Final = 1
NAME: Final = 2
INT: Final = 3
LITERAL: Final = 4

# int() refuses more digits than sys.set_int_max_str_digits() says, and no program can set that below 640.
_MOST_DIGITS: Final = 640


@final
class Segment:
    """What stands between two slashes of a pattern."""

    __slots__ = ("kind", "text")

    def __init__(self, kind: int, text: str) -> None:
        self.kind: Final = kind
        self.text: Final = text  # the literal, else the parameter's name

    def covers(self, other: Segment) -> bool:
        """Whether each text that `other` matches, this one matches too. Neither is a `*`."""
        if self.kind == LITERAL:
            return other.kind == LITERAL and other.text == self.text
        if other.kind == LITERAL:
            return other.text != "" if self.kind == NAME else is_int(other.text)
        return other.kind >= self.kind

    def meets(self, other: Segment) -> bool:
        """Whether some text matches both: the narrower of the two has all of its texts in common, or none."""
        return self.covers(other) or other.covers(self)


@final
class Pattern:
    """A path pattern: `/users/:id:int/files/*`.

    - `:name` is one segment that is not empty;
    - `:name:int` is one of 1 to 640 ASCII digits, an `int` in the parameters;
    - `*` at the end is the rest, slashes included, and may be nothing, with the slash before it; its parameter is
      called `*`;
    - everything else matches itself;
    - the pattern `*`, for hooks, matches everything. It has no parameter.
    """

    __slots__ = ("_expression", "breadth", "segments", "text")

    def __init__(self, text: str, segments: tuple[Segment, ...]) -> None:
        """Use `Pattern.parse`."""
        self.text: Final = text
        self.segments: Final = segments
        # Sorts the broadest pattern first: where one covers another, its key is the lesser, or they are equal.
        self.breadth: Final = (*[segment.kind for segment in segments], _END) if segments else ()
        self._expression: Final = re.compile(_expression(segments), re.DOTALL)

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern. Raises `ValueError` saying what is malformed."""
        if text == "*":
            return cls(text, ())
        if not text.startswith("/"):
            raise ValueError(f"the pattern {text!r} must begin with a slash: write {'/' + text!r}")
        parts = text[1:].split("/")
        segments = tuple([_parse_segment(text, part, at == len(parts) - 1) for at, part in enumerate(parts)])
        names: set[str] = set()
        for segment in segments:
            if segment.kind in (NAME, INT):
                if segment.text in names:
                    raise ValueError(f"the pattern {text!r} has two parameters called {segment.text!r}")
                names.add(segment.text)
        return cls(text, segments)

    def below(self, prefix: str) -> Pattern:
        """The same pattern below a prefix. Raises `ValueError` where both have a parameter of the same name."""
        return Pattern.parse(prefix + (self.text if self.segments else "/*"))

    def match(self, path: str) -> dict[str, str | int] | None:
        """The parameters if `path` matches, else `None`."""
        found = self._expression.fullmatch(path)
        if found is None:
            return None
        params: dict[str, str | int] = {}
        values = iter(found.groups())
        for segment in self.segments:
            if segment.kind != LITERAL:
                value: str | None = next(values)
                params[segment.text] = int(value) if segment.kind == INT and value else value or ""
        return params

    def covers(self, other: Pattern) -> bool:
        """Whether every path that matches `other` matches this pattern too."""
        ours, theirs = self.segments, other.segments
        if not ours or not theirs:
            return not ours
        for at, segment in enumerate(ours):
            if segment.kind == _REST:
                return True
            if at == len(theirs) or theirs[at].kind == _REST or not segment.covers(theirs[at]):
                return False
        return len(ours) == len(theirs)

    def excludes(self, other: Pattern) -> bool:
        """Whether no path matches both this pattern and `other`."""
        ours, theirs = self.segments, other.segments
        if not ours or not theirs:
            return False
        for segment, counterpart in zip(ours, theirs, strict=False):
            if segment.kind == _REST or counterpart.kind == _REST:
                return False
            if not segment.meets(counterpart):
                return True
        shorter, longer = sorted((ours, theirs), key=len)
        # The rest may be nothing.
        return len(shorter) != len(longer) and longer[len(shorter)].kind != _REST

    @property
    def shape(self) -> str:
        """The pattern without its parameters' names: equal for two patterns that match the same paths."""
        if not self.segments:
            return "*"
        return "".join(["/" + _SHAPES.get(segment.kind, segment.text) for segment in self.segments])

    @override
    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


_SHAPES: Final = {_REST: "*", NAME: ":", INT: "::int"}
_EXPRESSIONS: Final = {_REST: "(?:/(.*))?", NAME: "/([^/]+)", INT: f"/([0-9]{{1,{_MOST_DIGITS}}})"}


def _expression(segments: tuple[Segment, ...]) -> str:
    if not segments:
        return ".*"
    return "".join([_EXPRESSIONS.get(part.kind) or "/" + re.escape(part.text) for part in segments])


# Parameters as other frameworks write them: {id}, {id:int}, <id>, <int:id>.
_FOREIGN: Final = re.compile(r"\{(?P<name1>[A-Za-z_]\w*)(?::[^{}]*)?\}|<(?:[^<>:]*:)?(?P<name2>[A-Za-z_]\w*)>")


def _parse_segment(pattern: str, part: str, is_last: bool) -> Segment:
    if part == "*" and is_last:
        return Segment(_REST, "*")
    if "*" in part:
        raise ValueError(f"in the pattern {pattern!r} a * must be the whole last segment, as in '/files/*'")
    if not part.startswith(":"):
        foreign = _FOREIGN.search(part)
        if foreign is not None:
            raise ValueError(
                f"in the pattern {pattern!r} {foreign[0]!r} is no parameter: here it is a whole segment, "
                f"':{foreign['name1'] or foreign['name2']}', with ':int' behind it for a number"
            )
        return Segment(LITERAL, part)
    name, colon, converter = part[1:].partition(":")
    if not name:
        raise ValueError(f"in the pattern {pattern!r} a parameter has no name after its colon")
    if not name.isidentifier():
        raise ValueError(
            f"in the pattern {pattern!r} the parameter {name!r} is no identifier: a parameter is a whole "
            "segment, and its name has letters, digits and underscores only"
        )
    if colon and converter != "int":
        raise ValueError(
            f"in the pattern {pattern!r} the converter {converter!r} is unknown: there is only ':{name}:int'"
        )
    return Segment(INT if colon else NAME, name)


def is_int(text: str) -> bool:
    """Whether `:name:int` matches `text`."""
    return text.isdigit() and text.isascii() and len(text) <= _MOST_DIGITS
