"""Every fault at every step, on the way from a response to a server: each place where something is awaited, in turn.

The places are counted in a run in which nothing goes wrong; then each of them gets each fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, final

import anyio
import pytest
from anyio.from_thread import run as run_in_loop
from anyio.lowlevel import checkpoint

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_core import App, Context, Outcome, Request, Response
from heaven_core.deferring import DeferRunner
from heaven_core.events import DeferredCall
from heaven_io.files import READ_SIZE
from tests.asgi.memory import PATIENCE, Call, scope_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Fault = Callable[["Exchange", str], Awaitable[None]]
Happen = Callable[["Exchange", asyncio.Task[None] | None], Awaitable[None]]
MOST_TURNS: Final = 60
SOON: Final = 0.01  # seconds: a head timeout and a heartbeat that are over when a place takes longer


@final
class AtOnce:
    """Runs deferred calls where they are handed over: else it is the request's own task, which may be cancelled."""

    def start(self, calls: Sequence[DeferredCall], app: App) -> None:
        for call in calls:
            call.func(app)


@final
class Exchange:
    """One request, of which the place with the number `at` meets `fault`."""

    def __init__(
        self, body: str, directory: Path, at: int = -1, fault: Fault | None = None, runner: DeferRunner | None = None
    ) -> None:
        self.at: Final = at
        self.fault: Final = fault
        self.places: Final[list[str]] = []
        self.notes: Final[list[str]] = []
        self.errors: Final[list[BaseException]] = []
        self.outcomes: Final[list[Outcome]] = []
        self.tasks: Final[set[object]] = set()
        self.directory: Final = directory
        self.scope: Final = anyio.CancelScope()
        app = App(on_error=lambda error, where: self.errors.append(error), defer_runner=runner)
        app.before("*", self.watch)
        app.GET("/body", getattr(self, body))
        self.call: Final = Call(ASGIAdapter(app, closing_limit=1.0), scope_of(path="/body"))
        self.call.at_send = self.sending

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

    async def reach(self, place: str) -> None:
        self.places.append(place)
        if len(self.places) - 1 == self.at and self.fault is not None:
            await self.fault(self, place)

    async def sending(self, number: int, message: Message) -> None:
        await self.reach(f"send {number}")

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
                await self.reach(f"item {number}")
                yield "item"
            await self.reach("the end")
        finally:
            self.tasks.add(anyio.get_current_task().id)
            self.notes.append("closed")
            await self.reach("closing")

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
                    run_in_loop(self.reach, f"step {number}")
                    yield "item"
                run_in_loop(self.reach, "step at the end")
            finally:
                self.notes.append("closed")

        res.stream(items(), head_timeout=SOON)
        self.defer(res)

    def file(self, req: Request, res: Response, ctx: Context) -> None:
        res.file("large.bin", within=self.directory)
        self.defer(res)


async def failure(exchange: Exchange, place: str) -> None:
    """Of the connection, or of the application."""
    raise ConnectionResetError if place.startswith("send") else ValueError(place)


async def timeout(exchange: Exchange, place: str) -> None:
    """It takes longer than the head or a heartbeat waits."""
    await anyio.sleep(3 * SOON)


async def disconnect(exchange: Exchange, place: str) -> None:
    """The client leaves, and what is awaited here would last for ever, if it were not for that."""
    exchange.call.leave()
    if place.startswith(("send", "step")):
        await anyio.sleep(SOON)  # a server lets go; a thread can't be woken
    elif place != "closing":
        await anyio.sleep(PATIENCE)


async def late(exchange: Exchange, place: str) -> None:
    """The client leaves, and the answer to what was asked comes all the same."""
    exchange.call.leave()
    with anyio.CancelScope(shield=True):
        try:
            await anyio.sleep(2 * SOON)
        except asyncio.CancelledError:
            await checkpoint()


async def cancellation(exchange: Exchange, place: str) -> None:
    """The server gives up the request, as a scope does."""
    exchange.scope.cancel()
    await checkpoint()


FAULTS: Final = [failure, timeout, disconnect, late, cancellation]
BODIES: Final = ["text", "events", "in_threads", "file"]


def check(exchange: Exchange) -> None:
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


async def places_of(body: str, directory: Path) -> list[str]:
    """Where it may be met by something, when nothing does."""
    exchange = Exchange(body, directory)
    await exchange.run()
    check(exchange)
    assert exchange.outcomes[0].kind == "complete"
    assert exchange.errors == []
    return exchange.places


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("body", BODIES)
async def test_at_every_place(body: str, fault: Fault, directory: Path) -> None:
    places = await places_of(body, directory)
    assert len(places) >= (5 if body == "file" else 8)
    for at, place in enumerate(places):
        exchange = Exchange(body, directory, at, fault)
        await exchange.run()
        assert place in exchange.places, "the fault was met"
        try:
            check(exchange)
            with anyio.fail_after(PATIENCE):
                while open_files(directory):
                    await anyio.sleep(0.001)
        except (AssertionError, TimeoutError) as error:
            error.add_note(f"{fault.__name__} at {place}: {exchange.notes} {exchange.outcomes} {exchange.places}")
            raise


async def leave(exchange: Exchange, task: asyncio.Task[None] | None) -> None:
    exchange.call.leave()


async def cancel_scope(exchange: Exchange, task: asyncio.Task[None] | None) -> None:
    exchange.scope.cancel()


async def cancel_task(exchange: Exchange, task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()


@pytest.mark.parametrize("happen", [leave, cancel_scope, cancel_task], ids=lambda happen: happen.__name__)
@pytest.mark.parametrize("body", BODIES)
async def test_at_every_turn_of_the_event_loop(body: str, happen: Happen, directory: Path) -> None:
    """Also while a file is opened, read and closed, and while a thread takes a step: whatever is awaited there."""
    for turn in range(MOST_TURNS):
        exchange = Exchange(body, directory, runner=AtOnce())
        over = anyio.Event()
        too_late = False
        tasks: list[asyncio.Task[None]] = []

        async def run(exchange: Exchange, over: anyio.Event, tasks: list[asyncio.Task[None]]) -> None:
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
            error.add_note(f"turn {turn}: {exchange.notes} {exchange.outcomes} {exchange.places}")
            raise
        if too_late:
            return
