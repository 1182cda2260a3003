"""One connection: its requests in order, its client that leaves, and what it never mixes up."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path

import anyio
import pytest

from heaven_core import App, Context, Request, Response
from heaven_socket import Limits, SocketAdapter
from tests.socket.bad_requests import BAD_BODIES, BAD_HEADS, SMUGGLING, Bad
from tests.socket.serving import PATIENCE, Ending, Kind, serving

pytestmark = pytest.mark.anyio

GET = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def text(req: Request, res: Response, ctx: Context) -> None:
    res.body = "hello"


def make_app() -> App:
    app = App(on_error=lambda error, where: None)
    app.GET("/text", text)
    app.GET("/", text)
    app.POST("/take", lambda req, res, ctx: setattr(res, "body", f"{len(req.body)} bytes"))
    app.POST("/ignore", text)
    return app


# What a bad request gets


@pytest.mark.parametrize("bad", [*BAD_HEADS, *SMUGGLING, *BAD_BODIES], ids=lambda bad: bad.name)
async def test_a_bad_request_gets_its_status_and_the_connection_is_closed(bad: Bad, kind: Kind) -> None:
    """What follows it on the connection is no request any more."""
    following = GET % b"/text" if bad.data.endswith(b"\r\n\r\n") else b""
    async with serving(kind, make_app()) as server:
        [answer] = await server.ask(bad.data + following, ["POST"])
    assert answer.status == bad.status
    assert answer.whole
    assert answer.hop["connection"] == "close"
    assert "date" in answer.hop


async def test_a_client_that_is_still_sending_can_read_the_answer(kind: Kind) -> None:
    """RFC 9112 §9.6: a close at once would reset the connection, and the client could lose what was sent."""
    async with serving(kind, make_app()) as server, server.connect() as client:
        await client.send(b"POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999\r\n\r\n")
        for _ in range(20):
            await client.send(b"x" * 65536)
        answer = await client.answer()
    assert answer.status == 413
    assert answer.hop["connection"] == "close"


# Requests that are as they should be


async def test_context_variables_are_each_requests_own(kind: Kind) -> None:
    """A task a connection serves many; what one has set, the next must not see."""
    user: ContextVar[str] = ContextVar("user", default="nobody")
    app = App()

    async def log_in(req: Request, res: Response, ctx: Context) -> None:
        user.set("ada")
        await anyio.sleep(0)
        res.body = user.get()

    app.GET("/log-in", log_in)
    app.GET("/who", lambda req, res, ctx: setattr(res, "body", user.get()))
    async with serving(kind, app) as server:
        answers = await server.ask(GET % b"/log-in" + GET % b"/who" + LAST % b"/who", ["GET"] * 3)
    assert [answer.text for answer in answers] == ["ada", "nobody", "nobody"]


@pytest.mark.parametrize(
    ("target", "method", "status"), [(b"*", b"OPTIONS", 204), (b"test:443", b"CONNECT", 405), (b"/text", b"BREW", 405)]
)
async def test_methods_that_are_about_no_path(target: bytes, method: bytes, status: int, kind: Kind) -> None:
    data = b"%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n" % (method, target)
    async with serving(kind, make_app()) as server:
        [answer] = await server.ask(data, ["GET"])
    assert answer.status == status


async def test_the_request_says_where_it_came_from(kind: Kind) -> None:
    app = App()

    def show(req: Request, res: Response, ctx: Context) -> None:
        assert req.client is not None
        assert req.server is not None
        res.body = [req.url, req.scheme, req.http_version, req.client[0], req.server[0], req.server[1], req.query["q"]]

    app.GET("/a/:name", show)
    async with serving(kind, app) as server:
        [answer] = await server.ask(b"GET http://other/a/b%20c?q=1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        port = server.port
    assert answer.text == f'["http://other/a/b%20c?q=1","http","1.1","127.0.0.1","127.0.0.1",{port},"1"]'


async def test_the_go_ahead_is_sent_when_the_body_is_wanted(kind: Kind) -> None:
    """RFC 9110 §10.1.1; not before the before-hooks have let the request pass."""
    app = make_app()
    passed = anyio.Event()
    go = anyio.Event()

    async def guard(req: Request, res: Response, ctx: Context) -> None:
        passed.set()
        await go.wait()

    app.before("/take", guard)
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(
            b"POST /take HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
            b"Connection: close\r\n\r\n"
        )
        await passed.wait()
        assert client.received == b""
        go.set()
        await client.until(b"HTTP/1.1 100 Continue\r\n\r\n")
        await client.send(b"abc")
        answer = await client.answer()
    assert answer.text == "3 bytes"


async def test_a_small_body_that_nobody_reads_is_dropped_and_the_connection_goes_on(kind: Kind) -> None:
    app = App()
    app.POST("/ignore", text, stream=True)
    app.GET("/text", text)
    post = b"POST /ignore HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nabcde"
    async with serving(kind, app) as server:
        answers = await server.ask(post + LAST % b"/text", ["POST", "GET"])
    assert [answer.text for answer in answers] == ["hello", "hello"]


async def test_a_body_is_read_no_later_than_its_response(kind: Kind) -> None:
    """What comes on the connection afterwards is another request's."""
    app = App(on_error=lambda error, where: None)
    errors: list[BaseException] = []
    done = anyio.Event()

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = "answered"

        async def late(app: App) -> None:
            try:
                async for _ in req.stream():
                    pass
            except RuntimeError as error:
                errors.append(error)
            done.set()

        res.defer(late)

    app.POST("/late", handler, stream=True)
    app.GET("/text", text)
    post = b"POST /late HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nabcde"
    async with serving(kind, app) as server:
        answers = await server.ask(post + LAST % b"/text", ["POST", "GET"])
        with anyio.fail_after(PATIENCE):
            await done.wait()
    assert [answer.text for answer in answers] == ["answered", "hello"]
    assert "read it earlier" in str(errors[0])


