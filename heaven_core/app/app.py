"""The application: what users register, and what drivers ask it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from os import PathLike
from typing import Final, Never, NoReturn, TypeAlias, TypeVar, final

from heaven_core._checks import check_bool, check_int, check_str, is_awaitable
from heaven_core.app.around import AroundHook, check_around_hook
from heaven_core.app.dispatch import InThread, respond
from heaven_core.app.given import check_callable, check_generator_decorated
from heaven_core.app.hooks import AroundStep, Hook, Step
from heaven_core.app.observers import Observer, Observers
from heaven_core.app.page_table import ErrorKey
from heaven_core.app.patterns import Pattern
from heaven_core.app.route_method import RouteMethod
from heaven_core.app.routes import Endpoint, Handler, Registry, Route, Schemas
from heaven_core.app.static_files import Directory
from heaven_core.message.context import Store
from heaven_core.message.draft import Draft
from heaven_core.message.request import Request
from heaven_core.message.response import Response, draft_of
from heaven_core.protocol.events import DeferRunner
from heaven_core.runtime import Runtime

__all__ = ["App", "Lifespan", "OnError"]

OnError: TypeAlias = Callable[[BaseException, str], object]
Lifespan: TypeAlias = Callable[["App"], AbstractAsyncContextManager[object] | AbstractContextManager[object]]


@final
class App(Store):
    """Routes, hooks and everything that lasts as long as the process.

    - `lifespan`: a function of the app that gives an async or sync context manager: entered before the first request,
      left after the last. A startup that fails is reported as failed, and nothing is served.
    - `on_error`: called with every error that no client is told, and where it happened; sync or async.
    - `max_body_size`: the most bytes of a request body; beyond it 413.
    - `debug`: show tracebacks to clients.
    - `defer_runner`: who runs deferred calls in place of the adapter.

    `keep`, `peek`, `need` and `unkeep` hold process-wide state, as a `Context` does for one request.

    `app.GET(path, handler)` and its like register routes, by a call or as a decorator: see `RouteMethod`.
    """

    __slots__ = ("debug", "defer_runner", "lifespan", "observers", "on_error", "registry")

    def __init__(
        self,
        *,
        lifespan: Lifespan | None = None,
        on_error: OnError | None = None,
        max_body_size: int = 16 * 1024 * 1024,
        debug: bool = False,
        defer_runner: DeferRunner | None = None,
    ) -> None:
        super().__init__()
        if check_int("max_body_size=", max_body_size) < 0:
            raise ValueError(f"max_body_size= is a number of bytes, 0 or more: {max_body_size}")
        if lifespan is not None:
            check_callable(lifespan, "App(lifespan=)", "app")
            check_generator_decorated(lifespan, "App(lifespan=)")
        if on_error is not None:
            check_callable(on_error, "App(on_error=)", "error", "where")
        if defer_runner is not None:
            check_callable(getattr(defer_runner, "start", None), "start of App(defer_runner=)", "calls", "app")
        self.lifespan: Final = lifespan
        self.on_error: OnError | None = on_error
        self.defer_runner: Final = defer_runner
        self.observers: Final = Observers(self.report)
        self.debug: Final = check_bool("debug=", debug)
        self.registry: Final = Registry(max_body_size)

    @property
    def schema(self) -> Schemas:
        """Register what a route takes and gives: `app.schema.POST("/users", expects=NewUser, returns=User)`."""
        return self.registry.schemas

    @property
    def GET(self) -> RouteMethod:
        """Answer GET, and HEAD where that has no route of its own."""
        return RouteMethod("GET", self.registry)

    @property
    def POST(self) -> RouteMethod:
        """Answer POST."""
        return RouteMethod("POST", self.registry)

    @property
    def PUT(self) -> RouteMethod:
        """Answer PUT."""
        return RouteMethod("PUT", self.registry)

    @property
    def PATCH(self) -> RouteMethod:
        """Answer PATCH."""
        return RouteMethod("PATCH", self.registry)

    @property
    def DELETE(self) -> RouteMethod:
        """Answer DELETE."""
        return RouteMethod("DELETE", self.registry)

    @property
    def OPTIONS(self) -> RouteMethod:
        """Answer OPTIONS. Without a route of its own it is 204 with Allow."""
        return RouteMethod("OPTIONS", self.registry)

    @property
    def HEAD(self) -> RouteMethod:
        """Answer HEAD otherwise than by the GET route without its body."""
        return RouteMethod("HEAD", self.registry)

    def files(  # noqa: PLR0913  # what one may want to say of a directory
        self,
        path: str,
        directory: str | PathLike[str],
        *,
        index: str | None = "index.html",
        fallback: str | None = None,
        cache_control: str | None = "no-cache",
        hashed: str | None = None,
        precompressed: bool = False,
        hidden: bool = False,
        listing: bool = False,
        max_listing: int = 10_000,
        version: str | None = None,
    ) -> None:
        """Answer GET and HEAD for the pattern `path`, which ends in `/*`, with the files below `directory`.

        `/static` is sent to `/static/`, unless it has a route of its own.

        - `index`: the file for a path that ends in a slash; a directory's path without one is sent there by 308;
        - `fallback`: the file for paths where there is none, as single-page applications want, for who takes a page of
          HTML; a script or picture that is missing is a 404;
        - `cache_control`: goes on 200, 206 and 304; a file whose name matches the regular expression `hashed` is said
          to be immutable instead: `HEX_HASHED` and `VITE_HASHED` are such;
        - `precompressed`: see `res.file`;
        - `hidden`: serve names that begin with a dot, too; `.well-known` always is;
        - `version`: a release or a commit, which goes into every tag: for files whose times a build has set;
        - `listing`: a page with the names in a directory that has no index; of more than `max_listing` names the first.

        Nothing outside of `directory` is served. Routes of your own for the same paths come before it. Raises
        `ValueError` for a malformed or duplicate pattern, `TypeError` and `ValueError` for other arguments.
        """
        if not path.endswith("/*"):
            raise ValueError(f'app.files() takes a pattern that ends in "/*", not {path!r}')
        served = Directory(
            directory, index=index, fallback=fallback, cache_control=cache_control, hashed=hashed,
            precompressed=precompressed, hidden=hidden, listing=listing,
            max_listing=max_listing, version=version,
        )  # fmt: skip
        self.registry.add(Endpoint("GET", Pattern.parse(path), served.serve, self.registry.max_body_size))

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes in the order of their registration, for those who describe the app: OpenAPI and the like."""
        return self.registry.routes

    def include(self, prefix: str, other: App) -> None:
        """Take the routes, hooks, error pages and schemas of `other` in, below `prefix`: "/api", "/teams/:team".

        A route for `/x` there is one for `/api/x` here, and what `other` has for every path is for those below
        `prefix`. The error pages of `other` answer for these paths before the ones of this app. All are taken as they
        are now: a later registration in `other` raises. What belongs to a process (lifespan, `on_error` and the like)
        this app has alone. Raises `ValueError` for a prefix that is none, for a route that is there already, and where
        `other` has what would be lost; `TypeError` for what is no app.
        """
        _check_included(self, other)
        self.registry.include(_check_prefix(prefix), other.registry)

    def around(self, pattern: str, hook: AroundHook, methods: Iterable[str] | None = None) -> None:
        """Run `hook` round all other hooks, the handler and the error page: for what is to be on every answer.

        It is a generator function of `(req, res, ctx)` with one `yield`, async or not, or a function that gives a
        context manager. What stands before the `yield` runs before all before-hooks, from the broadest pattern to the
        narrowest; what stands after it runs when the answer is made, also that to an abort or a failure, and may still
        change it. What it raises then is a failure as of an after-hook. Where the request is cancelled there is no
        answer: the cancellation comes out of the `yield`. Raises `TypeError`, `ValueError`; see `before`.
        """
        self.registry.changed()
        self.registry.hooks.add_around(AroundStep(Pattern.parse(pattern), check_around_hook(hook), methods))

    def before(self, pattern: str, hook: Hook, methods: Iterable[str] | None = None, body: bool = False) -> None:
        """Run `hook` before the handlers of all paths that match, from the broadest pattern to the narrowest.

        `methods` limits it to these; `body=True` has the request's body read before it. Hooks also run for the paths
        that no route has. Raises `ValueError`.
        """
        self.registry.changed()
        self.registry.hooks.add_before(Step(Pattern.parse(pattern), _takes_three(hook, "a hook"), methods, body))

    def after(self, pattern: str, hook: Hook, methods: Iterable[str] | None = None) -> None:
        """Run `hook` after the handlers, from the narrowest pattern to the broadest. See `before`.

        It does not run after an abort, nor after a failure.
        """
        self.registry.changed()
        self.registry.hooks.add_after(Step(Pattern.parse(pattern), _takes_three(hook, "a hook"), methods, False))

    def errors(self, key: ErrorKey, handler: Handler) -> None:
        """Let `handler` make the page for a status from 400 to 599, or for a class of exceptions.

        The status is set, what the failing handler had set is gone, and `res.error` is what was raised. An exception
        whose page has a status below 500 counts as handled and is not reported.
        """
        self.registry.check_open()
        self.registry.pages.add(key, _takes_three(handler, "an error page"))

    def on_event(self, observer: Observer) -> None:
        """Have `observer(req, what)` told of each event of each response when it has gone out, and of its outcome.

        The events are `heaven_core.Event`; the `Outcome` comes last, once for each request that was answered or given
        up. It is called where the response is sent, so it must not block, and what it raises is reported. Raises
        `TypeError`.
        """
        self.registry.check_open()
        self.observers.add(observer)

    # For drivers

    def check(self) -> None:
        """Find what no registration alone can show: a schema without a route, or one that can never be used.

        Raises `ValueError`. An adapter calls it before the first request.
        """
        self.registry.check()

    def response(self, runtime: Runtime) -> Response:
        """A fresh response, at the arrival of its request."""
        return Response(Draft(self, runtime))

    def respond(
        self,
        request: Request[object],
        response: Response,
        runtime: Runtime,
        in_thread: InThread | None = None,
    ) -> Awaitable[None]:
        """Run hooks and handler for one request; afterwards `response` is ready for a `Machine`.

        Awaits only the application's code and the request's reader: where both don't suspend, neither does this.
        `in_thread` runs the handlers of `thread=True` routes; without it they run where the request is.
        """
        request.app = self
        return respond(self.registry, request, draft_of(response), runtime, in_thread)

    def __call__(self, *arguments: Never) -> NoReturn:
        """Raise `TypeError`, for a server that was given the app itself: an adapter is what it can call.

        A type checker knows that nothing can be passed.
        """
        raise TypeError(
            "a heaven_core.App is served through an adapter: application = heaven_asgi.ASGIAdapter(app) for ASGI, "
            "application = heaven_wsgi.WSGIAdapter(app) for WSGI, or: heaven-core serve MODULE:APP"
        )

    def report(self, error: BaseException, where: str, runtime: Runtime) -> None:
        """Hand an error to `on_error`, then to the log of `runtime`. Raises nothing but `KeyboardInterrupt`.

        What `on_error` raises, an exit too, is logged: it ends nothing but itself.
        """
        if self.on_error is not None:
            try:
                result = self.on_error(error, where)
                if is_awaitable(result):
                    runtime.spawn(result)
            except KeyboardInterrupt:
                raise
            except BaseException as broken:
                runtime.log(broken, "on_error")
        runtime.log(error, where)


_F = TypeVar("_F")


def _takes_three(func: _F, what: str) -> _F:
    return check_callable(func, what, "req", "res", "ctx")


def _check_prefix(prefix: object) -> str:
    text = check_str("the prefix of app.include()", prefix)
    if text in ("", "/"):
        return ""
    if text.endswith("/") or "*" in text:
        raise ValueError(f"the prefix of app.include() is a pattern without a slash or * at its end, not {text!r}")
    return Pattern.parse(text).text


def _check_included(app: App, other: object) -> None:
    if not isinstance(other, App):
        raise TypeError(f"app.include() takes a prefix and another heaven_core.App, not {type(other).__name__}")
    if other is app:
        raise ValueError("an app can't include itself")
    lost = {
        "lifespan=": other.lifespan is not None,
        "on_error=": other.on_error is not None,
        "defer_runner=": other.defer_runner is not None,
        "debug=": other.debug,
        "observers": other.observers.any,
    }
    given = [name for name, is_given in lost.items() if is_given]
    if given:
        raise ValueError(f"an app that is included has no process of its own: give {', '.join(given)} to the outer app")
