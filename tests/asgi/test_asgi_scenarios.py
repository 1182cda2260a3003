"""The table of scenarios through the adapter alone, on asyncio and on trio."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.scenarios import SCENARIOS, make_app, write_files
from tests.table.kit import Log, Scenario

pytestmark = pytest.mark.anyio


def decoded(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path, errors="replace")


@final
class Served:
    """One app for all scenarios: to make one takes longer than to ask it."""

    def __init__(self, directory: Path) -> None:
        write_files(directory)
        self.log: Final = Log()
        self.adapter: Final = ASGIAdapter(make_app(str(directory), self.log))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("files"))


def call_of(scenario: Scenario, adapter: ASGIAdapter) -> Call:
    ask = scenario.ask
    target = scenario.path + ask.target
    path, _, query = target.partition("?")
    headers = [("x-run", scenario.name), *ask.headers]
    if ask.body:
        headers.append(("content-length", str(len(ask.body))))
    mount = "/mounted" if ask.mounted else ""
    scope = scope_of(
        ask.method,
        mount + decoded(path),
        headers,
        raw_path=(mount + path).encode(),
        query_string=query.encode(),
        root_path=mount,
    )
    return Call(adapter, scope, [{"type": "http.request", "body": ask.body}])


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS])
async def test_each(scenario: Scenario, served: Served) -> None:
    log = served.log
    log.notes.clear()
    log.errors.clear()
    call = call_of(scenario, served.adapter)
    with anyio.fail_after(PATIENCE):
        await call.run()
    expected = scenario.answer
    answer = call.answer
    close = [(b"connection", b"close")] if scenario.name == "close" else []
    assert (answer.status, answer.fields) == (expected.status, expected.fields + close)
    assert (answer.body, answer.whole) == (expected.body, expected.whole)
    assert tuple(log.notes[scenario.name]) == scenario.notes  # without a lifespan, deferred work is awaited
    assert [text.partition(" in ")[0] for text in log.errors] == [kind.__name__ for kind in scenario.errors]
