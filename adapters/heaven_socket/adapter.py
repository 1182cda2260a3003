"""The app as a server: on addresses and sockets, or on one stream that somebody else has accepted."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from threading import current_thread, main_thread
from typing import Final, final
from weakref import WeakKeyDictionary

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import ByteStream, SocketAttribute, SocketStream, TaskStatus
from anyio.streams.tls import TLSAttribute, TLSStream

from heaven_core import App
from heaven_core.http.headers import check_value
from heaven_driver.engine import Engine, on_asyncio, running_loop
from heaven_driver.given import check_app
from heaven_driver.timers import timers_here
from heaven_io.deferred import MAX_RUNNING, MAX_WAITING
from heaven_io.worker_threads import MAX_THREADS
from heaven_socket.accepting import AsyncioTasks, Home, SocketAddress, TrioTasks, accept
from heaven_socket.asyncio_transport import AsyncioTransport
from heaven_socket.forwarded import Address, Proxies
from heaven_socket.limits import Limits
from heaven_socket.listening import check_listeners, close_listeners, describe, inherited_sockets, is_unix, listen_on
from heaven_socket.service import ERROR_LOG, Service
from heaven_socket.session import Session, name_of
from heaven_socket.stop_signals import heard_once
from heaven_socket.stream_transport import StreamTransport

__all__ = ["SocketAdapter"]


# Seconds after which connections that were cancelled are cancelled again.
_AGAIN: Final = 1.0


@final
class SocketAdapter:
    """`app` as a server of HTTP/1.1 on asyncio, uvloop and trio.

    - `limits`: what one client may take;
    - `server_name`: the Server field, which is left off unless given;
    - `trusted_proxies`: addresses and networks, or "unix", whose word is taken for who the client of a request is, and
      by which scheme it came; `forwarded_header`: where they say it, "X-Forwarded-For" (with -Proto) or "Forwarded";
    - `fast_lane`: whether plain heads are read without h11;
    - `send_timeout`: seconds for which a client may take nothing while somebody waits to send it more, by what its
      machine acknowledges, `None` for ever; then the connection is reset, and the response's outcome `disconnected`;
    - `response_deadline`: seconds that responses get at the shutdown; what has not ended by then is broken off, and
      gets `closing_limit` more to close. Streams of events end at once, since they have no end of their own;
    - `deferred_deadline`, `max_deferred`, `max_deferred_waiting`, `max_handler_threads`, `max_stream_threads`,
      `max_deferred_threads`, `closing_limit`: see `Engine`.

    Raises `ValueError` for what can be none of these.
    """

    __slots__ = (
        "_engine",
        "_fast_lane",
        "_limits",
        "_proxies",
        "_response_deadline",
        "_server_name",
        "_services",
        "app",
    )

    def __init__(  # noqa: PLR0913  # each has a name
        self,
        app: App,
        *,
        limits: Limits | None = None,
        server_name: str | None = None,
        trusted_proxies: Iterable[str] = (),
        forwarded_header: str = "X-Forwarded-For",
        fast_lane: bool = True,
        send_timeout: float | None = 60.0,
        response_deadline: float = 10.0,
        deferred_deadline: float = 10.0,
        max_deferred: int = MAX_RUNNING,
        max_deferred_waiting: int = MAX_WAITING,
        max_handler_threads: int = MAX_THREADS,
        max_stream_threads: int = MAX_THREADS,
        max_deferred_threads: int = MAX_THREADS,
        closing_limit: float = 5.0,
    ) -> None:
        check_app(app, "SocketAdapter")
        proxies = Proxies(trusted_proxies, forwarded_header)
        self.app: Final = app
        self._limits: Final = Limits() if limits is None else limits
        if server_name is not None:
            check_value("Server", server_name)
        self._server_name: Final = server_name
        self._proxies: Final = proxies if proxies.any else None
        self._fast_lane: Final = fast_lane
        # Streams are broken off first, and closed.
        self._response_deadline: Final = response_deadline + closing_limit
        self._services: Final[WeakKeyDictionary[object, Service]] = WeakKeyDictionary()
        self._engine: Final = Engine(
            app,
            deferred_deadline=deferred_deadline,
            max_deferred=max_deferred,
            max_deferred_waiting=max_deferred_waiting,
            max_handler_threads=max_handler_threads,
            max_stream_threads=max_stream_threads,
            max_deferred_threads=max_deferred_threads,
            closing_limit=closing_limit,
            stream_deadline=response_deadline,
            send_timeout=send_timeout,
            handler_time=self._limits.handler_time,
        )

    async def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        sockets: Sequence[socket.socket] | None = None,
        tls: ssl.SSLContext | None = None,
        signals: bool = True,
        task_status: TaskStatus[list[str]] = TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until SIGTERM or SIGINT comes, or until this is cancelled.

        It listens on `host` and `port`, all addresses where `host` is empty; or on `sockets`, of `listen_on`,
        `listen_on_unix` or your own making, which are closed in the end. Where systemd has handed some to the process
        (LISTEN_FDS) it listens on those.

        The first signal ends it in order: no new connections, idle ones are closed, responses get `response_deadline`
        seconds, streams of events are told, deferred work is awaited, the lifespan is left. The second ends the process
        at once. Without `signals`, or outside the main thread, there are none. A cancellation breaks off what is under
        way, and leaves the lifespan.

        `task_status` is told where it listens, as URLs, once it does, for `await group.start(adapter.serve)`.

        Raises `OSError` where it can't listen, `TypeError` and `ValueError` for what it can't serve on, and what
        `Engine.live` raises.
        """
        if tls is not None:
            _check("tls= takes an ssl.SSLContext, as tls_context() makes it", tls, ssl.SSLContext)
        if sockets is None:
            sockets = inherited_sockets() or await listen_on(host, port)
        check_listeners(sockets)
        try:
            # From the beginning, so that one which comes while the lifespan is entered ends it in order, too.
            hears = signals and current_thread() is main_thread()
            with self._service() as service, heard_once() if hears else nullcontext() as told:
                await self._engine.live(partial(self._serve, service, sockets, tls, told, task_status))
        finally:
            close_listeners(sockets)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Callable[[ByteStream], Awaitable[None]]]:
        """For a server of your own: the lifespan, and a function that serves a connection which you have accepted.

            async with adapter.running() as serve_connection:
                await listener.serve(serve_connection)

        Call `shutdown` before you cancel what serves. At the end deferred work is awaited, and the lifespan is left.
        Raises what `Engine.live` raises.
        """
        with self._service() as service:
            async with anyio.create_task_group() as group:
                leave = anyio.Event()
                await group.start(self._run, leave)
                try:
                    yield partial(_serve_stream, service)
                finally:
                    leave.set()

    async def shutdown(self) -> None:
        """Let the connections of this event loop end, and return when the last one has, or when their time is over.

        Idle ones are closed, responses get `response_deadline` seconds, streams of events are told. For `running`:
        `serve` does the same when a signal comes.
        """
        service = self._services.get(running_loop())
        if service is not None:
            service.stop()
            self._engine.end_streams()
            with anyio.move_on_after(self._response_deadline):
                await service.until_no_connection()

    async def serve_connection(self, stream: ByteStream) -> None:
        """Serve this one connection to its end, and close it; then await its deferred work.

        The lifespan is not entered: `running` is for a server of several connections.
        """
        with self._service() as service:
            await self._engine.live(partial(_serve_stream, service, stream), lifespan=False)

    async def _serve(
        self,
        service: Service,
        sockets: Sequence[socket.socket],
        tls: ssl.SSLContext | None,
        told: Callable[[], Awaitable[None]] | None,
        task_status: TaskStatus[list[str]],
    ) -> None:
        async with anyio.create_task_group() as group:
            home: Home = AsyncioTasks() if on_asyncio() else TrioTasks(group)
            serve = partial(_serve_socket, service) if tls is None else partial(_serve_tls, service, tls)
            try:
                async with anyio.create_task_group() as accepting:
                    for one in sockets:
                        accepting.start_soon(accept, one, home, self._limits.connections, serve)
                    places = [describe(one, "http" if tls is None else "https") for one in sockets]
                    ERROR_LOG.info("serving on %s", ", ".join(places))
                    task_status.started(places)
                    await (anyio.sleep_forever() if told is None else told())
                    accepting.cancel_scope.cancel()
                close_listeners(sockets)
                await self._end(service, home)
            finally:
                service.stop()
                while home.count:  # a handler may swallow one cancellation
                    home.cancel()
                    with anyio.move_on_after(_AGAIN, shield=True):
                        await home.until_fewer(1)
                group.cancel_scope.cancel()

    async def _end(self, service: Service, home: Home) -> None:
        """Let everything that is under way come to its end, for as long as it may."""
        service.stop()
        self._engine.end_streams()
        if home.count:
            ERROR_LOG.info(
                "shutting down: %d connections have %g s; another signal ends it at once",
                home.count,
                self._response_deadline,
            )
        with anyio.move_on_after(self._response_deadline):
            await home.until_fewer(1)
        if home.count:
            ERROR_LOG.warning(
                "%d connections are broken off: they had not ended %g s after the shutdown began",
                home.count,
                self._response_deadline,
            )

    async def _run(self, leave: anyio.Event, *, task_status: TaskStatus[None]) -> None:
        async def serving() -> None:
            task_status.started()
            await leave.wait()
            await self.shutdown()

        await self._engine.live(serving)

    @contextmanager
    def _service(self) -> Generator[Service]:
        """What the connections of this event loop share. Raises `RuntimeError` where there is such a thing already."""
        if running_loop() in self._services:
            raise RuntimeError(
                "this adapter serves in this event loop already: make another SocketAdapter, "
                "or serve several connections by `running`"
            )
        service = self._services[running_loop()] = Service(
            self._engine,
            self._limits,
            timers_here(),
            fast_lane=self._fast_lane,
            server_name=self._server_name,
            proxies=self._proxies,
        )
        try:
            yield service
        finally:
            del self._services[running_loop()]


