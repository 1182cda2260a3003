"""Accepting connections, and the tasks that serve them."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, Protocol, TypeAlias, final

import anyio
from anyio.abc import TaskGroup

from heaven_socket.service import ERROR_LOG

__all__ = ["AsyncioTasks", "Home", "SocketAddress", "TrioTasks", "accept"]

# Connections that are accepted before others have their turn.
_AT_ONCE: Final = 64
# Seconds to wait where the process or the machine has no descriptor, or no memory, for one more.
_PAUSE: Final = 0.1
# accept(2): the client has gone before it was accepted, or its network has.
_GONE: Final = frozenset(
    {
        errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.ENOPROTOOPT, errno.EHOSTDOWN,
        errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EINTR,
    }
)  # fmt: skip
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | str | None
_Serve: TypeAlias = Callable[[socket.socket, SocketAddress], Coroutine[object, object, None]]


class Home(Protocol):
    """Where the tasks of connections live."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Have this done in a task of its own. An error is logged."""
        ...

    async def until_fewer(self, than: int) -> None:
        """Wait until there are fewer tasks."""
        ...

    def cancel(self) -> None:
        """Cancel all tasks."""
        ...


@final
class AsyncioTasks:
    """See `Home`. Bare tasks: a task group's take 1 KiB more for each connection (benchmarks/idle_connections.py)."""

    __slots__ = ("_changed", "_tasks")

    def __init__(self) -> None:
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._changed: asyncio.Event | None = None

    @property
    def count(self) -> int:
        """See `Home`."""
        return len(self._tasks)

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """See `Home`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def until_fewer(self, than: int) -> None:
        """See `Home`."""
        while len(self._tasks) >= than:
            if self._changed is None:
                self._changed = asyncio.Event()
            await self._changed.wait()

    def cancel(self) -> None:
        """See `Home`."""
        for task in self._tasks:
            task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._changed is not None:
            self._changed.set()
            self._changed = None
        if not task.cancelled() and task.exception() is not None:
            ERROR_LOG.error("the task of a connection failed", exc_info=task.exception())


@final
class TrioTasks:
    """See `Home`."""

    __slots__ = ("_changed", "_group", "count")

    def __init__(self, group: TaskGroup) -> None:
        self._group: Final = group
        self._changed: anyio.Event | None = None
        self.count: int = 0

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """See `Home`."""
        self.count += 1
        self._group.start_soon(self._run, work)

    async def until_fewer(self, than: int) -> None:
        """See `Home`."""
        while self.count >= than:
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()

    def cancel(self) -> None:
        """See `Home`."""
        self._group.cancel_scope.cancel()

    async def _run(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            ERROR_LOG.exception("the task of a connection failed")
        finally:
            self.count -= 1
            if self._changed is not None:
                self._changed.set()
                self._changed = None


async def accept(listener: socket.socket, home: Home, most: int, serve: _Serve) -> None:
    """Accept connections and have each served in a task, until this is cancelled.

    While there are `most`, further ones wait in the backlog of the listener.
    """
    while True:
        await home.until_fewer(most)
        await anyio.wait_readable(listener)
        for _ in range(min(_AT_ONCE, most - home.count)):
            try:
                connected, address = listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _GONE:
                    continue
                ERROR_LOG.error("no connection can be accepted: %s", error)
                if error.errno not in _NO_ROOM:
                    return  # of this listener there never will be another
                await anyio.sleep(_PAUSE)
                break
            home.begin(serve(connected, address))
