"""SPEC 2: what can't work is refused where it is registered, with what to write instead."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import cast

import pytest

from heaven_core import App, Context, Deferred, Request, Response, cors
from heaven_core.testing import Client
from tests.handlers.kit import given, loose

Loose = Callable[..., object]


def handler(req: Request, res: Response, ctx: Context) -> None:
    res.body = "here"


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "instead"),
        [
            ("/users/{id}", "':id'"),
            ("/users/{id:int}", "':id'"),
            ("/files/{path:path}/x", "':path'"),
            ("/users/<id>", "':id'"),
            ("/users/<int:id>", "':id'"),
            ("/v{version}", "':version'"),
        ],
    )
    def test_a_parameter_as_others_write_it_is_refused(self, pattern: str, instead: str) -> None:
        app = App()
        for register in (app.GET, app.before, app.after):
            with pytest.raises(ValueError, match=instead):
                loose(register)(pattern, handler)

    @pytest.mark.parametrize("pattern", ["/a{}", "/a{1}", "/<>", "/a<b", "/{"])
    def test_braces_that_are_no_parameter_are_taken(self, pattern: str) -> None:
        app = App()
        app.GET(pattern, handler)
        assert Client(app).get(pattern).text == "here"


def no_arguments() -> None:
    """Never runs."""


def as_flask_has_it(req: Request) -> None:
    """Never runs."""


def one_too_many(req: Request, res: Response, ctx: Context, database: object) -> None:
    """Never runs."""


def by_name(*, req: Request, res: Response, ctx: Context) -> None:
    """Never runs."""


class TestArguments:
    @pytest.mark.parametrize("func", [no_arguments, as_flask_has_it, one_too_many, by_name, cors])
    @pytest.mark.parametrize("method", ["GET", "before", "after", "errors"])
    def test_what_does_not_take_the_three_is_refused(self, method: str, func: Loose) -> None:
        register: Loose = getattr(App(), method)
        with pytest.raises(TypeError, match=rf"must be callable with \(req, res, ctx\), and {func.__name__}\("):
            register(404 if method == "errors" else "/", func)

    def test_so_is_an_observer_that_takes_other_than_two(self) -> None:
        with pytest.raises(TypeError, match=r"an observer must be callable with \(req, event\), and handler\("):
            loose(App().on_event)(handler)

    def test_what_takes_more_by_default_is_taken(self) -> None:
        def more(req: Request, res: Response, ctx: Context, *, text: str = "more") -> None:
            res.body = text

        app = App()
        app.GET("/", more)
        app.GET("/partial", functools.partial(more, text="partial"))
        assert [Client(app).get(path).text for path in ("/", "/partial")] == ["more", "partial"]

    def test_a_decorator_may_hand_in_more_than_it_shows(self) -> None:
        """functools.wraps shows the signature of what is inside; what is called is outside."""

        def with_database(func: Callable[[Request, Response, Context, str], None]) -> Loose:
            @functools.wraps(func)
            def call(req: Request, res: Response, ctx: Context) -> None:
                func(req, res, ctx, "database")

            return call

        @with_database
        def inside(req: Request, res: Response, ctx: Context, database: str) -> None:
            res.body = database

        app = App()
        loose(app.GET)("/", inside)
        assert Client(app).get("/").text == "database"

    def test_what_does_not_say_what_it_takes_is_believed(self) -> None:
        loose(App().before)("*", max)


def undecorated(app: App) -> Iterator[None]:
    yield


async def async_undecorated(app: App) -> AsyncIterator[None]:
    yield


class TestApp:
    @pytest.mark.parametrize(
        ("named", "said"),
        [
            ({"lifespan": undecorated}, "put @contextlib.contextmanager above it"),
            ({"lifespan": async_undecorated}, "put @contextlib.asynccontextmanager above it"),
            ({"lifespan": "lifespan"}, r"App\(lifespan=\) must be callable with \(app\), not str"),
            ({"lifespan": no_arguments}, r"App\(lifespan=\) must be callable with \(app\), and no_arguments\(\)"),
            ({"on_error": as_flask_has_it}, r"App\(on_error=\) must be callable with \(error, where\)"),
            ({"on_error": 1}, r"App\(on_error=\) must be callable with \(error, where\), not int"),
            ({"max_body_size": "16"}, "max_body_size= must be int, not str"),
            ({"max_body_size": None}, "max_body_size= must be int, not NoneType"),
            ({"debug": "false"}, "debug= must be True or False, not str"),
            ({"defer_runner": handler}, r"start of App\(defer_runner=\) must be callable with \(calls, app\)"),
        ],
    )
    def test_what_an_argument_cannot_be_is_refused(self, named: dict[str, object], said: str) -> None:
        with pytest.raises(TypeError, match=said):
            cast(Loose, App)(**named)

    def test_what_they_can_be_is_taken(self) -> None:
        class Runner:
            def start(self, calls: Sequence[Deferred], app: object, /) -> None:
                """Never runs."""

        loose(App)(defer_runner=Runner(), max_body_size=0, debug=True, on_error=print)


class TestServers:
    """What a server says that was given the app and no adapter: it calls it."""

    @pytest.mark.parametrize("arguments", [({}, print, print), ({}, print), ()])
    def test_the_app_names_its_adapters(self, arguments: tuple[object, ...]) -> None:
        with pytest.raises(TypeError, match=r"heaven_asgi\.ASGIAdapter\(app\).*heaven_wsgi\.WSGIAdapter\(app\)"):
            loose(App())(*arguments)


class TestStreams:
    def test_a_heartbeat_without_events_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"heartbeat= is for events.*sse=True"):
            given(lambda res: res.stream([b"a"], heartbeat=1.0))

    def test_none_is_off_and_may_be_said(self) -> None:
        given(lambda res: res.stream([b"a"], heartbeat=None))

    @pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text", "text/event-streams"])
    def test_another_type_for_events_is_refused(self, content_type: str) -> None:
        with pytest.raises(ValueError, match="sse=True sends text/event-stream"):
            given(lambda res: res.stream(["a"], content_type, sse=True))

    @pytest.mark.parametrize("content_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8"])
    def test_that_of_events_may_be_said(self, content_type: str) -> None:
        given(lambda res: res.stream(["a"], content_type, sse=True))
