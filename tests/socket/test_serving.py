"""What a server listens on, and by what: unix sockets, inherited ones, TLS; and what it says of itself."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketListener
from anyio.streams.tls import TLSAttribute

from heaven_core import App, Context, Request, Response
from heaven_socket import (
    SocketAdapter,
    close_listeners,
    inherited_sockets,
    listen_on,
    listen_on_unix,
    serve,
    serve_connection,
    tls_context,
)
from tests.socket.serving import KINDS, PATIENCE, Client, Kind
from tests.wire.raw import read_answers

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("kind", KINDS[:3], indirect=True, ids=[kind.name for kind in KINDS[:3]]),
]

GET = b"GET /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def make_app() -> App:
    app = App()
    app.GET("/text", lambda req, res, ctx: setattr(res, "body", "hello"))

    def show(req: Request, res: Response, ctx: Context) -> None:
        res.body = [req.scheme, list(req.client or ()), list(req.server or ())]

    app.GET("/where", show)
    return app


@asynccontextmanager
async def listening(
    adapter: SocketAdapter, sockets: list[socket.socket], tls: ssl.SSLContext | None = None
) -> AsyncGenerator[list[str]]:
    async with anyio.create_task_group() as group:
        places: list[str] = await group.start(partial(adapter.serve, sockets=sockets, tls=tls, signals=False))
        yield places
        group.cancel_scope.cancel()


# Addresses


async def test_port_0_is_a_free_one_and_the_same_on_all_addresses(kind: Kind) -> None:
    sockets = await listen_on("", 0)
    async with listening(SocketAdapter(make_app()), sockets) as places:
        assert places
        assert len({place.rpartition(":")[2] for place in places}) == 1


async def test_an_address_that_is_taken_says_which(kind: Kind) -> None:
    [taken] = await listen_on("127.0.0.1", 0)
    port: int = taken.getsockname()[1]
    with pytest.raises(OSError, match=f"can't listen on 127.0.0.1:{port}: Address already in use"):
        await listen_on("127.0.0.1", port)
    taken.close()


async def test_several_servers_may_share_a_port(kind: Kind) -> None:
    [first] = await listen_on("127.0.0.1", 0, reuse_port=True)
    [second] = await listen_on("127.0.0.1", first.getsockname()[1], reuse_port=True)
    close_listeners([first, second])


async def test_one_call_serves_until_it_is_cancelled(kind: Kind) -> None:
    """And the lifespan is left."""
    notes: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        notes.append("entered")
        try:
            yield
        finally:
            notes.append("left")

    app = App(lifespan=lifespan)
    app.GET("/text", lambda req, res, ctx: setattr(res, "body", "hello"))
    async with anyio.create_task_group() as group:
        [place] = await group.start(partial(serve, app, port=0))
        async with await anyio.connect_tcp("127.0.0.1", int(place.rpartition(":")[2])) as stream:
            client = Client(stream)
            await client.send(GET % b"text")
            assert (await client.answer()).text == "hello"
        group.cancel_scope.cancel()
    assert notes == ["entered", "left"]


# Unix sockets


async def ask_unix(path: Path, target: bytes) -> str:
    async with await anyio.connect_unix(path) as stream:
        received = b""
        await stream.send(GET % target)
        try:
            while True:
                received += await stream.receive()
        except anyio.EndOfStream:
            [answer] = read_answers(received, ["GET"])
            return answer.text


async def test_a_unix_socket_with_its_mode_that_is_removed_in_the_end(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with listening(SocketAdapter(make_app()), [listen_on_unix(path, mode=0o660)]) as places:
        assert places == [f"unix:{path}"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert await ask_unix(path, b"text") == "hello"
        assert await ask_unix(path, b"where") == f'["http",[],["{path}",null]]'
    assert not path.exists()


async def test_a_unix_socket_that_was_left_behind_is_replaced(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listen_on_unix(path).close()  # as a server that was killed
    assert path.exists()
    async with listening(SocketAdapter(make_app()), [listen_on_unix(path)]):
        assert await ask_unix(path, b"text") == "hello"


async def test_a_unix_socket_that_is_in_use_is_not_taken_away(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with listening(SocketAdapter(make_app()), [listen_on_unix(path)]):
        with pytest.raises(OSError, match="another server does"):
            listen_on_unix(path)
        assert await ask_unix(path, b"text") == "hello"


async def test_a_file_in_the_place_of_a_unix_socket_is_left_alone(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="no socket"):
        listen_on_unix(path)
    assert path.read_text() == "mine"


async def test_a_socket_that_another_server_has_put_there_is_not_removed(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with listening(SocketAdapter(make_app()), [listen_on_unix(path)]):
        path.unlink()
        other = listen_on_unix(path)
    assert path.exists()
    close_listeners([other])
    assert not path.exists()


# Inherited sockets


async def test_sockets_that_were_handed_over(kind: Kind) -> None:
    """sd_listen_fds(3): descriptors from 3 on, for the process of this number."""
    script = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
        "from heaven_socket import inherited_sockets; found = inherited_sockets(); "
        "print([one.getsockname()[1] for one in found], os.get_inheritable(3))"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = subprocess.run(
            [sys.executable, "-c", script, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env={**os.environ, "LISTEN_FDS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    assert found.stdout.strip() == f"[{port}] False"


async def test_sockets_for_another_process_are_left_alone(kind: Kind) -> None:
    assert inherited_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == []
    assert inherited_sockets({}) == []


async def test_what_is_no_number_of_sockets(kind: Kind) -> None:
    with pytest.raises(ValueError, match="LISTEN_FDS must be a number, not 'x'"):
        inherited_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"})


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem", folder / "key.pem"


async def test_tls(certificate: tuple[Path, Path], kind: Kind) -> None:
    """The scheme is https, HTTP/1.1 is agreed on, and the end is TLS's own, so that nobody takes it for a cut."""
    sockets = await listen_on("127.0.0.1", 0)
    port: int = sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    async with listening(SocketAdapter(make_app()), sockets, tls_context(*certificate)) as places:
        assert places == [f"https://127.0.0.1:{port}"]
        async with await anyio.connect_tcp("127.0.0.1", port, ssl_context=trusting, tls_hostname="localhost") as stream:
            assert stream.extra(TLSAttribute.alpn_protocol) == "http/1.1"
            await stream.send(GET % b"where")
            received = b""
            with anyio.fail_after(PATIENCE):
                while True:
                    try:
                        received += await stream.receive()
                    except anyio.EndOfStream:
                        break
        [answer] = read_answers(received, ["GET"])
        assert answer.text.startswith('["https",["127.0.0.1",')


