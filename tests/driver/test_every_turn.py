"""At every turn of the event loop a client leaves or a request is cancelled: nothing is left, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, final

import anyio
import pytest
from anyio.from_thread import run as run_in_loop
from anyio.lowlevel import checkpoint

from heaven_core import App, Context, Outcome, Request, Response
from heaven_core.protocol.events import DeferredCall
from heaven_driver.engine import Engine
from heaven_io.files import READ_SIZE
from tests.driver.memory import PATIENCE, Call, Sent

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Happen = Callable[["Result", asyncio.Task[None] | None], Awaitable[None]]
MOST_TURNS: Final = 60
SOON: Final = 0.01  # seconds: a head timeout and a heartbeat that are over when a place takes longer


@final
class AtOnce:
    """Runs deferred calls where they are handed over: else it is the request's own task, which may be cancelled."""

    def start(self, calls: Sequence[DeferredCall], app: object) -> None:
        for call in calls:
            call.run(app)


@final
class Result:
    """One request, and what becomes of it."""

    def __init__(self, body: str, directory: Path) -> None:
        self.notes: Final[list[str]] = []
        self.errors: Final[list[BaseException]] = []
        self.outcomes: Final[list[Outcome]] = []
        self.tasks: Final[set[object]] = set()
        self.directory: Final = directory
        self.scope: Final = anyio.CancelScope()
        app = App(on_error=lambda error, where: self.errors.append(error), defer_runner=AtOnce())
        app.before("*", self.watch)
        app.GET("/body", getattr(self, body))
        self.call: Final = Call(Engine(app, closing_limit=1.0), "/body")
        self.call.at_send = self.pause

    async def run(self) -> None:
        with anyio.fail_after(PATIENCE), self.scope:
            try:
                await self.call.run()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                if not task.cancelling():  # then it is the scope's
                    raise
                task.uncancel()

    async def pause(self, number: int = 0, sent: Sent | None = None) -> None:
        await checkpoint()

    def watch(self, req: Request, res: Response, ctx: Context) -> None:
        def ended(app: App) -> None:
            assert res.outcome is not None
            self.outcomes.append(res.outcome)

        res.defer(ended)

    def defer(self, res: Response) -> None:
        res.defer(lambda app: self.notes.append("always"))
        res.defer(lambda app: self.notes.append("complete"), "complete")
        res.defer(lambda app: self.notes.append("failed"), "failed")

    async def items(self) -> AsyncIterator[str]:
        self.notes.append("begun")
        try:
            for number in range(3):
                self.tasks.add(anyio.get_current_task().id)
                await self.pause(number)
                yield "item"
            await self.pause()
        finally:
            self.tasks.add(anyio.get_current_task().id)
            self.notes.append("closed")

    def text(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream(self.items(), head_timeout=SOON)
        self.defer(res)

    def events(self, req: Request, res: Response, ctx: Context) -> None:
        res.stream(self.items(), sse=True, head_timeout=SOON, heartbeat=SOON)
        self.defer(res)

    def in_threads(self, req: Request, res: Response, ctx: Context) -> None:
        def items() -> Iterator[str]:
            self.notes.append("begun")
            try:
                for number in range(3):
                    run_in_loop(self.pause, number)
                    yield "item"
            finally:
                self.notes.append("closed")

        res.stream(items(), head_timeout=SOON)
        self.defer(res)

    def file(self, req: Request, res: Response, ctx: Context) -> None:
        res.file("large.bin", within=self.directory)
        self.defer(res)


def check(exchange: Result) -> None:
    """What holds whatever went wrong."""
    answer = exchange.call.answer  # which sees to the order of the messages
    [outcome] = exchange.outcomes
    notes = exchange.notes
    assert notes.count("closed") == notes.count("begun") <= 1
    assert len(exchange.tasks) <= 1, "the generator is closed in the task that has iterated it"
    early = outcome.kind == "failed" and outcome.status == 500  # takes back what the handler has set
    calls = [] if early else ["always"]
    if outcome.kind != "disconnected":
        calls.append(outcome.kind)
    assert [note for note in notes if note not in ("begun", "closed")] == calls
    assert notes[-len(calls) :] == calls, "deferred work comes last"
    if outcome.kind == "complete":
        assert answer.whole
        assert outcome.body_bytes == len(answer.body)
    elif not early:
        assert outcome.body_bytes <= len(answer.body)


def open_files(directory: Path) -> list[str]:
    links: list[str] = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(link.readlink()))
        except OSError:
            continue
    return [link for link in links if link.startswith(str(directory))]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "large.bin").write_bytes(b"x" * (2 * READ_SIZE + 1))
    return tmp_path


def on_asyncio() -> bool:
    return anyio.get_cancelled_exc_class() is asyncio.CancelledError


async def leave(exchange: Result, task: asyncio.Task[None] | None) -> None:
    exchange.call.leave()


async def cancel_scope(exchange: Result, task: asyncio.Task[None] | None) -> None:
    exchange.scope.cancel()


async def cancel_task(exchange: Result, task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()


@pytest.mark.parametrize("happen", [leave, cancel_scope, cancel_task], ids=lambda happen: happen.__name__)
@pytest.mark.parametrize("body", ["text", "events", "in_threads", "file"])
async def test_at_every_turn_of_the_event_loop(body: str, happen: Happen, directory: Path) -> None:
    """Also while a file is opened, read and closed, and while a thread takes a step: whatever is awaited there."""
    for turn in range(MOST_TURNS):
        exchange = Result(body, directory)
        over = anyio.Event()
        too_late = False
        tasks: list[asyncio.Task[None]] = []

        async def run(exchange: Result, over: anyio.Event, tasks: list[asyncio.Task[None]]) -> None:
            if on_asyncio():
                task = asyncio.current_task()
                assert task is not None
                tasks.append(task)
            await exchange.run()
            over.set()

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(run, exchange, over, tasks)
                for _ in range(turn + 1):
                    await checkpoint()
                too_late = over.is_set()
                if not too_late:
                    await happen(exchange, tasks[0] if tasks else None)
            while open_files(directory):
                await anyio.sleep(0.001)
        try:
            check(exchange)
        except (AssertionError, ValueError) as error:
            error.add_note(f"turn {turn}: {exchange.notes} {exchange.outcomes}")
            raise
        if too_late:
            return
