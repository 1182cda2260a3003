"""One client's connection: its requests one after the other, each answered by the app."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from contextvars import copy_context
from time import monotonic
from typing import Final, final

import anyio
from anyio.lowlevel import checkpoint

from heaven_core import ClientDisconnected, ClientError, Field, Origin, Request
from heaven_core.http.uri import decode_path
from heaven_driver.in_context import in_context
from heaven_driver.wire import SentPart, Wakeable
from heaven_io.files import ReadableFile
from heaven_socket.connection import CONTINUE, DRAINED, Connection
from heaven_socket.forwarded import Address
from heaven_socket.head import RemoteProtocolError, RequestHead
from heaven_socket.service import ACCESS_LOG, ERROR_LOG, Service
from heaven_socket.transport import RECEIVED, Interrupted, Transport

__all__ = ["Session", "name_of"]

# What it is doing.
_IDLE: Final = 0  # it waits for the first byte of a request
_HEAD: Final = 1  # it waits for the rest of a head
_ANSWERING: Final = 2
_CLOSING: Final = 3


@final
class Body:
    """The body of one request; see `BodyReader`. It ends with its response: what follows is the next request's."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session

    async def read(self) -> bytes:
        """See `BodyReader`. Raises `ClientError`: 400 for what is malformed, 408 for what is too slow."""
        if self._session is None:
            raise RuntimeError("the response has ended, and the request with it: read it earlier")
        return await self._session.read_piece()

    def end(self) -> None:
        """Read no more."""
        self._session = None


