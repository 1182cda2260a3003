"""The table of scenarios on the blocking driver, with real files: all but those that need an event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final

import pytest

from heaven_core import App, Chunk, End, Request, Start
from heaven_core.http.headers import Field
from heaven_driver.blocking import AnyStream, BlockingStream, ThreadStream, serve, system_runtime
from tests.scenarios import SCENARIOS, make_app, write_files
from tests.table.kit import Answer, Log, Scenario

BY_NAME: Final = [
    pytest.param(scenario, id=scenario.name)
    for scenario in SCENARIOS
    if not scenario.needs_loop and not scenario.ask.mounted
]


@final
class Served:
    """One app for all scenarios: to make one takes longer than to ask it."""

    def __init__(self, directory: Path) -> None:
        write_files(directory)
        self.log: Final = Log()
        self.app: Final = make_app(str(directory), self.log)


@final
class Upload:
    """A body that is there."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("files"))


def request_of(scenario: Scenario) -> Request[object]:
    ask = scenario.ask
    lines = [("Host", "test"), ("X-Run", scenario.name), *ask.headers]
    if ask.body:
        lines.append(("Content-Length", str(len(ask.body))))
    return Request.from_wire(
        ask.method,
        (scenario.path + ask.target).encode(),
        [(name.encode(), value.encode()) for name, value in lines],
        Upload(ask.body) if ask.body else None,
    )


def answer_of(app: App, request: Request[object], adopt: AnyStream) -> Answer:
    status, fields, body, whole = 0, list[Field](), b"", False
    for event in serve(app, request, system_runtime(), adopt=adopt):
        if type(event) is Start:
            status, fields = event.status, event.fields
        elif type(event) is Chunk:
            body += event.data
        else:
            whole = type(event) is End
    return Answer(status, fields, body, whole)


@pytest.mark.parametrize("adopt", [BlockingStream, ThreadStream])
@pytest.mark.parametrize("scenario", BY_NAME)
def test_a_scenario_has_the_answer_of_the_table(scenario: Scenario, adopt: AnyStream, served: Served) -> None:
    log = served.log
    log.notes.clear()
    log.errors.clear()
    assert answer_of(served.app, request_of(scenario), adopt) == scenario.answer
    assert tuple(log.notes[scenario.name]) == scenario.notes
    assert [text.partition(" in ")[0] for text in log.errors] == [kind.__name__ for kind in scenario.errors]