def _check(what: str, value: object, kind: type[object]) -> None:
    """Raise `TypeError` for a value of another type: no type checker may have seen it."""
    if not isinstance(value, kind):
        raise TypeError(f"{what}, not a {type(value).__name__}")


async def _serve_socket(service: Service, connected: socket.socket, address: SocketAddress) -> None:
    client, server = _prepare(connected, address)
    connected.setblocking(False)
    if on_asyncio():
        transport = AsyncioTransport(connected, service.timers, service.engine.send_timeout)
        session = transport.listener = Session(service, transport, client, server, "http")
        await transport.open()
    else:
        from heaven_socket.trio_transport import TrioTransport  # noqa: PLC0415  (nobody on asyncio needs to have it)

        session = Session(
            service, TrioTransport(connected, service.timers, service.engine.send_timeout), client, server, "http"
        )
    await session.run()


async def _serve_tls(service: Service, tls: ssl.SSLContext, connected: socket.socket, address: SocketAddress) -> None:
    client, server = _prepare(connected, address)
    plain = await SocketStream.from_socket(connected)
    stream: TLSStream | None = None
    try:
        with anyio.move_on_after(service.limits.head_time) as scope:
            handshake = _Handshake(scope)
            service.join(handshake)
            try:
                stream = await TLSStream.wrap(plain, server_side=True, ssl_context=tls)
            finally:
                service.leave(handshake)
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        ERROR_LOG.info("%s: no TLS: %s", name_of(client), str(error) or type(error).__name__)
    finally:
        if stream is None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(plain)
    if stream is not None:
        transport = StreamTransport(stream, service.timers, service.engine.send_timeout)
        await Session(service, transport, client, server, "https").run()


@final
class _Handshake:
    """One that is under way; see `Stoppable`."""

    __slots__ = ("_scope",)

    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope: Final = scope

    def stop(self) -> None:
        self._scope.cancel()


async def _serve_stream(service: Service, stream: ByteStream) -> None:
    remote: SocketAddress = stream.extra(SocketAttribute.remote_address, None)
    local: SocketAddress = stream.extra(SocketAttribute.local_address, None)
    scheme = "https" if stream.extra(TLSAttribute.tls_version, None) is not None else "http"
    transport = StreamTransport(stream, service.timers, service.engine.send_timeout)
    await Session(service, transport, _client(remote), _server(local), scheme).run()


def _prepare(connected: socket.socket, address: SocketAddress) -> tuple[Address | None, tuple[str, int | None] | None]:
    if not is_unix(connected):
        # What is written is whole: waiting for more would only hold it up.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _client(address), _server(connected.getsockname())


def _client(address: SocketAddress) -> Address | None:
    return address[:2] if isinstance(address, tuple) else None  # a unix socket's has no name


def _server(address: SocketAddress) -> tuple[str, int | None] | None:
    if isinstance(address, tuple):
        return address[:2]
    return (address, None) if address else None