async def test_what_is_no_tls_harms_nobody(certificate: tuple[Path, Path], kind: Kind) -> None:
    sockets = await listen_on("127.0.0.1", 0)
    port: int = sockets[0].getsockname()[1]
    async with listening(SocketAdapter(make_app()), sockets, tls_context(*certificate)):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            client = Client(stream)
            await client.send(GET % b"text")
            assert b"HTTP" not in await client.until_closed()
        trusting = ssl.create_default_context(cafile=str(certificate[0]))
        async with await anyio.connect_tcp("127.0.0.1", port, ssl_context=trusting, tls_hostname="localhost") as again:
            await again.send(GET % b"text")
            assert (await again.receive()).startswith(b"HTTP/1.1 200")


async def test_a_certificate_that_can_not_be_read_says_which(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no TLS certificate with its key can be read from .*nowhere\.pem"):
        tls_context(tmp_path / "nowhere.pem")


# One connection


async def test_one_connection_that_somebody_else_has_accepted(kind: Kind) -> None:
    """Its deferred work is awaited; the lifespan is somebody else's matter."""
    notes: list[str] = []
    app = make_app()

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def later(app: App) -> None:
            await anyio.sleep(0.01)
            notes.append("done")

        res.body = "one"
        res.defer(later)

    app.GET("/one", handler)
    [listener] = await listen_on("127.0.0.1", 0)
    async with anyio.create_task_group() as group:
        accepting = await SocketListener.from_socket(listener)

        async def accept_one() -> None:
            async with accepting:
                await serve_connection(app, await accepting.accept())
            notes.append("returned")

        group.start_soon(accept_one)
        async with await anyio.connect_tcp("127.0.0.1", listener.getsockname()[1]) as stream:
            client = Client(stream)
            await client.send(GET % b"one")
            assert (await client.answer()).text == "one"
    assert notes == ["done", "returned"]


# What it says


async def test_the_server_field_is_there_only_where_it_is_asked_for(kind: Kind) -> None:
    for adapter, expected in (
        (SocketAdapter(make_app()), None),
        (SocketAdapter(make_app(), server_name="mine/1"), "mine/1"),
    ):
        sockets = await listen_on("127.0.0.1", 0)
        port: int = sockets[0].getsockname()[1]
        async with listening(adapter, sockets), await anyio.connect_tcp("127.0.0.1", port) as stream:
            client = Client(stream)
            await client.send(GET % b"text")
            assert (await client.answer()).hop.get("server") == expected


async def test_the_client_that_a_trusted_proxy_names(kind: Kind) -> None:
    sockets = await listen_on("127.0.0.1", 0)
    port: int = sockets[0].getsockname()[1]
    adapter = SocketAdapter(make_app(), trusted_proxies=["127.0.0.0/8"], forwarded_header="Forwarded")
    async with listening(adapter, sockets), await anyio.connect_tcp("127.0.0.1", port) as stream:
        client = Client(stream)
        await client.send(GET.replace(b"Host", b"Forwarded: for=192.0.2.1;proto=https\r\nHost") % b"where")
        assert (await client.answer()).text == f'["https",["192.0.2.1",0],["127.0.0.1",{port}]]'


async def test_each_request_has_a_line_in_the_access_log(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "heaven_socket.access")
    sockets = await listen_on("127.0.0.1", 0)
    port: int = sockets[0].getsockname()[1]
    adapter = SocketAdapter(make_app())
    async with listening(adapter, sockets), await anyio.connect_tcp("127.0.0.1", port) as stream:
        client = Client(stream)
        await client.send(GET % b"text?q=1")
        await client.until_closed()
    [line] = [record.getMessage() for record in caplog.records if record.name == "heaven_socket.access"]
    assert line.startswith("127.0.0.1:")
    assert '"GET /text?q=1 HTTP/1.1" 200 5 0.' in line


@pytest.mark.parametrize("wrong", ["new\nline", "ä", " x"])
async def test_a_server_name_that_can_be_no_field_is_refused(wrong: str, kind: Kind) -> None:
    with pytest.raises(ValueError, match="Server"):
        SocketAdapter(App(), server_name=wrong)


async def test_a_client_that_says_nothing_by_tls_does_not_hold_up_the_shutdown(
    certificate: tuple[Path, Path], kind: Kind
) -> None:
    """Its handshake is no response that has to be waited for."""
    sockets = await listen_on("127.0.0.1", 0)
    port: int = sockets[0].getsockname()[1]
    adapter = SocketAdapter(make_app(), response_deadline=4 * PATIENCE)
    tls = tls_context(*certificate)
    async with listening(adapter, sockets, tls), await anyio.connect_tcp("127.0.0.1", port) as silent:
        await anyio.sleep(0.1)
        with anyio.fail_after(PATIENCE):
            await adapter.shutdown()
            assert b"HTTP" not in await Client(silent).until_closed()


async def test_a_listener_that_is_shut_down_is_given_up_and_said_so(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on; and nobody tries for ever."""
    sockets = [*await listen_on("127.0.0.1", 0), *await listen_on("127.0.0.1", 0)]
    port: int = sockets[1].getsockname()[1]
    async with listening(SocketAdapter(make_app()), sockets):
        sockets[0].shutdown(socket.SHUT_RDWR)
        with anyio.fail_after(PATIENCE):
            while "no connection can be accepted" not in caplog.text:
                await anyio.sleep(0.01)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            client = Client(stream)
            await client.send(GET % b"text")
            assert (await client.answer()).text == "hello"
    assert caplog.text.count("no connection can be accepted") == 1


async def test_too_many_open_files_are_said_and_waited_for(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that can't be accepted stays in the backlog, and is served when there is a descriptor again."""
    resource = pytest.importorskip("resource")
    sockets = await listen_on("127.0.0.1", 0)
    port: int = sockets[0].getsockname()[1]
    async with listening(SocketAdapter(make_app()), sockets):
        with socket.socket() as client:
            client.setblocking(False)
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            lowest = os.open(os.devnull, os.O_RDONLY)
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
            try:
                client.connect_ex(("127.0.0.1", port))
                with anyio.fail_after(PATIENCE):
                    while "no connection can be accepted" not in caplog.text:
                        await anyio.sleep(0.01)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            client.sendall(GET % b"text")
            received = b""
            with anyio.fail_after(PATIENCE):
                while not received.endswith(b"hello"):
                    await anyio.wait_readable(client)
                    received += client.recv(65536)
    assert received.startswith(b"HTTP/1.1 200")
