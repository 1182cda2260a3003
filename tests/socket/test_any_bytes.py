"""Whatever comes, in whatever pieces: the same answers, and nothing that stays behind."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import anyio
import pytest

from heaven_core import App, Context, Request, Response
from heaven_socket import Limits, SocketAdapter
from tests.socket.bad_requests import BAD_BODIES, BAD_HEADS, SMUGGLING
from tests.socket.serving import PATIENCE, Client, Kind, Served, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REQUESTS: Final = (
    b"GET /text HTTP/1.1\r\nHost: test\r\n\r\n",
    b"HEAD /text HTTP/1.1\r\nHost: test\r\n\r\n",
    b"GET /text?q=1 HTTP/1.1\nHost: test\n\n",
    b"\r\nGET http://other/text HTTP/1.1\r\nHost: test\r\nX-A: b\r\n\r\n",
    b"GET /stream HTTP/1.1\r\nHost: test\r\n\r\n",
    b"POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nhello world",
    (
        b"POST /take HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: y\r\n\r\n"
    ),
    b"POST /text HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nnobod",
    b"GET /file HTTP/1.1\r\nHost: test\r\nRange: bytes=1000-300000\r\n\r\n",
    b"GET /text HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n",
    b"DELETE /nowhere HTTP/1.1\r\nHost: test\r\n\r\n",
)
ENDS: Final = (
    b"GET /text HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    b"GET /stream HTTP/1.0\r\n\r\n",
    *[bad.data for bad in (*BAD_HEADS, *SMUGGLING, *BAD_BODIES) if len(bad.data) < 1000],
)


def make_app(folder: Path) -> App:
    app = App(on_error=lambda error, where: None)
    (folder / "file").write_bytes(bytes(range(256)) * 2000)

    def text(req: Request, res: Response, ctx: Context) -> None:
        res.body = "hello"

    app.GET("/text", text)
    app.POST("/text", text, stream=True)
    app.POST("/take", lambda req, res, ctx: setattr(res, "body", req.body))
    app.GET("/file", lambda req, res, ctx: res.file(folder / "file"))

    def items() -> Iterator[str]:
        yield from ("one", "two", "three")

    app.GET("/stream", lambda req, res, ctx: res.stream(items()))
    return app


def cut(data: bytes, chance: random.Random) -> Iterator[bytes]:
    most = chance.choice([1, 3, 20, 200])
    while data:
        size = chance.randint(1, most)
        yield data[:size]
        data = data[size:]


async def send_all(client: Client, pieces: Sequence[bytes]) -> None:
    try:
        for piece in pieces:
            await client.send(piece)
            await anyio.sleep(0)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass  # it has been refused


async def answer_to(server: Served, pieces: Sequence[bytes]) -> bytes:
    """All that comes back until the server closes the connection, but for Date."""
    async with server.connect() as client, anyio.create_task_group() as group:
        group.start_soon(send_all, client, pieces)
        await client.until_closed()
        group.cancel_scope.cancel()
    return b"\r\n".join([line for line in client.received.split(b"\r\n") if not line.startswith(b"date: ")])


@pytest.mark.parametrize("seed", range(4))
async def test_requests_in_any_pieces_get_the_same_answers(seed: int, kind: Kind, tmp_path: Path) -> None:
    chance = random.Random(seed)
    async with serving(kind, make_app(tmp_path)) as server:
        for _ in range(15):
            data = b"".join([*chance.choices(REQUESTS, k=chance.randint(0, 4)), chance.choice(ENDS)])
            whole = await answer_to(server, [data])
            pieces = list(cut(data, chance))
            assert await answer_to(server, pieces) == whole, (data, pieces)
            assert whole.startswith(b"HTTP/1.1 "), data


def garbage(chance: random.Random) -> bytes:
    """Nothing at all like HTTP, or something that has been one."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randint(1, 300))
    data = bytearray(b"".join(chance.choices([*REQUESTS, *ENDS], k=chance.randint(1, 3))))
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(data))
        change = chance.random()
        if change < 0.4:
            data[place] = chance.randrange(256)
        elif change < 0.7:
            del data[place : place + chance.randint(1, 5)]
        else:
            data[place:place] = chance.choice([b"\r\n", b"\n", b"\0", b" ", b":", b"\r\n\r\n", b"0"])
        if not data:
            return b"\0"
    return bytes(data)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
@pytest.mark.parametrize("seed", range(2))
async def test_garbage_neither_kills_nor_hangs_the_server_and_leaks_nothing(
    seed: int, kind: Kind, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    app = make_app(tmp_path)
    adapter = SocketAdapter(app, limits=Limits(head_time=0.3, body_time=0.3, keep_alive_time=0.3))
    async with serving(kind, app, adapter) as server:
        await answer_to(server, [ENDS[0]])
        tasks = len(anyio.get_running_tasks())
        descriptors = open_descriptors()

        async def visit(data: bytes, leave: float) -> None:
            async with server.connect() as client:
                await send_all(client, list(cut(data, chance)))
                if leave < 0.2:
                    await client.reset()
                elif leave < 0.4:
                    await client.leave()
                elif leave < 0.6:
                    await client.end()
                    await client.until_closed()
                else:
                    await client.until_closed()

        with anyio.fail_after(4 * PATIENCE):
            for _ in range(5):
                async with anyio.create_task_group() as group:
                    for _ in range(30):
                        group.start_soon(visit, garbage(chance), chance.random())
        assert (await answer_to(server, [ENDS[0]])).endswith(b"\r\n\r\nhello")
        with anyio.fail_after(PATIENCE):
            while len(anyio.get_running_tasks()) > tasks or open_descriptors() > descriptors:
                await anyio.sleep(0.01)
