"""What the tables of scenarios are written with: a scenario, what it asks, and the events that must come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from heaven_core import App, Chunk, Context, End, Event, FileRange, Key, Request, Reset, Response, Start
from heaven_core.http.headers import Field
from heaven_core.protocol.outcome import OutcomeKind

__all__ = [
    "HTML",
    "JSON",
    "LIMIT",
    "NOSNIFF",
    "OCTETS",
    "TEXT",
    "Answer",
    "Ask",
    "Handler",
    "Log",
    "Notes",
    "Scenario",
    "Table",
    "answer_of",
    "bodiless",
    "buffered",
    "cut",
    "exact",
    "failure",
    "headed",
    "line",
    "notes_of",
    "refusal",
    "root_of",
    "served",
    "streamed",
]

Handler: TypeAlias = Callable[[Request[object], Response, Context], Awaitable[None] | None]
Setup: TypeAlias = Callable[[App, str], None]
Lines: TypeAlias = tuple[tuple[str, str], ...]

# The `max_body_size` of the app that has all scenarios.
LIMIT: Final = 1000

TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"
NOSNIFF: Final = ("x-content-type-options", "nosniff")

_ROOT: Final = Key[str]("root")


@final
@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `target` comes after the scenario's own path; `mounted` sends it to the app below /mounted."""

    method: str = "GET"
    target: str = ""
    headers: Lines = ()
    body: bytes = b""
    mounted: bool = False


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What arrives: end-to-end field lines but Date and Server; `whole` is whether the client can see the end."""

    status: int
    fields: list[Field]
    body: bytes
    whole: bool


@final
@dataclass(frozen=True, slots=True)
class Scenario:
    """One row: what the app does, what it is asked, what must come of it.

    `register` puts it into an app. `events` are all but `Deferred`. `notes` is what its code wrote down, in order:
    clean-up and deferred work. `errors` are the kinds that `app.on_error` is told of. `file` is the content of the file
    that is sent; `needs_loop` says that a loop of events is needed even in memory.
    """

    name: str
    shows: str
    register: Callable[[App], None]
    ask: Ask
    path: str
    events: tuple[Event, ...]
    outcome: OutcomeKind
    notes: tuple[str, ...]
    errors: tuple[type[BaseException], ...]
    file: bytes
    needs_loop: bool

    @property
    def answer(self) -> Answer:
        """What a client must get of it, on every adapter."""
        return answer_of(self.events, self.file)


@final
@dataclass(slots=True)
class Log:
    """What the code of the scenarios writes down, by the X-Run that the request brought."""

    notes: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    errors: list[str] = field(default_factory=list[str])

    def prepare(self, root: str) -> Callable[[Request[object], Response, Context], None]:
        """A before-hook for all requests: hands handlers the directory of the files and their notes."""

        def hand_over(req: Request[object], res: Response, ctx: Context) -> None:
            ctx.keep(_ROOT, root)
            ctx.keep(_NOTES, Notes(self.notes.setdefault(req.headers.get("x-run") or "", [])))

        return hand_over

    def error(self, error: BaseException, where: str) -> None:
        """For `on_error`."""
        self.errors.append(f"{type(error).__name__} in {where}")


@final
@dataclass(slots=True)
class Notes:
    """Where the code of one request writes down what it has done."""

    written: list[str]

    def write(self, what: str) -> None:
        self.written.append(what)

    def later(self, what: str) -> Callable[[App], None]:
        """A sync function for `res.defer`."""

        def noting(app: App) -> None:
            self.write(what)

        return noting

    def later_async(self, what: str) -> Callable[[App], Awaitable[None]]:
        """An async function for `res.defer`."""

        async def noting(app: App) -> None:
            self.write(what)

        return noting


_NOTES: Final = Key[Notes]("notes")


def root_of(ctx: Context) -> str:
    """The directory that holds the files of the scenarios."""
    root = ctx.peek(_ROOT)
    assert root is not None
    return root


def notes_of(ctx: Context) -> Notes:
    notes = ctx.peek(_NOTES)
    assert notes is not None
    return notes


@final
class Table:
    """The scenarios of one part of the specification, in order."""

    __slots__ = ("scenarios",)

    def __init__(self) -> None:
        self.scenarios: Final[list[Scenario]] = []

    def add(  # noqa: PLR0913  # a column each
        self,
        events: tuple[Event, ...],
        ask: Ask = Ask(),
        *,
        route: str = "",
        method: str = "",
        before: Iterable[Handler] = (),
        after: Iterable[Handler] = (),
        setup: Setup | None = None,
        outcome: OutcomeKind | None = None,
        notes: tuple[str, ...] = (),
        errors: tuple[type[BaseException], ...] = (),
        file: bytes = b"",
        needs_loop: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Decorates a handler: named like it, at a path like that, and shows what its docstring says.

        A row that asks with HEAD has that in its name. `route` goes after the path, `method` is the
        route's where it is not the request's (GET for HEAD); `setup` registers what else it needs.
        """

        def decorate(handler: Handler) -> Handler:
            own: str = getattr(handler, "__name__", type(handler).__name__)
            name = own.replace("_", "-").strip("-")
            if ask.method == "HEAD":
                name += "-head"
            shows = (handler.__doc__ or "").strip()
            self.put(
                name, handler, events, ask, shows=shows, route=route, method=method, before=before, after=after,
                setup=setup, outcome=outcome, notes=notes, errors=errors, file=file, needs_loop=needs_loop,
            )  # fmt: skip
            return handler

        return decorate

    def put(  # noqa: PLR0913  # a column each
        self,
        name: str,
        handler: Handler,
        events: tuple[Event, ...],
        ask: Ask = Ask(),
        *,
        shows: str = "",
        route: str = "",
        method: str = "",
        before: Iterable[Handler] = (),
        after: Iterable[Handler] = (),
        setup: Setup | None = None,
        outcome: OutcomeKind | None = None,
        notes: tuple[str, ...] = (),
        errors: tuple[type[BaseException], ...] = (),
        file: bytes = b"",
        needs_loop: bool = False,
    ) -> None:
        """Add a row whose name is not its handler's."""
        path = f"/{name}"
        if outcome is None:
            outcome = "failed" if failed(events) else "complete"
        chosen = method or ("GET" if ask.method == "HEAD" else ask.method)

        def register(app: App) -> None:
            if setup is not None:
                setup(app, path)
            for hook in before:
                app.before(path, hook)
            for hook in after:
                app.after(path, hook)
            _ROUTES[chosen](app, path + route, handler)

        assert all(other.name != name for other in self.scenarios), name
        self.scenarios.append(
            Scenario(name, shows, register, ask, path, events, outcome, notes, errors, file, needs_loop)
        )


