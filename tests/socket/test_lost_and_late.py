"""What happens in the same turn: nothing that was received is lost, and no timeout is for something later."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from heaven_core import App, Context, Request, Response
from heaven_driver.timers import Timers
from heaven_socket import Limits, SocketAdapter, listen_on
from heaven_socket.asyncio_transport import AsyncioTransport
from tests.socket.serving import KINDS, PATIENCE, Client, Ending, Kind, Served, serving

pytestmark = pytest.mark.anyio

GET = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def make_app() -> App:
    app = App(on_error=lambda error, where: None)
    app.GET("/text", lambda req, res, ctx: setattr(res, "body", "hello"))
    app.POST("/take", lambda req, res, ctx: setattr(res, "body", f"{len(req.body)} bytes"))

    def block(req: Request, res: Response, ctx: Context) -> None:
        time.sleep(0.5)  # as a handler that computes
        res.body = "blocked"

    app.GET("/block", block)
    return app


@pytest.mark.parametrize("kind", KINDS[:1], indirect=True)
async def test_a_reader_that_is_cancelled_as_the_bytes_come_leaves_them_to_the_next_one(kind: Kind) -> None:
    """A task's own cancellation comes in the place of what it waited for: the bytes must not go with it."""
    here, there = socket.socketpair()
    here.setblocking(False)
    transport = AsyncioTransport(here, Timers(), None)
    await transport.open()
    reading = asyncio.create_task(transport.receive())
    await asyncio.sleep(0)
    transport.get_buffer(-1)[:3] = b"abc"
    transport.buffer_updated(3)
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert await transport.receive() == b"abc"
    there.close()
    await transport.close()


async def test_a_request_that_comes_as_its_time_is_over_has_its_own_time(kind: Kind) -> None:
    """The event loop was held up: bytes and timeout are there at once, and the bytes were in time."""
    adapter = SocketAdapter(make_app(), limits=Limits(keep_alive_time=0.2, body_time=5, head_time=5))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as late, server.connect() as blocking:
        await late.send(GET % b"/text")
        await late.until(b"hello")
        await blocking.send(GET % b"/block")
        await late.send(b"POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabc")
        await blocking.until(b"blocked")
        await late.send(b"def")
        answers = await late.answers(["GET", "POST"])
    assert [answer.status for answer in answers][:1] == [200]
    if len(answers) == 2:  # where the timeout was first, the connection was closed as an idle one
        assert answers[1].text == "6 bytes"


