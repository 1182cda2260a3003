"""Draw docs/states.md from `heaven_core.machine.states`; with --check, fail if it is not what would be drawn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from heaven_core.machine.states import NAMES, TRANSITIONS

PAGE: Final = Path(__file__).parents[1] / "docs" / "states.md"

_HEAD: Final = """# The states of the machine

Drawn from `TRANSITIONS` in `heaven_core/machine/states.py` by `tools/draw_states.py`: change them there, then run
`make states`. An input that is not listed for a state raises `LocalProtocolError` and leads to BROKEN.

"""


def drawn() -> str:
    """The whole page."""
    diagram = ["```mermaid", "stateDiagram-v2", "    [*] --> IDLE"]
    table = ["| state | input | next | when |", "|---|---|---|---|"]
    edges: dict[tuple[str, str], list[str]] = {}
    for (state, call), targets in TRANSITIONS.items():
        for target, guard in targets.items():
            edges.setdefault((NAMES[state], NAMES[target]), []).append(call)
            table.append(f"| {NAMES[state]} | `{call}` | {NAMES[target]} | {guard} |")
    diagram += [f"    {state} --> {target}: {', '.join(calls)}" for (state, target), calls in edges.items()]
    diagram += ["    FINISHED --> [*]", "    FINISHED_LEFT --> [*]", "```", ""]
    return _HEAD + "\n".join(diagram) + "\n" + "\n".join(table) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    if "--check" not in arguments:
        PAGE.write_text(drawn(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == drawn():
        return 0
    print(f"{PAGE.name} is not what heaven_core/machine/states.py says: run `make states`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
