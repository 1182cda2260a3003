"""The table of scenarios through the adapter alone: the same fields and bytes as on every other one."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final
from urllib.parse import unquote_to_bytes

import pytest

from heaven_wsgi import WSGIAdapter
from tests.scenarios import SCENARIOS, make_app, write_files
from tests.table.kit import Log, Scenario
from tests.wsgi.memory import Call, environ_of, until


@final
class Served:
    """One app for all scenarios: to make one takes longer than to ask it."""

    def __init__(self, directory: Path) -> None:
        write_files(directory)
        self.log: Final = Log()
        self.adapter: Final = WSGIAdapter(make_app(str(directory), self.log))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("files"))


def call_of(scenario: Scenario, adapter: WSGIAdapter) -> Call:
    ask = scenario.ask
    path, _, query = (scenario.path + ask.target).partition("?")
    more: dict[str, object] = {
        "CONTENT_TYPE" if name.lower() == "content-type" else f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in ask.headers
    }
    mount = "/mounted" if ask.mounted else ""
    environ = environ_of(
        ask.method,
        unquote_to_bytes(path).decode("latin-1"),
        [("X-Run", scenario.name)],
        ask.body,
        query=query,
        script_name=mount,
        more={"REQUEST_URI": mount + path + (f"?{query}" if query else ""), **more},
    )
    return Call(adapter, environ)


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")  # of the validator: methods are anybody's (RFC 9110 §16.1)
@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS])
def test_a_request_gets_the_answer_of_the_table(scenario: Scenario, served: Served) -> None:
    log = served.log
    log.notes.clear()
    log.errors.clear()
    call = call_of(scenario, served.adapter).run()
    expected = scenario.answer
    fields = [(name, value.replace(b"\t", b" ")) for name, value in expected.fields if name != b"upgrade"]
    assert (call.status, call.fields) == (expected.status, fields)
    assert (call.body, call.whole) == (expected.body, expected.whole)
    until(lambda: len(log.notes.get(scenario.name, [])) >= len(scenario.notes), "what is deferred")
    assert tuple(log.notes[scenario.name]) == scenario.notes
    until(lambda: len(log.errors) >= len(scenario.errors), "what is reported")
    assert [text.partition(" in ")[0] for text in log.errors] == [kind.__name__ for kind in scenario.errors]