# A client that leaves


async def test_a_slow_handler_is_told_that_nobody_waits_any_more(kind: Kind) -> None:
    """SPEC 2. A client that stays is there all the time."""
    app = App()
    looks: list[bool] = []
    looked = anyio.Event()
    ended = anyio.Event()

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        looks.append(await req.is_disconnected())
        looked.set()
        while not await req.is_disconnected():
            await anyio.sleep(0.005)
        looks.append(True)
        ended.set()

    app.GET("/slow", handler)
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(GET % b"/slow")
        await looked.wait()
        await client.leave()
        with anyio.fail_after(PATIENCE):
            await ended.wait()
    assert looks == [False, True]


@pytest.mark.parametrize(
    ("way", "kind_of_end"), [("leave", "disconnected"), ("reset", "disconnected"), ("end", "complete")]
)
async def test_the_outcome_of_a_small_response_is_exact(way: str, kind_of_end: str, kind: Kind) -> None:
    """SPEC 5: a client that has left before it was sent, and one that has only ended its sending, and gets it."""
    app = App()
    begun = anyio.Event()
    go = anyio.Event()
    ending = Ending(app)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        begun.set()
        await go.wait()
        res.body = "hello"

    app.GET("/slow", handler)
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(GET % b"/slow")
        await begun.wait()
        await getattr(client, way)()
        await anyio.sleep(0.05)
        go.set()
        if way == "end":
            assert (await client.answer()).text == "hello"
        with anyio.fail_after(PATIENCE):
            await ending.ended.wait()
    assert ending.outcomes == [kind_of_end]


async def test_a_stream_ends_where_the_client_ends_its_sending(kind: Kind) -> None:
    """SPEC 4: for streams only."""
    app = App()
    closed = anyio.Event()

    async def items() -> AsyncIterator[str]:
        try:
            yield "first"
            await anyio.sleep_forever()
        finally:
            closed.set()

    app.GET("/stream", lambda req, res, ctx: res.stream(items()))
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(GET % b"/stream")
        await client.until(b"first")
        await client.end()
        with anyio.fail_after(PATIENCE):
            await closed.wait()
        assert not (await client.answers())[0].whole


async def test_a_file_still_goes_to_a_client_that_has_ended_its_sending(kind: Kind, tmp_path: Path) -> None:
    size = 20_000_000
    (tmp_path / "file").write_bytes(b"x" * size)
    app = App()
    app.GET("/file", lambda req, res, ctx: res.file(tmp_path / "file"))
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(GET % b"/file")
        await client.end()
        answer = await client.answer()
    assert (len(answer.body), answer.whole) == (size, True)


