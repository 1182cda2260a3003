"""The sockets that a server listens on: addresses, unix sockets, and those that somebody else has opened."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Final
from weakref import WeakKeyDictionary

import anyio

__all__ = [
    "check_listeners",
    "close_listeners",
    "describe",
    "inherited_sockets",
    "is_unix",
    "listen_on",
    "listen_on_unix",
]

# sd_listen_fds(3): the first descriptor that systemd, or whoever acts as it, hands over.
_FIRST_INHERITED: Final = 3

# The files of unix sockets, each with its inode: another server may have put its own there since.
_made: Final[WeakKeyDictionary[socket.socket, tuple[str, int]]] = WeakKeyDictionary()


async def listen_on(host: str, port: int, *, backlog: int = 2048, reuse_port: bool = False) -> list[socket.socket]:
    """Sockets that listen on all addresses of `host`; on both families where it is empty.

    With port 0 the first of them has a free one, and the others have the same. `reuse_port` lets several processes
    listen there, between which the kernel divides the connections. Raises `OSError`.
    """
    try:
        found = await anyio.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except OSError as error:
        raise OSError(f"can't listen on {host}:{port}: {error.strerror}") from None
    listening: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            same = listening[0].getsockname()[1] if listening else port
            one = socket.socket(family, kind, protocol)
            listening.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], same, *address[2:]))
            one.listen(backlog)
            one.setblocking(False)
    except OSError as error:
        for one in listening:
            one.close()
        raise OSError(error.errno, f"can't listen on {host or '*'}:{port}: {os.strerror(error.errno or 0)}") from None
    return listening


def listen_on_unix(path: str | os.PathLike[str], *, mode: int | None = None, backlog: int = 2048) -> socket.socket:
    """A socket that listens at `path`, with this mode; without, with what the umask leaves.

    A socket that a server has left behind there, and that nobody listens on, is replaced; `serve` removes this one in
    the end. Raises `OSError`, also where somebody listens, and where there is something else.
    """
    name = os.fspath(path)
    _remove_stale(name)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.bind(name)
        _made[one] = name, os.stat(name).st_ino
        if mode is not None:
            os.chmod(name, mode)  # before it listens, so that nobody gets in between
        one.listen(backlog)
        one.setblocking(False)
    except OSError as error:
        one.close()
        raise OSError(error.errno, f"can't listen on {name}: {os.strerror(error.errno or 0)}") from None
    return one


def check_listeners(sockets: Sequence[object]) -> None:
    """Raise `TypeError` or `ValueError` for what nobody can be served on; have accepting wait for nobody."""
    if not sockets:
        raise ValueError("sockets= is empty: there is nothing to listen on")
    for one in sockets:
        if not isinstance(one, socket.socket):
            raise TypeError(f"sockets= takes a list of sockets, as `await listen_on(...)` gives it, not {one!r}")
        if one.type != socket.SOCK_STREAM or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(f"a socket of sockets= does not listen: {one!r}")
        one.setblocking(False)  # or accepting could hold everybody up


def close_listeners(sockets: Iterable[socket.socket]) -> None:
    """Close listening sockets, and remove the files of those that `listen_on_unix` has made."""
    for one in sockets:
        ours = _made.pop(one, None)
        if ours is not None:
            _remove(*ours)
        one.close()


def inherited_sockets(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets that were handed to this process by LISTEN_FDS and LISTEN_PID, as systemd does.

    None where they were meant for another process, and none the second time. Raises `ValueError` for one that is no
    listening stream socket.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    del environment["LISTEN_PID"]
    count = environment.get("LISTEN_FDS", "0")
    if not (count.isascii() and count.isdigit()):
        raise ValueError(f"LISTEN_FDS must be a number, not {count!r}")
    return [_inherited(fd) for fd in range(_FIRST_INHERITED, _FIRST_INHERITED + int(count))]


def is_unix(one: socket.socket) -> bool:
    """Whether it is a unix socket, which not every platform has."""
    return one.family == getattr(socket, "AF_UNIX", None)


def describe(one: socket.socket, scheme: str) -> str:
    """Where a socket listens, as something that can be typed into a browser, or as a path."""
    if is_unix(one):
        return f"unix:{one.getsockname()}"
    host, port = one.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _inherited(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)
    one = socket.socket(fileno=fd)
    if one.type != socket.SOCK_STREAM or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        one.detach()  # it is somebody else's, and not to be closed with this
        raise ValueError(f"descriptor {fd} of LISTEN_FDS is no stream socket that listens")
    one.setblocking(False)
    return one


def _remove_stale(name: str) -> None:
    try:
        if not stat.S_ISSOCK(os.stat(name).st_mode):
            raise FileExistsError(errno.EEXIST, f"can't listen on {name}: there is something that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # one whose backlog is full would have us wait
        try:
            probe.connect(name)
        except ConnectionRefusedError:
            os.unlink(name)
            return
        except OSError:
            pass  # one that is there and busy, or not ours
    raise OSError(errno.EADDRINUSE, f"can't listen on {name}: another server does")


def _remove(name: str, inode: int) -> None:
    try:
        if os.stat(name).st_ino == inode:
            os.unlink(name)
    except OSError:
        pass  # somebody else has
