"""The client of the tests, and the driver between it and the app."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Final, TypeVar, final
from urllib.parse import unquote

from heaven_core.app.app import App
from heaven_core.errors import ClientDisconnected
from heaven_core.http.headers import Field
from heaven_core.machine.machine import Machine
from heaven_core.message.request import Request
from heaven_core.testing.clock import Clock
from heaven_core.testing.disk import Disk
from heaven_core.testing.driver import Driver, Pulled
from heaven_core.testing.result import Result

__all__ = ["Client"]

R = TypeVar("R")


@final
class Client:
    """Sends requests to `app`, one at a time.

    The methods come in pairs. `get` needs no event loop and fails with `RuntimeError` where the app awaits something
    that does; `await aget` runs on whatever loop the test runs on. `leave_after=n` has the client go away when `n`
    events have been performed, `shut_down_after=n` the server end then, which ends a stream of events.
    """

    __slots__ = ("app", "clock", "disk")

    def __init__(self, app: App, *, clock: Clock | None = None, disk: Disk | None = None) -> None:
        app.check()
        self.app: Final = app
        self.clock: Final = clock or Clock()
        self.disk: Final = disk or Disk()

    def get(self, target: str, *, headers: Mapping[str, str] | None = None) -> Result:
        """GET `target`, a path with its query, as a client would write it: percent-encoded."""
        return self.request("GET", target, headers=headers)

    def post(self, target: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Result:
        """POST `body` to `target`."""
        return self.request("POST", target, body, headers=headers)

    async def aget(self, target: str, *, headers: Mapping[str, str] | None = None) -> Result:
        """`get` for an app that needs an event loop."""
        return await self.arequest("GET", target, headers=headers)

    async def apost(self, target: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Result:
        """`post` for an app that needs an event loop."""
        return await self.arequest("POST", target, body, headers=headers)

    def request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        headers: Mapping[str, str] | None = None,
        leave_after: int | None = None,
        leave_in_upload: bool = False,
        shut_down_after: int | None = None,
    ) -> Result:
        """Any request, without an event loop. `leave_in_upload` has the client go when it has sent `body`."""
        coroutine = self.arequest(
            method,
            target,
            body,
            headers=headers,
            leave_after=leave_after,
            leave_in_upload=leave_in_upload,
            shut_down_after=shut_down_after,
        )
        return _without_a_loop(coroutine)

    async def arequest(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        headers: Mapping[str, str] | None = None,
        leave_after: int | None = None,
        leave_in_upload: bool = False,
        shut_down_after: int | None = None,
    ) -> Result:
        """`request` for an app that needs an event loop."""
        result = Result()
        waiting: list[Awaitable[object]] = []
        path, _, query = target.partition("?")
        pieces = ([body] if body else []) if isinstance(body, bytes) else list(body)
        fields: list[Field] = [
            (name.lower().encode("ascii"), value.encode("latin-1")) for name, value in (headers or {}).items()
        ]
        if all(name != b"host" for name, _ in fields):
            fields.insert(0, (b"host", b"test"))
        if pieces and isinstance(body, bytes):
            fields.append((b"content-length", b"%d" % (len(body) + leave_in_upload)))
        request: Request[object] = Request(
            method,
            unquote(path, errors="replace"),
            query_string=query.encode("ascii"),
            fields=fields,
            reader=_Upload(pieces, leave_in_upload) if pieces or leave_in_upload else None,
            origin={"raw_path": path.encode("ascii")},
        )
        runtime = self.clock.runtime(lambda error, where: result.errors.append((error, where)), waiting.append)
        response = self.app.response(runtime)
        await self.app.respond(request, response, runtime)
        machine = Machine(response, request, runtime, Pulled, result.notes.append)
        tell = partial(self.app.observers.tell, request, runtime=runtime)
        driver = Driver(
            self.app, runtime, tell, self.disk, machine, result,
            leave_after=leave_after, shut_down_after=shut_down_after,
        )  # fmt: skip
        await driver.run()
        result.outcome = response.outcome
        for awaitable in waiting:
            await awaitable
        return result


def _without_a_loop(coroutine: Coroutine[object, None, R]) -> R:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: R = stop.value
        return result
    coroutine.close()
    raise RuntimeError("this app awaits something that needs an event loop: use the client's a-methods, as in aget()")


@final
class _Upload:
    """The request's body, piece by piece; then its end, or the client's."""

    __slots__ = ("_leaves", "_pieces")

    def __init__(self, pieces: list[bytes], leaves: bool) -> None:
        self._pieces: Final = pieces
        self._leaves: Final = leaves

    async def read(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._leaves:
            raise ClientDisconnected("the client of the test has left in the middle of its upload")
        return b""
