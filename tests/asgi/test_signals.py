"""SIGTERM and SIGINT end the streams, since most servers say nothing before the streams have ended."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Generator
from threading import Thread
from types import FrameType

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, Request, Response
from tests.asgi.life import Life
from tests.asgi.memory import PATIENCE, Call, scope_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Server:
    """One that notes the signals it gets, as its own handler."""

    def __init__(self) -> None:
        self.got: list[int] = []

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.got.append(number)


@pytest.fixture
def server() -> Generator[Server]:
    """Its handlers are installed, and those of the tests come back."""
    server = Server()
    before = {number: signal.signal(number, server.handle) for number in (signal.SIGTERM, signal.SIGINT)}
    yield server
    for number, handler in before.items():
        signal.signal(number, handler)


def app_with_events() -> App:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[object]:
            yield "one"
            await anyio.sleep_forever()

        res.stream(items(), sse=True, at_shutdown="bye")

    app = App()
    app.GET("/events", handler)
    return app


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_streams_and_reaches_the_server(number: signal.Signals, server: Server) -> None:
    life = Life(app_with_events())
    calls = [Call(life.adapter, scope_of(path="/events")) for _ in range(2)]
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            group.start_soon(calls[0].run)
            await calls[0].until_sent(2)
            signal.raise_signal(number)
            assert server.got == [number]
            await calls[0].until_sent(3)
            await calls[1].run()  # one that begins while the server ends
            life.shut_down()
    for call in calls:
        assert call.answer.body == b"data: one\n\ndata: bye\n\n"
        assert call.answer.whole
    assert signal.getsignal(number) == server.handle


async def test_the_lifespan_message_ends_them_where_no_signal_came(server: Server) -> None:
    life = Life(app_with_events())
    call = Call(life.adapter, scope_of(path="/events"))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            group.start_soon(call.run)
            await call.until_sent(2)
            life.shut_down()
    assert call.answer.body == b"data: one\n\ndata: bye\n\n"
    assert call.answer.whole


async def test_an_adapter_can_be_told_to_leave_signals_alone(server: Server) -> None:
    life = Life(App(), signals=False)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            assert signal.getsignal(signal.SIGTERM) == server.handle
            life.shut_down()


@pytest.mark.parametrize("nobody", [signal.SIG_IGN, signal.SIG_DFL])
async def test_a_signal_that_nobody_handles_stays_as_it_is(nobody: signal.Handlers, server: Server) -> None:
    """It is ignored or ends the process: that is for somebody else to change."""
    signal.signal(signal.SIGTERM, nobody)
    life = Life(App())
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            assert signal.getsignal(signal.SIGTERM) is nobody
            assert signal.getsignal(signal.SIGINT) != server.handle
            life.shut_down()
    assert signal.getsignal(signal.SIGTERM) is nobody


async def test_a_handler_that_chains_after_the_adapter_stays(server: Server) -> None:
    """What is called by somebody else's handler must not take that away."""
    later = Server()
    life = Life(App())
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            signal.signal(signal.SIGTERM, later.handle)
            life.shut_down()
    assert signal.getsignal(signal.SIGTERM) == later.handle


async def test_two_adapters_in_one_process_both_hear_it(server: Server) -> None:
    lives = [Life(app_with_events()) for _ in range(2)]
    calls = [Call(life.adapter, scope_of(path="/events")) for life in lives]
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            for life, call in zip(lives, calls, strict=True):
                group.start_soon(life.run)
                await life.started.wait()
                group.start_soon(call.run)
                await call.until_sent(2)
            signal.raise_signal(signal.SIGTERM)
            for call in calls:
                await call.until_sent(3)
            for life in reversed(lives):
                life.shut_down()
                await life.ended.wait()
    assert server.got == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == server.handle


def test_in_another_thread_there_are_no_signals(server: Server, anyio_backend_name: str) -> None:
    """Python lets only the main thread handle them."""
    seen: list[object] = []

    async def main() -> None:
        life = Life(App())
        async with anyio.create_task_group() as group:
            group.start_soon(life.run)
            await life.started.wait()
            seen.append(signal.getsignal(signal.SIGTERM))
            life.shut_down()
        seen.append(life.types)

    thread = Thread(target=anyio.run, args=(main,), kwargs={"backend": anyio_backend_name})
    thread.start()
    thread.join(PATIENCE)
    assert seen == [server.handle, ["lifespan.startup.complete", "lifespan.shutdown.complete"]]


async def test_an_adapter_can_be_started_again() -> None:
    """As tests do, with one adapter for many of them: streams of the second time are not ended by the first."""
    adapter: ASGIAdapter | None = None
    for _ in range(2):
        life = Life(app_with_events(), adapter=adapter)
        adapter = life.adapter
        call = Call(adapter, scope_of(path="/events"))
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(life.run)
                await life.started.wait()
                group.start_soon(call.run)
                await call.until_sent(2)
                await anyio.sleep(0.25)
                assert len(call.sent) == 2
                life.shut_down()
        assert call.answer.whole
