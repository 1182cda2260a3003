"""What Linux says of a connection whose socket somebody else has."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from heaven_asgi.unacknowledged import unacknowledged
from tests.asgi.memory import scope_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")


@pytest.fixture(params=["127.0.0.1", "::1"])
def connection(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's side of it, and the client's."""
    host: str = request.param
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"nobody can listen on {host} here")
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        server, _ = listener.accept()
        with server:
            server.setblocking(False)
            yield server, client


def fill(server: socket.socket) -> None:
    try:
        while True:
            server.send(bytes(65536))
    except BlockingIOError:
        pass


def ask(ends: tuple[socket.socket, socket.socket], more: dict[str, object] | None = None) -> int | None:
    server, client = ends
    addresses = {"server": server.getsockname()[:2], "client": client.getsockname()[:2]}
    return unacknowledged({**scope_of(), **addresses, **(more or {})})


def test_it_grows_with_what_is_sent_and_shrinks_with_what_is_taken(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    server, client = connection
    assert ask(connection) == 0
    fill(server)
    before = ask(connection)
    assert before
    while (now := ask(connection)) is not None and now >= before:
        assert client.recv(1 << 20)
    assert now is not None


def test_ports_may_be_text(connection: tuple[socket.socket, socket.socket]) -> None:
    """As granian has them."""
    server, client = connection
    addresses = {"server": server.getsockname()[:2], "client": client.getsockname()[:2]}
    assert ask(connection, {name: (host, str(port)) for name, (host, port) in addresses.items()}) == 0


@pytest.mark.parametrize(
    "more",
    [
        {"client": None},
        {"client": ("/run/socket", None)},
        {"client": ("127.0.0.1", 0)},
        {"client": ("client.example", 1)},
        {"client": ("127.0.0.1", 1 << 16)},
        {"server": None},
        {"http_version": "2"},
    ],
    ids=str,
)
def test_where_nobody_knows(more: dict[str, object], connection: tuple[socket.socket, socket.socket]) -> None:
    """No address, none of a connection here, or a connection of several responses."""
    fill(connection[0])
    assert ask(connection, more) is None
