"""Why a value does not fit a schema: paths and messages, as the client is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

__all__ = ["MismatchError", "json_path", "read_message"]


@final
class MismatchError(ValueError):
    """A value does not fit: `{"path": "$.age", "message": "..."}` for each problem. Never leaves the core."""

    def __init__(self, problems: list[dict[str, str]]) -> None:
        super().__init__("; ".join([f"{problem['path']}: {problem['message']}" for problem in problems]))
        self.problems = problems


def read_message(error: Exception) -> MismatchError:
    """The problems of an error of msgspec, whose text may end in a path: "Expected `int`, got `str` - at `$.age`".

    One raised by a `MismatchError`, of a model inside, has the problems of that one, below its own path.
    """
    text, _, place = str(error).rpartition(" - at `")
    path = place.removesuffix("`") if text else "$"
    message = text or place
    if path.startswith("key` in `"):
        path, message = path.removeprefix("key` in `"), f"{message}, as a key"
    if isinstance(error.__cause__, MismatchError):
        inside = error.__cause__.problems
        return MismatchError([{**problem, "path": path + problem["path"][1:]} for problem in inside])
    return MismatchError([{"path": path, "message": message}])


def json_path(location: Sequence[int | str]) -> str:
    """`("items", 3, "odd name")` as `$.items[3]['odd name']`."""
    steps = [f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]" for step in location]
    return "$" + "".join(steps)
