"""The body of a request under WSGI: SPEC 2, and where it ends."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Final, final

import pytest

from heaven_core import App, ClientDisconnected, Context, Request, Response
from heaven_wsgi import WSGIAdapter
from tests.wsgi.memory import Call, adapter_of, environ_of


@final
class Input:
    """`wsgi.input` that notes what is asked of it, and where."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces: Final = list(pieces)
        self.sizes: Final[list[int]] = []
        self.threads: Final[set[int]] = set()

    def read(self, size: int) -> bytes:
        self.sizes.append(size)
        self.threads.add(threading.get_ident())
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def readline(self, size: int = -1) -> bytes:
        raise AssertionError("nobody reads lines here")

    def readlines(self, hint: int = -1) -> list[bytes]:
        raise AssertionError("nobody reads lines here")

    def __iter__(self) -> Input:
        raise AssertionError("nobody reads lines here")


CHUNKED: Final[dict[str, object]] = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


def upload(source: Input, length: str = "", more: Mapping[str, object] = MappingProxyType({})) -> dict[str, object]:
    announced = {"CONTENT_LENGTH": length} if length else {}
    return environ_of("POST", more={"wsgi.input": source, **more, **announced})


def take(req: Request, res: Response, ctx: Context) -> None:
    res.body = req.body


async def take_stream(req: Request, res: Response, ctx: Context) -> None:
    body = b""
    async for piece in req.stream():
        body += piece
    res.body = body


def app_of(max_body_size: int) -> WSGIAdapter:
    app = App(max_body_size=max_body_size)
    app.POST("/", take)
    app.POST("/stream", take_stream, stream=True)
    return WSGIAdapter(app)


BOTH: Final = pytest.mark.parametrize("path", ["/", "/stream"])


def ask(environ: dict[str, object], path: str = "/", max_body_size: int = 1000, *, lax: bool = False) -> Call:
    return Call(app_of(max_body_size), {**environ, "PATH_INFO": path}, lax=lax).run()


@BOTH
def test_as_many_bytes_are_read_as_are_announced(path: str) -> None:
    """PEP 3333: an application must not read past CONTENT_LENGTH."""
    source = Input(b"abcde", b"of the next request")
    assert ask(upload(source, length="5"), path).body == b"abcde"
    assert sum(source.sizes) == 5


@BOTH
def test_a_body_in_chunks_is_read_to_its_end_where_the_server_says_that_it_has_one(path: str) -> None:
    source = Input(b"abc", b"de")
    assert ask(upload(source, more=CHUNKED), path).body == b"abcde"


def test_a_body_in_chunks_that_the_server_does_not_take_apart_is_refused() -> None:
    """RFC 9110 §15.5.12: 411, since nobody knows where it ends; it is not dropped silently."""
    answer = ask(upload(Input(b"3\r\nabc\r\n0\r\n\r\n"), more={"HTTP_TRANSFER_ENCODING": "chunked"}))
    assert answer.status == 411
    assert b"Content-Length" in answer.body


def test_a_body_in_chunks_from_http_1_0_is_refused() -> None:
    """RFC 9112 §6.1. waitress says that such a body has an end, and gives none of it."""
    source = Input(b"abc")
    assert ask(upload(source, more={**CHUNKED, "SERVER_PROTOCOL": "HTTP/1.0"})).status == 400
    assert source.sizes == []


