"""What a client has not acknowledged yet, asked of Linux by the two addresses of its connection.

A server keeps its socket to itself, and its `send` ends when the operating system has room again, which it makes in
lumps of a megabyte: a client that plays music would need more than a minute for one of them, and look as one does that
takes nothing. It is asked where a send has been held up for some seconds only, and takes some 60 µs.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Final

from heaven_asgi.types import Scope

__all__ = ["unacknowledged"]

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_ANY_STATE: Final = 0xFFFFFFFF
_NO_COOKIE: Final = 0xFFFFFFFF
_LISTEN: Final = 10
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_WANTED: Final = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
_PORTS: Final = struct.Struct("!HH")
_REST: Final = struct.Struct("=III")  # interface, cookie
_FOUND: Final = struct.Struct("=BB58xI")  # family, state; ..., bytes that are not acknowledged

_HTTP1: Final = frozenset({"1", "1.0", "1.1"})
# Seconds. The answer comes from the kernel, at once.
_PATIENCE: Final = 0.1


def unacknowledged(scope: Scope) -> int | None:
    """Bytes that were sent on the connection of this request, and have not been acknowledged; `None`: nobody knows.

    Nobody does but on Linux, for a client by TCP whose addresses are its own (a server that trusts a proxy names those
    of others), and on a connection that has one response at a time.
    """
    server, client = _address(scope.get("server")), _address(scope.get("client"))
    if sys.platform != "linux" or scope["http_version"] not in _HTTP1 or server is None or client is None:
        return None
    try:
        return _ask(server, client)
    except (OSError, struct.error):
        return None  # no address, no such connection, or a sandbox in which that is not to be asked


def _ask(server: tuple[str, int], client: tuple[str, int]) -> int | None:
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    wanted = (
        _WANTED.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
        + _PORTS.pack(server[1], client[1])
        + b"".join([socket.inet_pton(family, host).ljust(16, b"\0") for host, _ in (server, client)])
        + _REST.pack(0, _NO_COOKIE, _NO_COOKIE)
    )
    header = _HEADER.pack(_HEADER.size + len(wanted), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as asking:
        asking.settimeout(_PATIENCE)
        asking.send(header + wanted)
        answer = asking.recv(4096)
    if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    _, state, unsent = _FOUND.unpack_from(answer, _HEADER.size)
    return None if state == _LISTEN else int(unsent)


def _address(value: object) -> tuple[str, int] | None:
    """Host and port, as far as there are any: granian has ports as text, a unix socket has none."""
    match value:
        case [str(host), int(port)]:
            return host, port
        case [str(host), str(port)] if port.isdecimal():
            return host, int(port)
        case _:
            return None
