"""SPEC 4: a client that takes nothing for `send_timeout` seconds is gone, and one that takes a little is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import Final, final

import anyio
import pytest

from heaven_driver.engine import on_asyncio
from heaven_driver.send_timeout import SendTimeout
from heaven_driver.timers import Timers
from tests.driver.memory import PATIENCE

pytestmark = pytest.mark.anyio

SECONDS: Final = 60.0


@final
class Hands:
    """A clock whose time the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: Final[list[tuple[float, Callable[[], object]]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> None:
        self._calls.append((when, callback))

    @property
    def is_waited_for(self) -> bool:
        return bool(self._calls)

    def move(self, seconds: float) -> None:
        """By one second after the other."""
        end = self.now + seconds
        while self.now < end:
            self.now += 1.0
            due = [call for call in self._calls if call[0] <= self.now]
            self._calls[:] = [call for call in self._calls if call[0] > self.now]
            for _, callback in due:
                callback()


@final
class Client:
    """`unsent` is what it has not taken, if anybody can tell."""

    def __init__(self, unsent: int | None = None) -> None:
        self.unsent = unsent

    def count_unsent(self) -> int | None:
        return self.unsent


@final
class Server:
    """What is below a wire: it takes a message when the test lets it."""

    def __init__(self) -> None:
        self.room: Final = anyio.Event()
        self.asked: Final = anyio.Event()
        self.ended: str = ""

    async def send(self) -> None:
        self.asked.set()
        try:
            await self.room.wait()
        except BaseException as error:
            self.ended = type(error).__name__
            raise
        self.ended = "sent"

    @staticmethod
    async def at_once() -> None:
        await anyio.lowlevel.checkpoint()

    async def send_under_a_shield(self) -> None:
        """As hypercorn does on trio."""
        with anyio.CancelScope(shield=True):
            await self.send()


@final
class Native:
    """What is awaited through an iterator that can neither be sent nor thrown anything."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._steps: Final = future.__await__()

    def __await__(self) -> Generator[object, None, None]:
        return self  # type: ignore[return-value]  # an iterator is enough (PEP 492)

    def __iter__(self) -> Native:
        return self

    def __next__(self) -> object:
        return next(self._steps)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.001)


@final
class Attempt:
    """One send, in a task of the test's; `result` says how it ended."""

    def __init__(
        self, hands: Hands, sending: Awaitable[None], seconds: float | None = SECONDS, client: Client | None = None
    ) -> None:
        self.result = ""
        self._client: Final = client or Client()
        self._sends: Final = SendTimeout(seconds, Timers(hands), on_asyncio())
        self._sending: Final = sending

    async def run(self) -> None:
        try:
            await self._sends.wait(self._sending, self._client)
        except Exception as error:
            self.result = f"{type(error).__name__}: {error}"
        else:
            self.result = "sent"


GONE: Final = "ConnectionAbortedError: the client has taken nothing for 60 s"


async def test_a_send_that_is_held_up_for_too_long_is_given_up() -> None:
    hands, server = Hands(), Server()
    attempt = Attempt(hands, server.send())
    async with anyio.create_task_group() as group:
        group.start_soon(attempt.run)
        await server.asked.wait()
        await until(lambda: hands.is_waited_for)
        hands.move(2 * SECONDS)
    assert attempt.result == GONE
    await until(lambda: server.ended in ("CancelledError", "Cancelled"))


async def test_not_before_its_time() -> None:
    hands, server = Hands(), Server()
    attempt = Attempt(hands, server.send())
    async with anyio.create_task_group() as group:
        group.start_soon(attempt.run)
        await server.asked.wait()
        await until(lambda: hands.is_waited_for)
        hands.move(SECONDS - 1)
        await anyio.lowlevel.checkpoint()
        assert attempt.result == ""
        server.room.set()
    assert attempt.result == "sent"


async def test_each_send_has_the_whole_time() -> None:
    """What a slow client takes of a large body are many sends."""
    hands = Hands()
    sends = SendTimeout(SECONDS, Timers(hands), on_asyncio())
    sent = 0

    async def send_pieces(servers: list[Server]) -> None:
        nonlocal sent
        for server in servers:
            await sends.wait(server.send(), Client())
            sent += 1

    servers = [Server() for _ in range(5)]
    async with anyio.create_task_group() as group:
        group.start_soon(send_pieces, servers)
        for server in servers:
            await server.asked.wait()
            await until(lambda: hands.is_waited_for)
            hands.move(SECONDS - 1)
            server.room.set()
    assert sent == len(servers)


async def test_whoever_takes_a_little_of_one_send_may_take_as_long_as_it_needs() -> None:
    """Where that can be told: the operating system makes room for a server's next piece in lumps."""
    hands, server, client = Hands(), Server(), Client(1000)
    attempt = Attempt(hands, server.send(), client=client)
    async with anyio.create_task_group() as group:
        group.start_soon(attempt.run)
        await server.asked.wait()
        await until(lambda: hands.is_waited_for)
        for unsent in range(1000, 0, -100):
            client.unsent = unsent
            hands.move(SECONDS - 1)
        await anyio.lowlevel.checkpoint()
        assert attempt.result == ""
        hands.move(2 * SECONDS)
    assert attempt.result == GONE


async def test_without_a_timeout_it_waits_for_ever() -> None:
    hands, server = Hands(), Server()
    attempt = Attempt(hands, server.send(), None)
    async with anyio.create_task_group() as group:
        group.start_soon(attempt.run)
        await server.asked.wait()
        assert not hands.is_waited_for
        server.room.set()
    assert attempt.result == "sent"


async def test_what_a_send_raises_is_raised() -> None:
    async def send() -> None:
        await anyio.lowlevel.checkpoint()
        raise BrokenPipeError("it has left")

    attempt = Attempt(Hands(), send())
    await attempt.run()
    assert attempt.result == "BrokenPipeError: it has left"


async def test_a_send_that_ends_at_once_sets_no_timer_on_asyncio() -> None:
    """On trio each send waits for something."""

    async def send() -> None:
        pass

    hands = Hands()
    attempt = Attempt(hands, send())
    await attempt.run()
    assert attempt.result == "sent"
    assert hands.is_waited_for is not on_asyncio()


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_shield_of_the_servers_holds_nobody_up_on_trio(anyio_backend: str) -> None:
    """hypercorn has one round what it writes; the send is left behind, and ends when the server closes."""
    hands, server = Hands(), Server()
    attempt = Attempt(hands, server.send_under_a_shield())
    async with anyio.create_task_group() as group:
        group.start_soon(attempt.run)
        await server.asked.wait()
        await until(lambda: hands.is_waited_for)
        hands.move(2 * SECONDS)
    assert attempt.result == GONE
    assert server.ended == ""
    server.room.set()
    await until(lambda: server.ended == "sent")


async def test_a_cancelled_request_is_cancelled_while_it_sends() -> None:
    hands, server = Hands(), Server()
    attempt = Attempt(hands, server.send())
    async with anyio.create_task_group() as group:
        group.start_soon(attempt.run)
        await server.asked.wait()
        group.cancel_scope.cancel()
    assert attempt.result == ""
    await until(lambda: server.ended in ("CancelledError", "Cancelled"))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
class TestOnAsyncio:
    """Where the owner is woken by a cancellation."""

    async def waiting(self, hands: Hands, server: Server) -> asyncio.Task[None]:
        sends = SendTimeout(SECONDS, Timers(hands), True)
        task = asyncio.ensure_future(sends.wait(server.send(), Client()))
        await server.asked.wait()
        await until(lambda: hands.is_waited_for)
        assert isinstance(task, asyncio.Task)
        return task

    async def test_it_is_taken_back(self, anyio_backend: str) -> None:
        hands, server = Hands(), Server()
        task = await self.waiting(hands, server)
        hands.move(2 * SECONDS)
        with pytest.raises(ConnectionAbortedError):
            await task
        assert task.cancelling() == 0

    async def test_somebody_elses_at_the_same_time_is_not_lost(self, anyio_backend: str) -> None:
        hands, server = Hands(), Server()
        task = await self.waiting(hands, server)
        task.cancel()
        hands.move(2 * SECONDS)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1

    async def test_a_server_that_swallows_it_makes_no_difference(self, anyio_backend: str) -> None:
        hands, asked = Hands(), anyio.Event()

        async def send() -> None:
            asked.set()
            try:
                await anyio.sleep_forever()
            except asyncio.CancelledError:
                await anyio.lowlevel.checkpoint()

        attempt = Attempt(hands, send())
        async with anyio.create_task_group() as group:
            group.start_soon(attempt.run)
            await asked.wait()
            await until(lambda: hands.is_waited_for)
            hands.move(2 * SECONDS)
        assert attempt.result == GONE

    @pytest.mark.parametrize("takes", [True, False])
    async def test_an_awaitable_need_be_no_coroutine(self, takes: bool, anyio_backend: str) -> None:
        """granian returns one of its own, whose iterator is that and no more."""
        hands = Hands()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        attempt = Attempt(hands, Native(future))
        async with anyio.create_task_group() as group:
            group.start_soon(attempt.run)
            await until(lambda: hands.is_waited_for)
            if takes:
                future.set_result(None)
            else:
                hands.move(2 * SECONDS)
        assert attempt.result == ("sent" if takes else GONE)

    async def test_one_that_is_dropped_is_closed(self, anyio_backend: str) -> None:
        """As where the event loop ends before it."""
        server = Server()
        waiting = SendTimeout(SECONDS, Timers(Hands()), True).wait(server.send(), Client())
        assert isinstance(waiting, Generator | Awaitable)
        steps = waiting.__await__()
        next(steps)
        steps.close()
        assert server.ended == "GeneratorExit"


VARIABLE: Final[ContextVar[str]] = ContextVar("VARIABLE", default="unset")


async def test_a_send_runs_in_the_context_of_its_request() -> None:
    """Middlewares have variables there."""
    seen: list[str] = []

    async def send() -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(VARIABLE.get())
        VARIABLE.set("of the send")

    VARIABLE.set("of the request")
    await Attempt(Hands(), send()).run()
    assert (seen, VARIABLE.get()) == (["of the request"], "of the send")


@pytest.mark.parametrize("anyio_backend", ["trio"])
class TestOnTrio:
    """Where each send is done by a task that belongs to nobody."""

    async def test_one_task_does_many(self, anyio_backend: str) -> None:
        sends = SendTimeout(SECONDS, Timers(Hands()), False)
        seen: set[int] = set()

        async def send() -> None:
            seen.add(anyio.get_current_task().id)
            await anyio.lowlevel.checkpoint()

        for _ in range(5):
            await sends.wait(send(), Client())
        assert len(seen) == 1
        assert anyio.get_current_task().id not in seen

    async def test_as_many_as_are_asked_for_go_on_at_once(self, anyio_backend: str) -> None:
        sends = SendTimeout(SECONDS, Timers(Hands()), False)
        servers = [Server() for _ in range(150)]

        async def send(server: Server) -> None:
            await sends.wait(server.send(), Client())

        async with anyio.create_task_group() as group:
            for server in servers:
                group.start_soon(send, server)
            for server in servers:
                await server.asked.wait()
            for server in servers:
                server.room.set()
        assert {server.ended for server in servers} == {"sent"}
        await sends.wait(Server.at_once(), Client())

    async def test_one_that_was_given_up_does_not_hold_the_next_up(self, anyio_backend: str) -> None:
        hands, held_up = Hands(), Server()
        sends = SendTimeout(SECONDS, Timers(hands), False)
        gone: list[str] = []

        async def send() -> None:
            try:
                await sends.wait(held_up.send_under_a_shield(), Client())
            except ConnectionAbortedError:
                gone.append("gone")

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await held_up.asked.wait()
            hands.move(2 * SECONDS)
        await sends.wait(Server.at_once(), Client())
        assert gone == ["gone"]
        held_up.room.set()
        await until(lambda: held_up.ended == "sent")
        await sends.wait(Server.at_once(), Client())

    @pytest.mark.parametrize("first", ["time", "end", "cancellation"])
    async def test_whatever_comes_in_one_turn_the_owner_goes_on_once(self, first: str, anyio_backend: str) -> None:
        """Time, end and cancellation of the request."""
        hands, server = Hands(), Server()
        attempt = Attempt(hands, server.send())
        async with anyio.create_task_group() as group:
            group.start_soon(attempt.run)
            await server.asked.wait()
            await until(lambda: hands.is_waited_for)
            acts = [lambda: hands.move(2 * SECONDS), server.room.set, group.cancel_scope.cancel]
            at = ["time", "end", "cancellation"].index(first)
            for act in acts[at:] + acts[:at]:
                act()
        assert attempt.result == (GONE if first == "time" else "")