@final
class Session:
    """The wire of each response of one connection, and the peer at its other end.

    - `gone`: see `Peer`;
    - `client` and `server` are addresses, `None` on a unix socket; `scheme` is "https" under TLS.
    """

    __slots__ = (
        "_arrived", "_body_bytes", "_broken", "_client", "_connection", "_doing", "_ended", "_head",
        "_receiving", "_requests", "_room", "_scheme", "_server", "_service", "_status", "_streaming",
        "_taken", "_timed_out", "_transport", "_waited", "_waiting", "gone",
    )  # fmt: skip

    def __init__(
        self,
        service: Service,
        transport: Transport,
        client: Address | None,
        server: tuple[str, int | None] | None,
        scheme: str,
    ) -> None:
        self._service: Final = service
        self._transport: Final = transport
        self._client: Final = client
        self._server: Final = server
        self._scheme: Final = scheme
        self._connection: Final = Connection(service.limits, fast_lane=service.fast_lane)
        self._doing = _IDLE
        self._requests = 0
        self._timed_out = False
        # Of the response under way.
        self._head: bytes | None = None  # written, and kept for what follows it
        self._status = 0
        self._body_bytes = 0
        self._ended = False
        self._broken = False
        self._waiting: Wakeable | None = None
        self._streaming = False
        self.gone: bool = False
        # Where several tasks want what the client sends.
        self._taken = 0  # of the body, in bytes
        self._waited = 0.0  # for it, in seconds
        self._receiving = False
        self._arrived: anyio.Event | None = None
        self._room: anyio.Event | None = None

    # The connection.

    async def run(self) -> None:
        """Serve the connection to its end, and close it."""
        self._service.join(self)
        reset = True
        try:
            reset = await self._serve()
        except OSError:
            pass  # the client has gone
        except Exception:
            ERROR_LOG.exception("a connection was given up")
        finally:
            self._service.leave(self)
            with anyio.CancelScope(shield=True):
                await self._transport.close(reset)

    def stop(self) -> None:
        """See `Stoppable`. One that waits for a request is woken; any other looks by itself."""
        if self._doing == _IDLE:
            self._transport.interrupt()

    async def _serve(self) -> bool:
        """Whether the connection has to be reset in the end."""
        connection = self._connection
        most = self._service.limits.requests
        while True:
            try:
                # Nothing has come yet, unless the client sends one request after the other without waiting.
                head = (connection.next_head() if connection.buffered else None) or await self._receive_head()
            except RemoteProtocolError as error:
                return await self._refuse(error)
            if head is None:
                await self._transport.flush()  # a slow client may still be taking the last response
                return False
            if self._requests and connection.buffered:
                await checkpoint()  # whoever sends many requests at once does not keep others from their turn
            self._doing = _ANSWERING
            self._requests += 1
            if self._requests >= most:
                connection.keep_alive = False
            await self._answer(head)
            if self._broken or not self._ended:
                if self.gone or self._transport.lost:
                    return True
                if not connection.is_delimited:
                    return True
                # A plain close loses nothing of what was sent, and the client sees that it is not the end. One that
                # takes nothing is not waited for any longer.
                with anyio.move_on_after(self._service.limits.linger_time):
                    await self._linger()
                return False
            if not connection.keep_alive or not (connection.is_read or await self._drain()):
                await self._linger()
                return False
            connection.start_next_cycle()

    async def _receive_head(self) -> RequestHead | None:
        """The next head, `None` where none comes any more. Raises `RemoteProtocolError`."""
        connection = self._connection
        limits = self._service.limits
        timers = self._service.timers
        limit = limits.keep_alive_time
        self._doing = _IDLE
        if connection.buffered or not self._requests:
            limit = limits.head_time
            self._doing = _HEAD if connection.buffered else _IDLE
        self._timed_out = False
        if limit is not None:
            timers.set(limit, self)
        try:
            # The time may be over without an interruption here, where a watch that has not ended has heard it instead.
            while not (connection.ended or self._timed_out or (self._doing == _IDLE and self._service.stopping)):
                if self._receiving:
                    await self._until_received()  # by a watch that has been cancelled, and has not heard of it yet
                else:
                    connection.receive_data(await self._transport.receive())
                head = connection.next_head()
                if head is not None:
                    return head
                if self._doing == _IDLE and connection.buffered:
                    self._doing = _HEAD
                    if self._requests:  # the time of the first one runs from the beginning of the connection
                        self._clear_timer(limit)
                        limit = limits.head_time
                        self._set_timer(limit)
        except Interrupted:
            pass
        finally:
            if limit is not None:
                timers.clear(limit, self)
        if self._timed_out and self._doing == _HEAD:
            raise RemoteProtocolError(f"the head of the request took longer than {limit:g} s", 408)
        return None

    def _set_timer(self, limit: float | None) -> None:
        self._timed_out = False  # by an earlier one, which was over when what it was for had just come
        if limit is not None:
            self._service.timers.set(limit, self)

    def _clear_timer(self, limit: float | None) -> None:
        if limit is not None:
            self._service.timers.clear(limit, self)

    async def _answer(self, head: RequestHead) -> None:
        service = self._service
        self._head = None
        self._status = self._body_bytes = 0
        self._ended = self._broken = False
        client, scheme = self._client, self._scheme
        if service.proxies is not None:
            client, scheme = service.proxies.find_client(head.fields, client, scheme)
        origin: Origin = {
            "scheme": scheme, "http_version": head.http_version, "raw_path": head.path, "server": self._server,
            "client": client,
        }  # fmt: skip
        body: Body | None = None
        if head.length != 0:
            body = Body(self)
            self._taken = 0
            self._waited = 0.0
        request: Request[object] = Request(head.method, decode_path(head.path), head.query, head.fields, body, origin)
        request.presence = self
        began = monotonic() if ACCESS_LOG.isEnabledFor(20) else 0.0
        # Context variables that a request sets are its own. A task for each would do the same, and takes 10 µs more.
        run = copy_context().run
        serving = service.engine.serve(request, self, self)
        try:
            try:
                waiting = run(serving.send, None)
            except StopIteration:
                pass  # nothing had to be waited for, as nearly always
            else:
                await in_context(serving, run, waiting)
        finally:
            self._waiting = None
            if body is not None:
                body.end()
            if began:
                self._log(head, client, monotonic() - began)

    async def _refuse(self, error: RemoteProtocolError) -> bool:
        """Tell the client of it. The connection ends then."""
        self._doing = _CLOSING
        ERROR_LOG.info("%s: refused by %d: %s", name_of(self._client), error.status, error)
        sending = self._transport.send(self._connection.refuse(error, self._service.server_fields()))
        if sending is not None:
            await sending
        await self._linger()
        return False

    async def _drain(self) -> bool:
        """Read what nobody has read of the request, if it is little. Whether the next request comes after it."""
        connection = self._connection
        dropped = 0
        while not connection.is_read and dropped <= DRAINED:
            try:
                dropped += len(await self.read_piece())
            except (ClientError, ClientDisconnected):
                return False  # the response has gone, whatever the client does with the rest of its request
        return connection.is_read

    async def _linger(self) -> None:
        """Take what the client still sends: a close would reset the connection, and it could lose the response.

        RFC 9112 §9.6.
        """
        self._doing = _CLOSING
        transport = self._transport
        await transport.flush()
        if not await transport.end_sending() or self._connection.ended:
            return
        with anyio.move_on_after(self._service.limits.linger_time):
            while self._receiving:
                await self._until_received()
            while await transport.receive():
                pass

    # What the client sends.

    async def read_piece(self) -> bytes:
        """The next piece of the body. Raises `ClientDisconnected` and `ClientError`."""
        connection = self._connection
        try:
            if connection.awaits_continue:
                sending = self._transport.send(CONTINUE)
                if sending is not None:
                    await sending
            piece = connection.next_piece()
            return self._take(await self._receive_piece() if piece is None else piece)
        except ClientDisconnected:
            raise
        except OSError as error:
            raise ClientDisconnected("the client went away before it had sent the whole request") from error
        except RemoteProtocolError as error:
            connection.keep_alive = False
            refusal = ClientError(str(error))
            refusal.status = error.status
            raise refusal from None

    async def _receive_piece(self) -> bytes:
        limits = self._service.limits
        connection = self._connection
        while True:
            began = monotonic()
            self._set_timer(limits.body_time)
            try:
                await self._pump()
            finally:
                self._clear_timer(limits.body_time)
            self._waited += monotonic() - began
            piece = connection.next_piece()
            if piece is None and self._timed_out:
                raise RemoteProtocolError(f"nothing of the body has come for {limits.body_time} s", 408)
            # Also where no byte of the body has come, but of what is around it: a size, a trailer.
            self._check_rate(len(piece or b""))
            if piece is not None:
                return piece

    def _check_rate(self, more: int) -> None:
        """Raise `RemoteProtocolError` where the body, with so many bytes more, has come too slowly."""
        limits = self._service.limits
        if limits.body_rate is None or self._waited <= limits.body_grace:
            return
        if self._taken + more < limits.body_rate * (self._waited - limits.body_grace):
            raise RemoteProtocolError(f"the body comes at less than {limits.body_rate:g} bytes a second", 408)

    def _take(self, piece: bytes) -> bytes:
        """Count a piece of the body."""
        self._taken += len(piece)
        if self._room is not None:
            self._room.set()
            self._room = None
        return piece

    async def _pump(self) -> None:
        """Hand on what comes. Of several tasks that want it one receives, and the others hear of it."""
        if self._receiving:
            await self._until_received()
            return
        self._receiving = True
        try:
            self._connection.receive_data(await self._transport.receive())
        except Interrupted:
            pass  # by a timeout, which is for whoever has set it
        finally:
            self._receiving = False
            if self._arrived is not None:
                self._arrived.set()
                self._arrived = None

    async def _until_received(self) -> None:
        if self._arrived is None:
            self._arrived = anyio.Event()
        await self._arrived.wait()

    def elapse(self) -> None:
        """See `Timed`."""
        self._timed_out = True
        self._transport.interrupt()

    # The peer.

    def watch(self, waiting: Wakeable, streaming: bool) -> Coroutine[object, object, None] | None:
        """See `Peer`."""
        self._waiting = waiting
        self._streaming = streaming
        if not self._transport.tells:
            return self._watch()
        if streaming and self._transport.has_left():
            self.on_end()
        return None

    async def _watch(self) -> None:
        connection = self._connection
        try:
            while not connection.ended:
                if connection.buffered > RECEIVED:
                    self._room = anyio.Event()
                    await self._room.wait()
                else:
                    await self._pump()
        except OSError:
            self.on_loss()
        else:
            self.on_end()

    async def has_left(self) -> bool:
        """See `Presence`."""
        await checkpoint()  # what the event loop has heard of, it can say now
        return self.gone or self._transport.has_left()

    def on_end(self) -> None:
        """See `Listener`. What is no stream still goes to a client that has only ended its sending."""
        if self._streaming and self._waiting is not None:
            self.on_loss()

    def on_loss(self) -> None:
        """See `Listener`."""
        self.gone = True
        if self._waiting is not None:
            self._waiting.wake()

    def confirm(self) -> Awaitable[bool] | None:
        """See `Peer`."""
        return self._transport.confirm()

    # The wire.

    def send_whole(self, status: int, fields: list[Field], body: bytes, close: bool) -> Awaitable[None] | None:
        """See `Wire`."""
        service = self._service
        written = self._connection.send_whole(status, fields, body, close or service.stopping, service.server_fields())
        self._status = status
        self._ended = True
        sending = self._transport.send(written)
        self._body_bytes = len(body)
        return sending

    def send_head(
        self, status: int, fields: list[Field], length: int | None, close: bool, more: bool
    ) -> Awaitable[None] | None:
        """See `Wire`."""
        service = self._service
        written = self._connection.send_head(status, fields, length, close or service.stopping, service.server_fields())
        self._status = status
        if more:
            self._head = written
            return None
        return self._transport.send(written)

    def send_body(self, chunks: Sequence[bytes], ended: bool) -> Awaitable[None] | None:
        """See `Wire`."""
        connection = self._connection
        data = connection.send_body(chunks)
        if ended:
            data += connection.send_end()
            self._ended = True
        if self._head is not None:
            data = self._head + data
            self._head = None
        sending = self._transport.send(data) if data else None
        self._body_bytes += len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks))
        return sending

    def send_file(self, file: ReadableFile, offset: int, count: int, whole: bool) -> Awaitable[int] | None:
        """See `Wire`."""
        if not self._transport.sends_files or file.fd is None:
            return None
        return self._send_file(file.fd, offset, count)

    async def _send_file(self, fd: int, offset: int, count: int) -> int:
        written, self._head = self._head, None
        if written is not None:
            waiting = self._transport.send(written)
            if waiting is not None:
                await waiting
        try:
            sent = await self._transport.send_file(fd, offset, count)
        except SentPart as part:
            self._body_bytes += part.sent
            raise
        self._body_bytes += sent
        self._connection.count_sent(sent)
        return sent

    def reset(self) -> None:
        """See `Wire`."""
        self._broken = True

    # The log.

    def _log(self, head: RequestHead, client: Address | None, took: float) -> None:
        ACCESS_LOG.info(
            '%s "%s %s HTTP/%s" %s %d %.6f%s',
            name_of(client),
            head.method,
            head.target.decode("ascii", "backslashreplace"),
            head.http_version,
            self._status or "-",
            self._body_bytes,
            took,
            "" if self._ended and not self._broken else " broken off",
        )


def name_of(client: Address | None) -> str:
    """How the logs call a client."""
    if client is None:
        return "unix"
    return f"[{client[0]}]:{client[1]}" if ":" in client[0] else f"{client[0]}:{client[1]}"
