"""One table of scenarios, as data: what an app does, what it is asked, and what must come of it.

The bare machine runs it (tests/machine/test_scenarios.py), and so does each adapter on each of its servers
(tests/wire/test_wire_scenarios.py): the same events there, the same bytes here. A new adapter runs it unchanged.
The parts are in tests/table, one for each part of the specification.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from heaven_core import App
from tests.table.aborts import ABORTS
from tests.table.bodies import BODIES
from tests.table.conditions import CONDITIONS
from tests.table.deferred import DEFERRED
from tests.table.failures import FAILURES
from tests.table.files import FILES, FILES_ON_DISK, MTIME
from tests.table.heads import HEADS
from tests.table.kit import LIMIT, Log, Scenario
from tests.table.refusals import REFUSALS
from tests.table.routes import ROUTES
from tests.table.sse import EVENTS
from tests.table.streams import STREAMS

__all__ = ["SCENARIOS", "files_in_memory", "make_app", "write_files"]

SCENARIOS: Final[tuple[Scenario, ...]] = tuple(
    scenario
    for table in (BODIES, HEADS, REFUSALS, ABORTS, FAILURES, STREAMS, EVENTS, FILES, CONDITIONS, ROUTES, DEFERRED)
    for scenario in table.scenarios
)


def make_app(root: str, log: Log) -> App:
    """One app with all scenarios; their files are below `root`."""
    app = App(max_body_size=LIMIT, on_error=log.error)
    app.before("*", log.prepare(root))
    for scenario in SCENARIOS:
        scenario.register(app)
    return app


def files_in_memory(root: str) -> dict[str, bytes]:
    """For `heaven_core.testing.Disk`, whose modification time is to be `MTIME`."""
    return {f"{root}/{name}": content for name, content in FILES_ON_DISK.items()}


def write_files(root: Path) -> None:
    """The same on a real disk, with the same modification time, so that tags and dates are equal."""
    for name, content in FILES_ON_DISK.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (MTIME, MTIME))
