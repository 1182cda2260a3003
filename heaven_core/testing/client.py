"""The client of the tests."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from functools import partial
from types import TracebackType
from typing import Final, Unpack, final

from heaven_core._checks import check_bool
from heaven_core.app.app import App
from heaven_core.machine.machine import Machine
from heaven_core.testing.clock import Clock
from heaven_core.testing.cookie_jar import CookieJar
from heaven_core.testing.disk import Disk
from heaven_core.testing.driver import Driver, Plot
from heaven_core.testing.lifespan import Lifespan, run_without_loop
from heaven_core.testing.outgoing import Outgoing, RequestOptions, Site
from heaven_core.testing.pulled import Pulled
from heaven_core.testing.result import Result

__all__ = ["Client"]

_NEEDS_A_LOOP: Final = (
    "use the client's a-methods, as in aget(); for a stream that stays silent, patience= or leave_after="
)
_LIFESPAN_NEEDS_A_LOOP: Final = "enter its lifespan by `async with`"


@final
class Client:
    """Sends requests to `app`, one at a time.

    The methods come in pairs. `get` needs no event loop and fails with `RuntimeError` where the app awaits something
    that does; `await aget` runs on whatever loop the test runs on. `RequestOptions` says what each of them takes. The
    target is a path with its query, as a client would write it: percent-encoded. Redirects are not followed.

    What the app has raised, and no client is told, comes out of the request: one error as itself, several as a group.
    `last` is the answer then, too. With `raise_errors=False` the errors are only in the answer's `errors`.

    `with Client(app) as client` and `async with` run the app's lifespan; without them it does not run. `cookies` are
    those that answers have set: they are sent back. `base_url` is the scheme and the host of the app.
    """

    __slots__ = ("_last", "_lifespan", "_raises", "_site", "app", "clock", "cookies", "disk")

    def __init__(
        self,
        app: App,
        *,
        clock: Clock | None = None,
        disk: Disk | None = None,
        raise_errors: bool = True,
        base_url: str = "http://test",
    ) -> None:
        app.check()
        self.app: Final = app
        self.clock: Final = clock or Clock()
        self.disk: Final = disk or Disk()
        self._raises: Final = check_bool("raise_errors=", raise_errors)
        self._site: Final = Site(base_url)
        self.cookies: Final = CookieJar(self._site.name, self.clock)
        self._lifespan: Final = Lifespan(app)
        self._last: Result | None = None

    def __enter__(self) -> Client:
        """Enter the app's lifespan. Raises what it raises, and `RuntimeError` where it needs an event loop."""
        run_without_loop(self._lifespan.enter(), _LIFESPAN_NEEDS_A_LOOP)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the app's lifespan, with the error that has ended the block, which the lifespan can't suppress."""
        run_without_loop(self._lifespan.leave(error), _LIFESPAN_NEEDS_A_LOOP)

    async def __aenter__(self) -> Client:
        """Enter the app's lifespan. Raises what it raises."""
        await self._lifespan.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the app's lifespan, with the error that has ended the block, which the lifespan can't suppress."""
        await self._lifespan.leave(error)

    @property
    def last(self) -> Result:
        """The answer to the last request, also to one that raised. Raises `LookupError` before there is one."""
        if self._last is None:
            raise LookupError("the client has sent no request yet")
        return self._last

    def get(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """GET `target`."""
        return self.request("GET", target, **options)

    def head(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """HEAD of `target`."""
        return self.request("HEAD", target, **options)

    def options(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """OPTIONS of `target`."""
        return self.request("OPTIONS", target, **options)

    def post(self, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]) -> Result:
        """POST `body` to `target`."""
        return self.request("POST", target, body, **options)

    def put(self, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]) -> Result:
        """PUT `body` at `target`."""
        return self.request("PUT", target, body, **options)

    def patch(self, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]) -> Result:
        """PATCH `target` by `body`."""
        return self.request("PATCH", target, body, **options)

    def delete(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """DELETE `target`."""
        return self.request("DELETE", target, **options)

    async def aget(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """`get` for an app that needs an event loop."""
        return await self.arequest("GET", target, **options)

    async def ahead(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """`head` for an app that needs an event loop."""
        return await self.arequest("HEAD", target, **options)

    async def aoptions(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """`options` for an app that needs an event loop."""
        return await self.arequest("OPTIONS", target, **options)

    async def apost(
        self, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]
    ) -> Result:
        """`post` for an app that needs an event loop."""
        return await self.arequest("POST", target, body, **options)

    async def aput(self, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]) -> Result:
        """`put` for an app that needs an event loop."""
        return await self.arequest("PUT", target, body, **options)

    async def apatch(
        self, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]
    ) -> Result:
        """`patch` for an app that needs an event loop."""
        return await self.arequest("PATCH", target, body, **options)

    async def adelete(self, target: str, **options: Unpack[RequestOptions]) -> Result:
        """`delete` for an app that needs an event loop."""
        return await self.arequest("DELETE", target, **options)

    def request(
        self, method: str, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]
    ) -> Result:
        """Any request, without an event loop."""
        return run_without_loop(self._exchange(method, target, body, options, has_loop=False), _NEEDS_A_LOOP)

    async def arequest(
        self, method: str, target: str, body: bytes | Iterable[bytes] = b"", **options: Unpack[RequestOptions]
    ) -> Result:
        """`request` for an app that needs an event loop."""
        return await self._exchange(method, target, body, options, has_loop=True)

    async def _exchange(
        self, method: str, target: str, body: bytes | Iterable[bytes], options: RequestOptions, *, has_loop: bool
    ) -> Result:
        outgoing = Outgoing(method, target, body, options, self._site, self.cookies)
        request = outgoing.request
        plot = Plot(
            options.get("leave_after"), options.get("shut_down_after"), options.get("patience"), has_loop=has_loop
        )
        self._last = result = Result()
        waiting: list[Awaitable[object]] = []
        runtime = self.clock.runtime(lambda error, where: result.errors.append((error, where)), waiting.append)
        response = self.app.response(runtime)
        machine = Machine(response, request, runtime, Pulled, result.notes.append)
        tell = partial(self.app.observers.tell, request, runtime=runtime)
        driver = Driver(self.app, runtime, machine, result, clock=self.clock, disk=self.disk, tell=tell, plot=plot)
        try:
            await self.app.respond(request, response, runtime)
        except BaseException:  # a cancellation: nothing goes out, and what the response holds is closed
            machine.disconnected()
            await driver.run()
            raise
        await driver.run()
        result.outcome = response.outcome
        self.cookies.receive(result.headers.get_all("set-cookie"), outgoing.destination)
        for awaitable in waiting:
            await awaitable
        if self._raises:
            result.raise_errors()
        return result