def _get(app: App, path: str, handler: Handler) -> None:
    app.GET(path, handler)


def _post(app: App, path: str, handler: Handler) -> None:
    app.POST(path, handler)


def _post_stream(app: App, path: str, handler: Handler) -> None:
    app.POST(path, handler, stream=True)


def _none(app: App, path: str, handler: Handler) -> None:
    """The scenario's own `setup` has registered what there is."""


_ROUTES: Final[dict[str, Callable[[App, str, Handler], None]]] = {
    "GET": _get,
    "POST": _post,
    "POST, streamed": _post_stream,
    "none": _none,
}


# Events


def line(name: str, value: str) -> Field:
    return (name.lower().encode("ascii"), value.encode("ascii"))


def headed(status: int, length: int | None, *lines: tuple[str, str], close: bool = False) -> Start:
    """A head. `length` bytes of body follow it."""
    return Start(status, [line(name, value) for name, value in lines], length, close)


def bodiless(status: int, *lines: tuple[str, str]) -> tuple[Event, ...]:
    """Nothing but a head."""
    return (headed(status, 0, *lines), End())


def buffered(
    body: bytes, kind: str = TEXT, *given: tuple[str, str], status: int = 200, head_only: bool = False
) -> tuple[Event, ...]:
    """A body that is known as a whole, of a type that the library chose; `given` are the lines of the handler."""
    lines = (*given, ("content-type", kind), NOSNIFF, ("content-length", str(len(body))))
    if head_only or not body:
        return bodiless(status, *lines)
    return (headed(status, len(body), *lines), Chunk(body), End())


def exact(body: bytes, *lines: tuple[str, str], status: int = 200, close: bool = False) -> tuple[Event, ...]:
    """A body whose head has exactly these lines."""
    start = headed(status, len(body), *lines, close=close)
    return (start, Chunk(body), End()) if body else (start, End())


def failure(*kept: tuple[str, str], head_only: bool = False) -> tuple[Event, ...]:
    """The 500 of a handler that failed; `kept` are the lines of the before-hooks."""
    given = (*kept, ("cache-control", "no-store"))
    return buffered(b"500 Internal Server Error\n", TEXT, *given, status=500, head_only=head_only)


def refusal(status: int, text: str, *kept: tuple[str, str]) -> tuple[Event, ...]:
    """The short page for a request that can't be served."""
    return buffered(text.encode(), TEXT, *kept, status=status)


def streamed(
    *items: bytes, kind: str = TEXT, given: Lines = (), length: int | None = None, status: int = 200
) -> tuple[Event, ...]:
    """A stream, an event an item."""
    return (*_stream(items, kind, given, length, status), End())


def cut(*items: bytes, kind: str = TEXT, given: Lines = (), length: int | None = None) -> tuple[Event, ...]:
    """A stream that broke off."""
    return (*_stream(items, kind, given, length, 200), Reset())


def _stream(items: tuple[bytes, ...], kind: str, given: Lines, length: int | None, status: int) -> tuple[Event, ...]:
    known = () if length is None else (("content-length", str(length)),)
    start = headed(status, length, *given, ("content-type", kind), NOSNIFF, *known)
    return (start, *[Chunk(item) for item in items])


def served(content: bytes, kind: str, *given: tuple[str, str], head_only: bool = False) -> tuple[Event, ...]:
    """A file, whole; `given` are all lines before those that every file has."""
    length = len(content)
    lines = (*given, ("accept-ranges", "bytes"), ("content-type", kind), NOSNIFF, ("content-length", str(length)))
    if head_only or not content:
        return bodiless(200, *lines)
    return (headed(200, length, *lines), FileRange(0, length), End())


def failed(events: tuple[Event, ...]) -> bool:
    """Whether they are a 500 or a body that broke off."""
    start = events[0]
    return type(events[-1]) is Reset or (type(start) is Start and start.status == 500)


def answer_of(events: Iterable[Event], file: bytes = b"") -> Answer:
    """What a client must get for these events; `file` is the content of the file that is open."""
    status, fields, body, whole = 0, list[Field](), b"", False
    for event in events:
        if type(event) is Start:
            status, fields = event.status, event.fields
        elif type(event) is Chunk:
            body += event.data
        elif type(event) is FileRange:
            body += file[event.offset : event.offset + event.count]
        elif type(event) is End:
            whole = True
    return Answer(status, fields, body, whole)
