"""The one thing that wire tests know of servers: `serve`, which starts one with a given app."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final, Protocol

import pytest

from tests.scenarios import write_files
from tests.wire.servers import KINDS, Kind, Server

# Those that are running, for the report of a test that fails.
RUNNING: Final[list[Server]] = []
HERE: Final = Path(__file__).parent


def served_by(*kinds: Kind) -> pytest.MarkDecorator:
    """A test, or all of a module, for these kinds of servers."""
    return pytest.mark.parametrize("kind", kinds, ids=[kind.name for kind in kinds], indirect=True)


class Serve(Protocol):
    """Starts a server with the app of a module below tests/wire/apps.

    One that runs already is taken, unless `fresh`: then it is the test's own, to be stopped or broken. `settings` are
    for the app's environment. The server may have ended again, where its app fails to start.
    """

    def __call__(self, app: str, *, fresh: bool = False, **settings: str) -> Server: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that starts servers is slow."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", params=KINDS, ids=[kind.name for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of server in turn, unless the test is `served_by` others."""
    chosen = request.param
    assert isinstance(chosen, Kind)
    return chosen


@pytest.fixture(scope="session")
def serve(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    directory = tmp_path_factory.mktemp(kind.name)
    write_files(directory)
    kept: dict[str, Server] = {}
    started: list[Server] = []

    def start(app: str, *, fresh: bool = False, **settings: str) -> Server:
        if not fresh and app in kept:
            return kept[app]
        server = _start(kind, app, directory, settings)
        started.append(server)
        RUNNING.append(server)
        if not fresh:
            assert server.is_running, server.output
            kept[app] = server
        return server

    try:
        yield start
    finally:
        for server in started:
            server.stop()
            RUNNING.remove(server)


def _start(kind: Kind, app: str, directory: Path, settings: dict[str, str]) -> Server:
    for _ in range(3):
        server = Server(kind, f"tests.wire.apps.{app}", directory, settings)
        try:
            if server.wait_until_it_serves() or "in use" not in server.output:
                return server
        except AssertionError:
            server.stop()
            raise
    raise AssertionError("three free ports in a row were taken by somebody else")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a test that fails, show what the servers have said."""
    report = yield
    if report.failed:
        for server in RUNNING:
            report.sections.append((f"{server.kind.name}, {server.app}, port {server.port}", server.output[-20000:]))
    return report
