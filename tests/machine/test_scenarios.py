"""The table of scenarios on the bare machine, with the disk and the client of `heaven_core.testing`."""

from __future__ import annotations

from typing import Final

import pytest

from heaven_core import Deferred
from heaven_core.testing import Client, Disk
from heaven_core.testing.result import Result
from tests.scenarios import SCENARIOS, files_in_memory, make_app
from tests.table.files import MTIME
from tests.table.kit import Log, Scenario

ROOT: Final = "/disk"
BY_NAME: Final = [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS]


class Bench:
    """The app with all scenarios, and what they write down."""

    def __init__(self) -> None:
        self.log = Log()
        self.disk = Disk(files_in_memory(ROOT), MTIME)
        self.client = Client(make_app(ROOT, self.log), disk=self.disk, raise_errors=False)

    async def ask(self, scenario: Scenario) -> Result:
        ask = scenario.ask
        return await self.client.arequest(
            ask.method, scenario.path + ask.target, ask.body, headers={"x-run": scenario.name, **dict(ask.headers)}
        )

    def check(self, scenario: Scenario, exchange: Result) -> None:
        assert [type(event).__name__ for event in exchange.events if type(event) is not Deferred] == [
            type(event).__name__ for event in scenario.events
        ]
        assert tuple(event for event in exchange.events if type(event) is not Deferred) == scenario.events
        assert exchange.outcome is not None
        assert exchange.outcome.kind == scenario.outcome
        assert tuple(self.log.notes.get(scenario.name, ())) == scenario.notes
        assert [type(error) for error, _ in exchange.errors] == list(scenario.errors)
        answer = scenario.answer
        assert (exchange.status, exchange.headers.fields) == (answer.status, answer.fields)
        assert (exchange.body, exchange.ended) == (answer.body, answer.whole)
        assert exchange.outcome.status == answer.status
        assert exchange.outcome.body_bytes == len(answer.body)
        assert self.disk.open_files == []


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("scenario", BY_NAME)
async def test_on_a_loop(scenario: Scenario, bench: Bench) -> None:
    """Events, body, outcome, clean-up and deferred work are what the table says, on asyncio and on trio."""
    bench.check(scenario, await bench.ask(scenario))


def test_without_a_loop(bench: Bench) -> None:
    """An app that awaits nothing of its own needs no event loop: all but those that have one say so."""
    for scenario in SCENARIOS:
        ask = scenario.ask
        headers = {"x-run": scenario.name, **dict(ask.headers)}
        if not scenario.needs_loop:
            exchange = bench.client.request(ask.method, scenario.path + ask.target, ask.body, headers=headers)
            bench.check(scenario, exchange)


def test_each_scenario_says_what_it_shows() -> None:
    assert [scenario.name for scenario in SCENARIOS if not scenario.shows] == []


def test_names_are_unique() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