@pytest.mark.parametrize("size", [60_000, 100_000, 140_000])
@pytest.mark.parametrize("end", ["keep-alive", "half-closed", "stop"])
async def test_a_slow_client_gets_all_of_a_response_whatever_ends_the_connection(
    end: str, size: int, kind: Kind
) -> None:
    """A part of it may still be in the transport's buffer when the session waits for the next request."""
    if kind.streams:
        return  # what they have taken is theirs
    app = App()
    app.GET("/big", lambda req, res, ctx: setattr(res, "body", b"x" * size))
    adapter = SocketAdapter(app, limits=Limits(keep_alive_time=0.1 if end == "keep-alive" else 20))
    [listener] = await listen_on("127.0.0.1", 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    port: int = listener.getsockname()[1]
    received = 0
    async with anyio.create_task_group() as group:
        stop = anyio.CancelScope()

        async def serve() -> None:
            with stop:
                await adapter.serve(sockets=[listener], signals=False)

        group.start_soon(serve)
        async with Served(adapter, port).connect(receive_buffer=4096) as client:
            await client.send(GET % b"/big")
            if end == "half-closed":
                await client.end()
            await anyio.sleep(0.3)
            if end == "stop":
                group.start_soon(adapter.shutdown)
                await anyio.sleep(0.1)
            try:
                with anyio.fail_after(PATIENCE):
                    while received < size:
                        received += len(await client.stream.receive(4096))
            except anyio.EndOfStream:
                pass
        stop.cancel()
    assert received > size


async def test_a_client_that_has_gone_before_the_go_ahead_is_no_failure(kind: Kind) -> None:
    """It is told to go on with its body, and is not there any more: nobody is left to answer."""
    errors: list[BaseException] = []
    begun, go = anyio.Event(), anyio.Event()
    app = App(on_error=lambda error, where: errors.append(error))
    ending = Ending(app)

    async def wait(req: Request, res: Response, ctx: Context) -> None:
        begun.set()
        await go.wait()

    app.before("/take", wait)
    app.POST("/take", lambda req, res, ctx: setattr(res, "body", req.body))
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(b"POST /take HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        await begun.wait()
        await client.reset()
        await anyio.sleep(0.05)
        go.set()
        with anyio.fail_after(PATIENCE):
            await ending.ended.wait()
    assert (ending.outcomes, errors) == (["disconnected"], [])


async def test_an_answer_is_not_reset_where_the_client_ends_inside_a_body_that_nobody_reads(kind: Kind) -> None:
    async with serving(kind, make_app()) as server, server.connect() as client:
        await client.send(b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab")
        await client.end()
        answer = await client.answer()
        with pytest.raises(anyio.EndOfStream):
            await client.stream.receive()
    assert answer.status == 404


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"1;", b"0\r\nA: "], ids=["extension", "trailer"])
async def test_what_is_around_a_body_counts_for_its_rate(start: bytes, kind: Kind) -> None:
    """Else a byte now and then holds the handler for days."""
    adapter = SocketAdapter(make_app(), limits=Limits(body_time=1, body_rate=1000, body_grace=0.2))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        await client.send(b"POST /take HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + start)

        async def drip() -> None:
            try:
                while True:
                    await client.send(b"a")
                    await anyio.sleep(0.05)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass

        async with anyio.create_task_group() as group:
            group.start_soon(drip)
            await client.until_closed()
            group.cancel_scope.cancel()
    assert client.received.startswith(b"HTTP/1.1 408")


async def test_one_that_sends_many_requests_at_once_leaves_others_their_turn(kind: Kind) -> None:
    count = 3000
    adapter = SocketAdapter(make_app(), limits=Limits(requests=1_000_000))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as greedy, server.connect() as other:
        await other.send(GET % b"/text")
        await other.until(b"hello")
        other.received = b""
        answered_before: list[int] = []

        async def ask() -> None:
            await other.send(GET % b"/text")
            await other.until(b"hello")
            answered_before.append(greedy.received.count(b"hello"))

        async def take() -> None:
            while greedy.received.count(b"hello") < count:
                assert await greedy.receive()

        async with anyio.create_task_group() as group:
            group.start_soon(take)
            await greedy.send(GET % b"/text" * count)
            group.start_soon(ask)
    assert answered_before[0] < count


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked", b"Content-Length: 99999999"])
async def test_a_body_that_is_too_large_ends_the_connection_and_the_head_says_so(framing: bytes, kind: Kind) -> None:
    """RFC 9112 §9.6; also where the beginning of it has been read."""
    app = App(max_body_size=1000)
    app.POST("/take", lambda req, res, ctx: setattr(res, "body", req.body))
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(b"POST /take HTTP/1.1\r\nHost: test\r\n%s\r\n\r\n7d0\r\n%s" % (framing, b"x" * 2000))
        answer = await client.answer()
    assert (answer.status, answer.hop["connection"]) == (413, "close")


async def test_a_stray_empty_line_does_not_hold_up_the_shutdown(kind: Kind) -> None:
    """RFC 9112 §2.2: behind the request that is being answered when the server ends, it is no other request."""
    app = make_app()
    go = anyio.Event()

    async def items() -> AsyncIterator[str]:
        yield "first"
        await go.wait()
        yield "last"

    app.GET("/stream", lambda req, res, ctx: res.stream(items()))
    adapter = SocketAdapter(app, limits=Limits(linger_time=0.1), response_deadline=4 * PATIENCE)
    async with serving(kind, app, adapter) as server, server.connect() as client:
        await client.send(GET % b"/stream" + b"\r\n")
        await client.until(b"first")  # the head has gone, and has not said that the connection ends
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(adapter.shutdown)
                await anyio.sleep(0.05)
                go.set()
        assert (await client.answer()).text == "firstlast"


@pytest.mark.parametrize("kind", KINDS[:3], indirect=True, ids=[kind.name for kind in KINDS[:3]])
async def test_a_handler_that_swallows_a_cancellation_does_not_keep_the_server(kind: Kind) -> None:
    app = App()
    begun = anyio.Event()

    async def stubborn(req: Request, res: Response, ctx: Context) -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        except BaseException:
            res.body = "so what"

    app.GET("/stubborn", stubborn)
    with anyio.fail_after(PATIENCE):
        async with serving(kind, app) as server, server.connect() as client:
            await client.send(GET % b"/stubborn")
            await begun.wait()


@pytest.mark.parametrize("kind", KINDS[:3], indirect=True, ids=[kind.name for kind in KINDS[:3]])
async def test_an_adapter_serves_once_in_an_event_loop(kind: Kind) -> None:
    """A second time is refused before anything is begun, and the first goes on."""
    entered: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        entered.append("entered")
        yield

    app = App(lifespan=lifespan)
    app.GET("/text", lambda req, res, ctx: setattr(res, "body", "hello"))
    adapter = SocketAdapter(app)
    async with serving(kind, app, adapter) as server:
        with pytest.raises(RuntimeError, match="serves in this event loop already"):
            await adapter.serve(port=0, signals=False)
        [answer] = await server.ask(LAST % b"/text")
    assert (answer.text, entered) == ("hello", ["entered"])


@pytest.mark.parametrize("kind", KINDS[:3], indirect=True, ids=[kind.name for kind in KINDS[:3]])
async def test_a_socket_of_ones_own_that_blocks_holds_nobody_up(kind: Kind) -> None:
    adapter = SocketAdapter(make_app())
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    async with anyio.create_task_group() as group:

        async def serve() -> None:
            await adapter.serve(sockets=[listener], signals=False)

        group.start_soon(serve)
        for _ in range(2):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                client = Client(stream)
                await client.send(LAST % b"/text")
                assert (await client.answer()).text == "hello"
        group.cancel_scope.cancel()


@pytest.mark.parametrize("kind", KINDS[:3], indirect=True, ids=[kind.name for kind in KINDS[:3]])
async def test_what_can_not_be_served_on_is_refused(kind: Kind, tmp_path: Path) -> None:
    adapter = SocketAdapter(make_app())
    with pytest.raises(ValueError, match="nothing to listen on"):
        await adapter.serve(sockets=[])
    with socket.socket() as silent, pytest.raises(ValueError, match="does not listen"):
        await adapter.serve(sockets=[silent])
    with pytest.raises(TypeError, match="tls_context"):
        await adapter.serve(port=0, tls="cert.pem")  # type: ignore[arg-type]  # that is what it is about
    with pytest.raises(TypeError, match=r"heaven_core\.App"):
        SocketAdapter(adapter)  # type: ignore[arg-type]  # the same
