"""What one client may take: each limit by its name, on each transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic

import anyio
import pytest

from heaven_core import App, Context, Request, Response
from heaven_socket import Limits, SocketAdapter
from tests.socket.serving import PATIENCE, Client, Ending, Kind, serving
from tests.wire.raw import WireAnswer, read_answers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

GET = b"GET /text HTTP/1.1\r\nHost: test\r\n\r\n"
POST = b"POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
SHORT = 0.2


def make_app() -> App:
    app = App(on_error=lambda error, where: None)
    app.GET("/text", lambda req, res, ctx: setattr(res, "body", "hello"))
    app.POST("/take", lambda req, res, ctx: setattr(res, "body", f"{len(req.body)} bytes"))
    return app


def limited(limits: Limits, app: App | None = None, send_timeout: float | None = 60.0) -> SocketAdapter:
    return SocketAdapter(make_app() if app is None else app, limits=limits, send_timeout=send_timeout)


async def answer_to(client: Client, data: bytes, every: float) -> WireAnswer:
    """Send a byte every so many seconds; what the server says to that, until it closes the connection."""

    async def drip() -> None:
        try:
            for byte in data:
                await client.send(bytes([byte]))
                await anyio.sleep(every)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass

    answers: list[WireAnswer] = []
    async with anyio.create_task_group() as group:
        group.start_soon(drip)
        answers += await client.answers()
        group.cancel_scope.cancel()
    [answer] = answers
    return answer


# The head


async def test_a_client_that_sends_nothing_is_left_without_a_word(kind: Kind) -> None:
    """As a browser does that opens a connection in advance: an answer would be taken for one to its first request."""
    adapter = limited(Limits(head_time=SHORT))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        began = monotonic()
        assert await client.until_closed() == b""
        assert monotonic() - began >= SHORT


@pytest.mark.parametrize("drips", [False, True])
async def test_a_head_that_takes_too_long_is_a_408(drips: bool, kind: Kind) -> None:
    """RFC 9110 §15.5.9; from its first byte on, however often another one comes."""
    adapter = limited(Limits(head_time=SHORT))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        answer = await answer_to(client, GET[:-4] + b"\r\nX: " + b"y" * 1000, 0.01 if drips else PATIENCE)
    assert answer.status == 408
    assert answer.hop["connection"] == "close"


async def test_the_head_of_a_later_request_has_its_own_time(kind: Kind) -> None:
    """What the connection waited before does not count."""
    adapter = limited(Limits(head_time=SHORT, keep_alive_time=PATIENCE))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        await client.send(GET)
        await client.until(b"hello")
        await anyio.sleep(2 * SHORT)
        await client.send(GET[:20])
        await anyio.sleep(SHORT / 2)
        await client.send(GET[20:])
        await client.send(GET[:20])
        first, second, third = await client.answers(["GET"] * 3)
    assert [first.status, second.status, third.status] == [200, 200, 408]


# Keeping the connection


async def test_an_idle_connection_is_closed_without_a_word(kind: Kind) -> None:
    """RFC 9112 §9.5."""
    adapter = limited(Limits(keep_alive_time=SHORT))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        await client.send(GET)
        [answer] = await client.answers()
    assert answer.text == "hello"
    assert "connection" not in answer.hop


async def test_after_so_many_requests_a_connection_is_closed_in_order(kind: Kind) -> None:
    adapter = limited(Limits(requests=3))
    async with serving(kind, adapter.app, adapter) as server:
        answers = await server.ask(GET * 3, ["GET"] * 3)
    assert [answer.hop.get("connection") for answer in answers] == [None, None, "close"]


async def test_further_connections_wait_in_the_backlog(kind: Kind) -> None:
    """And are served when another one has ended."""
    if kind.streams:
        return  # whoever accepts them counts them
    adapter = limited(Limits(connections=2))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as first, server.connect() as second:
        for client in (first, second):
            await client.send(GET)
            await client.until(b"hello")
        async with server.connect() as third:
            await third.send(GET)
            with anyio.move_on_after(SHORT):
                await third.receive()
            assert third.received == b""
            await first.leave()
            await third.until(b"hello")


# The body


async def test_a_body_of_which_nothing_comes_is_a_408(kind: Kind) -> None:
    adapter = limited(Limits(body_time=SHORT))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        await client.send(POST % 10 + b"abc")
        answer = await client.answer()
    assert (answer.status, answer.hop["connection"]) == (408, "close")


async def test_a_body_that_comes_too_slowly_is_a_408(kind: Kind) -> None:
    """Though some of it always comes."""
    adapter = limited(Limits(body_rate=1000, body_grace=SHORT))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        answer = await answer_to(client, POST % 10_000 + b"x" * 10_000, 0.005)
    assert (answer.status, answer.hop["connection"]) == (408, "close")


async def test_a_slow_handler_is_no_slow_body(kind: Kind) -> None:
    """Only the time that is spent waiting for the client counts."""
    app = App()

    async def take(req: Request, res: Response, ctx: Context) -> None:
        size = 0
        async for piece in req.stream():
            size += len(piece)
            await anyio.sleep(2 * SHORT)
        res.body = f"{size} bytes"

    app.POST("/take", take, stream=True)
    adapter = limited(Limits(body_rate=1e9, body_grace=SHORT, body_time=SHORT), app)
    async with serving(kind, app, adapter) as server, server.connect() as client:
        await client.send(POST % 4 + b"ab")
        await anyio.sleep(SHORT / 2)
        await client.send(b"cd" + GET.replace(b"Host", b"Connection: close\r\nHost"))
        answers = read_answers(await client.until_closed(), ["POST", "GET"])
    assert answers[0].text == "4 bytes"


# Sending


def endless(closed: anyio.Event) -> AsyncIterator[bytes]:
    async def items() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            closed.set()

    return items()


async def test_a_client_that_takes_nothing_is_gone(kind: Kind) -> None:
    """SPEC 4. The generator is closed, and the deferred work knows."""
    app = App()
    closed = anyio.Event()
    ending = Ending(app)
    app.GET("/text", lambda req, res, ctx: res.stream(endless(closed)))
    adapter = SocketAdapter(app, send_timeout=SHORT)
    async with serving(kind, app, adapter) as server, server.connect() as client:
        await client.send(GET)
        with anyio.fail_after(PATIENCE):
            await closed.wait()
            await ending.ended.wait()
    assert ending.outcomes == ["disconnected"]


async def test_a_client_that_takes_nothing_of_a_file_is_gone(
    kind: Kind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("large") / "file"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    app = App()
    ending = Ending(app)
    app.GET("/text", lambda req, res, ctx: res.file(path))
    adapter = SocketAdapter(app, send_timeout=SHORT)
    async with serving(kind, app, adapter) as server, server.connect() as client:
        await client.send(GET)
        with anyio.fail_after(PATIENCE):
            await ending.ended.wait()
    assert ending.outcomes == ["disconnected"]


async def test_a_client_that_is_slow_but_takes_something_stays(kind: Kind) -> None:
    """The time begins anew with whatever it takes, also where the operating system has room for more only in lumps."""
    size = 20_000_000
    app = App()
    app.GET("/text", lambda req, res, ctx: setattr(res, "body", b"x" * size))
    adapter = limited(Limits(requests=1), app, 2 * SHORT)
    async with serving(kind, app, adapter) as server, server.connect(receive_buffer=100_000) as client:
        await client.send(GET)
        taken = 0
        for _ in range(25):
            taken += len(await client.stream.receive(100_000))
            await anyio.sleep(SHORT / 4)
        assert taken < size
        try:
            while True:
                taken += len(await client.stream.receive(1_000_000))
        except anyio.EndOfStream:
            pass
    assert taken > size


async def test_a_client_that_goes_on_sending_after_the_last_response_is_not_listened_to_for_ever(kind: Kind) -> None:
    adapter = limited(Limits(linger_time=SHORT))
    async with serving(kind, adapter.app, adapter) as server, server.connect() as client:
        await client.send(POST % 99_999_999)
        assert (await answer_to(client, b"x" * 100_000, 0.01)).status == 413


# Hooks and handler


async def test_a_handler_that_takes_too_long_is_a_503(kind: Kind) -> None:
    """And the connection goes on."""
    app = make_app()

    async def slow(req: Request, res: Response, ctx: Context) -> None:
        await anyio.sleep_forever()

    app.GET("/slow", slow)
    adapter = limited(Limits(handler_time=SHORT, requests=2), app)
    async with serving(kind, app, adapter) as server:
        first, second = await server.ask(GET.replace(b"/text", b"/slow") + GET, ["GET"] * 2)
    assert (first.status, second.text) == (503, "hello")


# What can be no limit


@pytest.mark.parametrize(
    "wrong",
    [
        {"head_size": 0},
        {"fields": 0},
        {"connections": 0},
        {"requests": -1},
        {"head_time": 0},
        {"linger_time": -1},
        {"body_grace": -1},
        {"keep_alive_time": float("nan")},
    ],
)
@pytest.mark.parametrize("kind", [None])
def test_what_can_be_no_limit_is_refused(wrong: dict[str, float], kind: None) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)  # type: ignore[arg-type]  # a float for each, where some are whole numbers


@pytest.mark.parametrize("wrong", [{"head_time": "5"}, {"fields": 1.5}, {"head_size": None}, {"body_time": True}])
@pytest.mark.parametrize("kind", [None])
def test_what_is_no_number_is_refused(wrong: dict[str, float], kind: None) -> None:
    with pytest.raises(TypeError, match=next(iter(wrong))):
        Limits(**wrong)  # type: ignore[arg-type]  # that is what it is about