@pytest.mark.parametrize("length", ["-1", "+1", "1.0", "0x1", "²"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    source = Input(b"abc")
    assert ask(upload(source, length), lax=True).status == 400
    assert source.sizes == []


def test_without_a_length_there_is_no_body() -> None:
    """RFC 9112 §6.3; on a connection that is kept, reading would wait for the next request."""
    source = Input(b"of the next request")
    assert ask(upload(source)).body == b""
    assert source.sizes == []


def test_above_http_1_a_body_needs_no_length() -> None:
    source = Input(b"abc")
    more: dict[str, object] = {"SERVER_PROTOCOL": "HTTP/2.0", "wsgi.input_terminated": True}
    assert ask(upload(source, more=more)).body == b"abc"


@BOTH
@pytest.mark.parametrize("pieces", [(b"abc",), (b"abc", OSError("the connection was lost"))], ids=["end", "error"])
def test_a_body_cut_short_is_the_clients_leaving(path: str, pieces: tuple[bytes | Exception, ...]) -> None:
    """SPEC 2: it never looks like the end of the body, and nothing goes out."""
    call = ask(upload(Input(*pieces), length="5"), path)
    assert isinstance(call.raised, ConnectionResetError)
    assert call.heads == []


@pytest.mark.parametrize("error", [ValueError("Invalid chunk size"), OSError("Invalid chunk size")])
def test_what_else_a_server_finds_wrong_with_the_body_is_a_400(error: Exception) -> None:
    """gunicorn raises an error of its own for chunks that are none, Werkzeug's server an `OSError` without a number."""
    answer = ask(upload(Input(b"abc", error), more=CHUNKED))
    assert (answer.status, b"Invalid chunk size" in answer.body) == (400, True)


@pytest.mark.parametrize("error", [ConnectionResetError(), OSError(104, "reset"), TimeoutError()])
def test_a_client_that_leaves_its_chunks(error: Exception) -> None:
    assert isinstance(ask(upload(Input(b"abc", error), more=CHUNKED)).raised, ConnectionResetError)


@BOTH
def test_a_body_that_says_that_it_is_too_large_is_not_read(path: str) -> None:
    source = Input(b"x" * 11)
    assert ask(upload(source, length="11"), path, max_body_size=10).status == 413
    assert source.sizes == []


@pytest.mark.parametrize("length", ["1" + "0" * 19, "9" * 5000, "0" * 5000 + "11"])
def test_a_length_of_any_number_of_digits_is_compared(length: str) -> None:
    assert ask(upload(Input(), length), max_body_size=10, lax=True).status == 413


@BOTH
def test_of_a_body_of_unknown_length_one_byte_too_many_is_read_and_no_more(path: str) -> None:
    source = Input(b"x" * 100)
    assert ask(upload(source, more=CHUNKED), path, max_body_size=10).status == 413
    assert sum(source.sizes) == 11


@BOTH
def test_a_body_is_read_in_the_servers_thread_alone(path: str) -> None:
    """Some servers know a request by its thread; and a read that blocks must not hold up the event loop."""
    source = Input(b"abc", b"de")
    ask(upload(source, length="5"), path)
    assert source.threads == {threading.get_ident()}


def test_a_stream_reads_the_request_while_it_answers() -> None:
    def echo(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            async for piece in req.stream():
                yield piece.upper()

        res.stream(items())

    source = Input(b"abc", b"de")
    call = Call(adapter_of(echo), upload(source, length="5")).run()
    assert call.pieces == [b"ABC", b"DE"]
    assert source.threads == {threading.get_ident()}


def test_a_stream_that_reads_a_body_cut_short_has_no_end() -> None:
    def echo(req: Request, res: Response, ctx: Context) -> None:
        async def items() -> AsyncIterator[bytes]:
            async for piece in req.stream():
                yield piece

        res.stream(items())

    call = Call(adapter_of(echo), upload(Input(b"abc"), length="5")).run()
    assert (call.body, call.whole) == (b"abc", False)


def test_a_piece_that_was_not_waited_for_is_the_next_one() -> None:
    """A read in another thread can't be taken back: what it gives is not lost."""
    gate = threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # type: ignore[explicit-override]  # 3.11 has no override
            assert gate.wait(10)
            return super().read(size)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        pieces = req.stream()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(pieces), 0.01)
        gate.set()
        res.body = await anext(pieces)

    environ = environ_of("POST", more={"wsgi.input": Slow(b"abc"), "CONTENT_LENGTH": "3"})
    assert Call(adapter_of(handler), environ).run().body == b"abc"


def tell_of_end(task: asyncio.Task[None], event: threading.Event) -> None:
    def tell(ended: asyncio.Task[None]) -> None:
        event.set()

    task.add_done_callback(tell)


@pytest.mark.parametrize("streams", [False, True])
def test_who_reads_after_the_response_is_told_so(streams: bool) -> None:
    """What follows in the input is the next request's."""
    readers: list[AsyncIterator[bytes]] = []
    failures: list[BaseException] = []
    tasks: list[asyncio.Task[None]] = []
    go_on: list[Callable[[], object]] = []

    async def late() -> None:
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        go_on.append(lambda: loop.call_soon_threadsafe(event.set))
        await event.wait()
        try:
            await anext(readers[0])
        except RuntimeError as error:
            failures.append(error)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        readers.append(req.stream())
        tasks.append(asyncio.create_task(late()))
        await asyncio.sleep(0)
        if streams:
            res.stream([b"one"])

    source = Input(b"of the next request")
    Call(adapter_of(handler), upload(source, length="5")).run()
    go_on[0]()
    done = threading.Event()
    tasks[0].get_loop().call_soon_threadsafe(tell_of_end, tasks[0], done)
    assert done.wait(10)
    assert [str(error) for error in failures] == ["the response has ended, and the request with it: read it earlier"]
    assert source.sizes == []


def test_who_waits_for_a_piece_when_the_response_ends_is_told_so() -> None:
    """A task that a handler has left behind asks the server's thread, which comes back to nobody."""
    failures: list[BaseException] = []
    tasks: list[asyncio.Task[None]] = []
    begin = asyncio.Event()

    async def reading(req: Request) -> None:
        await begin.wait()
        try:
            await anext(req.stream())
        except RuntimeError as error:
            failures.append(error)

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream([b"one", b"two"])
        tasks.append(asyncio.create_task(reading(req)))

    call = Call(adapter_of(handler), upload(Input(), length="5")).begin()
    loop = tasks[0].get_loop()
    asked, done = threading.Event(), threading.Event()
    loop.call_soon_threadsafe(begin.set)
    loop.call_soon_threadsafe(loop.call_soon, lambda: loop.call_soon(asked.set))
    assert asked.wait(10)
    call.close()
    loop.call_soon_threadsafe(tell_of_end, tasks[0], done)
    assert done.wait(10)
    assert [str(error) for error in failures] == ["the response has ended, and the request with it: read it earlier"]


def test_a_sync_handler_learns_that_the_client_has_left() -> None:
    learned: list[type[BaseException]] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        try:
            anext(req.stream()).__await__().send(None)
        except ClientDisconnected as error:
            learned.append(type(error))
            raise

    app = App()
    app.POST("/", handler, stream=True)
    assert isinstance(Call(WSGIAdapter(app), upload(Input(), length="5")).run().raised, ConnectionResetError)
    assert learned == [ClientDisconnected]