async def test_http_1_0_sees_by_a_reset_that_a_stream_has_broken_off(kind: Kind) -> None:
    """SPEC 4: where the end of the body is that of the connection, an ordinary end would look whole."""
    app = App(on_error=lambda error, where: None)
    go = anyio.Event()

    async def items() -> AsyncIterator[str]:
        yield "first"
        await go.wait()
        raise ValueError("second")

    app.GET("/stream", lambda req, res, ctx: res.stream(items()))
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(b"GET /stream HTTP/1.0\r\n\r\n")
        await client.until(b"first")
        go.set()
        with anyio.fail_after(PATIENCE), pytest.raises(anyio.BrokenResourceError):
            await client.stream.receive()


async def test_a_client_that_goes_while_a_file_is_sent(kind: Kind, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 30)
    app = App()
    ending = Ending(app)
    app.GET("/file", lambda req, res, ctx: res.file(tmp_path / "file"))
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(GET % b"/file")
        await client.until(b"\r\n\r\n")
        await client.reset()
        with anyio.fail_after(PATIENCE):
            await ending.ended.wait()
    assert ending.outcomes == ["disconnected"]


async def test_a_client_that_has_gone_before_a_file_is_sent(kind: Kind, tmp_path: Path) -> None:
    """Not even the head can be."""
    (tmp_path / "file").write_bytes(b"x" * 1_000_000)
    app = App()
    begun = anyio.Event()
    go = anyio.Event()
    ending = Ending(app)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        begun.set()
        await go.wait()
        res.file(tmp_path / "file")

    app.GET("/file", handler)
    async with serving(kind, app) as server, server.connect() as client:
        await client.send(GET % b"/file")
        await begun.wait()
        await client.reset()
        await anyio.sleep(0.05)
        go.set()
        with anyio.fail_after(PATIENCE):
            await ending.ended.wait()
    assert ending.outcomes == ["disconnected"]


@pytest.mark.parametrize("spans", [[(5_000_000_000, 5_000_000_009)], [(4_294_967_290, 4_294_967_309)]])
async def test_offsets_beyond_4_gib(spans: list[tuple[int, int]], kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(6_000_000_000)
        for start, end in spans:
            file.seek(start)
            file.write(bytes(range(end - start + 1)))
    app = App()
    app.GET("/file", lambda req, res, ctx: res.file(path))
    [(start, end)] = spans
    request = b"GET /file HTTP/1.1\r\nHost: t\r\nConnection: close\r\nRange: bytes=%d-%d\r\n\r\n"
    async with serving(kind, app) as server:
        [small] = await server.ask(request % (start, end))
        [large] = await server.ask(request % (start - 1_000_000, end + 1_000_000))
    assert small.body == bytes(range(end - start + 1))
    assert large.body == bytes(1_000_000) + small.body + bytes(1_000_000)


async def test_a_pipelining_client_is_not_read_ahead_without_end(kind: Kind) -> None:
    """While a response is under way no more is taken than a little; then all of it is answered, in order."""
    app = App()
    go = anyio.Event()
    begun = anyio.Event()

    async def slow(req: Request, res: Response, ctx: Context) -> None:
        begun.set()
        await go.wait()
        res.body = "slow"

    app.GET("/slow", slow)
    app.GET("/text", text)
    adapter = SocketAdapter(app, limits=Limits(requests=1_000_000))
    count = 200_000
    sent = 0
    async with serving(kind, app, adapter) as server, server.connect() as client:
        await client.send(GET % b"/slow")
        await begun.wait()
        with anyio.move_on_after(0.5):
            for _ in range(count // 1000):
                await client.send(GET % b"/text" * 1000)
                sent += 1000
        assert sent < count, "all of it was taken, 8 MB, while nothing was answered"
        go.set()
        await client.until(b"slow")
        await client.until(b"hello" if sent else b"slow")


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="asks the kernel to forget")
async def test_a_file_that_is_not_in_memory_arrives_and_holds_nobody_up(kind: Kind, tmp_path: Path) -> None:
    """What the kernel would have to wait for is read in a thread, piece by piece."""
    data = os.urandom(3_000_000)
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(data)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    app = App()
    app.GET("/file", lambda req, res, ctx: res.file(path))
    async with serving(kind, app) as server:
        [answer] = await server.ask(LAST % b"/file")
    assert answer.body == data
