"""`app.on_event`: observers see each exchange's events, and can't break it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Final

import pytest

from examples import observed
from heaven_core import App, Chunk, Context, Deferred, End, Event, FileRange, Outcome, Request, Reset, Response, Start
from heaven_core.testing import Client, Clock, Disk
from heaven_driver.blocking import serve, system_runtime
from tests.handlers.kit import loose


def text(req: Request, res: Response, ctx: Context) -> None:
    res.body = "hello"
    res.defer(lambda app: None)


def file(req: Request, res: Response, ctx: Context) -> None:
    res.file("/f")


def broken(req: Request, res: Response, ctx: Context) -> None:
    def items() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("stream")

    res.stream(items())


def failing(req: Request, res: Response, ctx: Context) -> None:
    raise ZeroDivisionError


class Witness:
    def __init__(self) -> None:
        self.told: Final[list[Event | Outcome]] = []
        self.paths: Final[set[str]] = set()
        self.errors: Final[list[BaseException]] = []
        self.app: Final = App(on_error=lambda error, where: self.errors.append(error))
        for handler in (text, file, broken, failing):
            self.app.GET(f"/{handler.__name__}", handler)
        self.app.on_event(self.observe)
        self.client: Final = Client(self.app, disk=Disk({"/f": b"file"}), raise_errors=False)

    def observe(self, req: Request[object], what: Event | Outcome) -> None:
        self.told.append(what)
        self.paths.add(req.path)

    @property
    def kinds(self) -> list[type]:
        return [type(what) for what in self.told]


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.mark.parametrize(
    ("path", "kinds", "outcome"),
    [
        ("/text", [Start, Chunk, End, Deferred, Outcome], "complete"),
        ("/file", [Start, FileRange, End, Outcome], "complete"),
        ("/broken", [Start, Chunk, Reset, Outcome], "failed"),
        ("/failing", [Start, Chunk, End, Outcome], "failed"),
        ("/none", [Start, Chunk, End, Outcome], "complete"),
    ],
)
def test_an_observer_is_told_of_each_event_and_last_of_the_outcome(
    path: str, kinds: list[type], outcome: str, witness: Witness
) -> None:
    answer = witness.client.get(path)
    assert witness.kinds == kinds
    assert witness.told[:-1] == answer.events
    last = witness.told[-1]
    assert type(last) is Outcome
    assert last == answer.outcome
    assert last.kind == outcome
    assert witness.paths == {path}


def test_an_observer_is_not_told_of_what_could_not_be_sent(witness: Witness) -> None:
    witness.client.request("GET", "/text", leave_after=1)
    assert witness.kinds == [Start, Deferred, Outcome]
    last = witness.told[-1]
    assert type(last) is Outcome
    assert last.kind == "disconnected"


def test_an_observer_that_raises_is_reported_and_the_next_is_told(witness: Witness) -> None:
    def raises(req: Request[object], what: Event | Outcome) -> None:
        raise KeyError("observer")

    told: list[type] = []
    witness.app.on_event(raises)
    witness.app.on_event(lambda req, what: told.append(type(what)))
    answer = witness.client.get("/file")
    assert (answer.status, answer.body, answer.ended) == (200, b"file", True)
    assert told == witness.kinds
    assert {type(error) for error in witness.errors} == {KeyError}


def test_an_async_one_is_refused() -> None:
    async def observe(req: Request[object], what: Event | Outcome) -> None: ...

    class Observer:
        async def __call__(self, req: Request[object], what: Event | Outcome) -> None: ...

    for observer in (observe, Observer()):
        with pytest.raises(TypeError, match="no response waits"):
            App().on_event(observer)


def test_an_observer_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="callable"):
        loose(App().on_event)("log")


def example(observer: Callable[[Request, Event | Outcome], None]) -> Client:
    app = App()
    app.GET("/hello/:name", observed.hello)
    app.on_event(observer)
    return Client(app)


def test_the_examples_access_log() -> None:
    file = StringIO()
    client = example(observed.access_log(file))
    client.get("/hello/you?q=1")
    client.get("/none%0Aforged")
    first, second = file.getvalue().splitlines()
    assert first == "- GET /hello/you?q=1 200 complete 15 B 0.0 ms"
    assert second.startswith("- GET /none%0Aforged 404 complete 14 B")


def test_the_examples_metrics() -> None:
    metrics = observed.Metrics()
    client = example(metrics.observe)
    client.get("/hello/you")
    client.get("/hello/them")
    client.get("/none")
    assert metrics.text().splitlines() == [
        "# TYPE http_responses_total counter",
        'http_responses_total{status="200",outcome="complete"} 2',
        'http_responses_total{status="404",outcome="complete"} 1',
        "# TYPE http_responses_started_total counter",
        "http_responses_started_total 3",
        "# TYPE http_response_body_bytes_total counter",
        "http_response_body_bytes_total 45",
        "# TYPE http_response_seconds_total counter",
        "http_response_seconds_total 0.0",
    ]
    answer = Client(observed.app).get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
def test_one_that_exits_ends_nothing_but_itself(error: BaseException) -> None:
    """SPEC 5."""
    errors: list[BaseException] = []
    told: list[str] = []

    def leave(req: Request, event: object) -> None:
        raise error

    def hello(req: Request, res: Response, ctx: Context) -> None:
        res.body = "hello"

    app = App(on_error=lambda error, where: errors.append(error))
    app.GET("/", hello)
    app.on_event(leave)
    app.on_event(lambda req, event: told.append(type(event).__name__))
    assert Client(app, raise_errors=False).get("/").body == b"hello"
    assert told == ["Start", "Chunk", "End", "Outcome"]
    assert errors == [error] * 4


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), RuntimeError()])
def test_an_on_error_that_exits_ends_nothing_but_itself(error: BaseException) -> None:
    """SPEC 5. It is logged, and so is what it was told of."""
    logged: list[str] = []

    def on_error(error: BaseException, where: str) -> None:
        raise leaving

    def fail(req: Request, res: Response, ctx: Context) -> None:
        raise ValueError

    leaving = error
    app = App(on_error=on_error)
    app.GET("/", fail)
    runtime = system_runtime(log=lambda error, where: logged.append(f"{type(error).__name__} in {where}"))
    [start, *_] = serve(app, Request("GET", "/"), runtime)
    assert isinstance(start, Start)
    assert start.status == 500
    assert logged == [f"{type(error).__name__} in on_error", "ValueError in GET '/'"]


def test_a_ctrl_c_in_on_error_passes() -> None:
    def on_error(error: BaseException, where: str) -> None:
        raise KeyboardInterrupt

    logged: list[tuple[BaseException, str]] = []
    app = App(on_error=on_error)
    with pytest.raises(KeyboardInterrupt):
        app.report(ValueError(), "here", Clock().runtime(lambda error, where: logged.append((error, where))))
    assert logged == []
