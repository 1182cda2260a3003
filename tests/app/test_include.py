"""SPEC 2, `app.include(prefix, other)`: the other app's routes, hooks and pages below a prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from heaven_core import App, Context, DeferredCall, NotFound, Request, Response
from heaven_core.testing import Client, Disk
from tests.handlers.kit import loose


def hello(req: Request, res: Response, ctx: Context) -> None:
    res.body = {"path": req.path, "params": req.params}


class Hook:
    """Writes its name down in a header."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Hooks", self.name


class Page:
    """A page that says whose it is."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, req: Request, res: Response, ctx: Context) -> None:
        res.text(self.name)


def around(req: Request, res: Response, ctx: Context) -> Iterator[None]:
    yield


class Runner:
    """Would run deferred calls."""

    def start(self, calls: Sequence[DeferredCall], app: object) -> None:
        """Never runs."""


@dataclass
class Name:
    name: str


def app_with(prefix: str, other: App) -> App:
    app = App()
    app.include(prefix, other)
    return app


class TestRoutes:
    @pytest.mark.parametrize(
        ("prefix", "pattern", "path"),
        [
            ("/api", "/users", "/api/users"),
            ("/api", "/", "/api/"),
            ("/api/v1", "/users/:id", "/api/v1/users/7"),
            ("/teams/:team", "/users/:id", "/teams/a/users/7"),
            ("/api", "/*", "/api"),
            ("/", "/users", "/users"),
            ("", "/users", "/users"),
        ],
    )
    def test_a_route_is_found_below_the_prefix(self, prefix: str, pattern: str, path: str) -> None:
        other = App()
        other.GET(pattern, hello)
        assert Client(app_with(prefix, other)).get(path).status == 200

    def test_the_parameters_are_those_of_prefix_and_pattern(self) -> None:
        other = App()
        other.GET("/users/:id:int", hello)
        answer = Client(app_with("/teams/:team", other)).get("/teams/red/users/7")
        assert answer.json == {"path": "/teams/red/users/7", "params": {"team": "red", "id": 7}}

    def test_it_is_not_found_without_the_prefix(self) -> None:
        other = App()
        other.GET("/users", hello)
        assert Client(app_with("/api", other)).get("/users").status == 404

    def test_its_schemas_come_with_it_in_either_form(self) -> None:
        def make(req: Request[Name], res: Response, ctx: Context) -> None:
            res.body = {"name": req.data.name, "secret": 1}

        other = App()
        other.POST("/a", make, expects=Name, returns=Name)
        other.POST("/b", make)
        other.schema.POST("/b", expects=Name, returns=Name)
        client = Client(app_with("/api", other))
        for path in ("/api/a", "/api/b"):
            answer = client.post(path, b'{"name":"Ann"}', headers={"Content-Type": "application/json"})
            assert answer.json == {"name": "Ann"}

    def test_each_route_keeps_the_limit_of_its_own_app(self) -> None:
        other = App(max_body_size=3)
        other.POST("/", hello)
        app = app_with("/small", other)
        app.POST("/large", hello)
        assert Client(app).post("/small/", b"1234").status == 413
        assert Client(app).post("/large", b"1234").status == 200

    def test_files_are_served_below_the_prefix(self) -> None:
        other = App()
        other.files("/static/*", "/www")
        client = Client(app_with("/site", other), disk=Disk({"/www/a.txt": b"a", "/www/index.html": b"<p>"}))
        assert client.get("/site/static/a.txt").body == b"a"
        assert client.get("/site/static").headers["Location"] == "./static/"

    def test_included_apps_include_others(self) -> None:
        inner = App()
        inner.GET("/c", hello)
        assert Client(app_with("/a", app_with("/b", inner))).get("/a/b/c").status == 200

    def test_it_may_be_included_at_two_prefixes(self) -> None:
        other = App()
        other.GET("/x", hello)
        app = app_with("/a", other)
        app.include("/b", other)
        assert [route.pattern for route in app.routes] == ["/a/x", "/b/x"]


class TestHooks:
    def test_they_run_for_what_is_below_the_prefix_alone(self) -> None:
        other = App()
        other.before("*", Hook("every"))
        other.before("/users/*", Hook("users"))
        other.after("/*", Hook("after"))
        other.GET("/users", hello)
        app = app_with("/api", other)
        app.GET("/", hello)
        assert Client(app).get("/api/users").headers.get_all("X-Hooks") == ["every", "users", "after"]
        assert Client(app).get("/api/none").headers.get_all("X-Hooks") == ["every", "after"]
        assert Client(app).get("/api").headers.get_all("X-Hooks") == ["every", "after"]
        assert Client(app).get("/").headers.get_all("X-Hooks") == []

    def test_the_outer_apps_run_round_them(self) -> None:
        other = App()
        other.before("*", Hook("inner"))
        other.after("*", Hook("inner after"))
        other.GET("/x", hello)
        app = App()
        app.before("/*", Hook("outer"))
        app.after("/*", Hook("outer after"))
        app.include("/api", other)
        names = Client(app).get("/api/x").headers.get_all("X-Hooks")
        assert names == ["outer", "inner", "inner after", "outer after"]


class TestPages:
    def test_they_answer_below_the_prefix_and_the_outer_apps_elsewhere(self) -> None:
        def missing(req: Request, res: Response, ctx: Context) -> None:
            raise NotFound("nobody")

        other = App()
        other.errors(404, Page("inner"))
        other.GET("/x", missing)
        app = App()
        app.errors(404, Page("outer"))
        app.errors(405, Page("outer 405"))
        app.include("/api", other)
        client = Client(app)
        assert [client.get(path).text for path in ("/api/x", "/api/none", "/api", "/none")] == [
            "inner", "inner", "inner", "outer",
        ]  # fmt: skip
        assert client.post("/api/x").text == "outer 405"

    def test_the_narrowest_prefix_comes_first(self) -> None:
        inner, middle = App(), App()
        inner.errors(404, Page("inner"))
        middle.errors(404, Page("middle"))
        middle.include("/b", inner)
        client = Client(app_with("/a", middle))
        assert (client.get("/a/b/x").text, client.get("/a/x").text) == ("inner", "middle")


class TestRefusals:
    def test_what_is_no_app_and_the_app_itself(self) -> None:
        app = App()
        with pytest.raises(TypeError, match=r"takes a prefix and another heaven_core\.App, not str"):
            loose(app.include)("/x", "app")
        with pytest.raises(ValueError, match="an app can't include itself"):
            app.include("/x", app)

    @pytest.mark.parametrize("prefix", ["api", "/api/", "/api/*", "*", "/{id}"])
    def test_what_is_no_prefix(self, prefix: str) -> None:
        with pytest.raises(ValueError, match=r"the prefix of|the pattern"):
            App().include(prefix, App())

    @pytest.mark.parametrize(
        ("option", "other"),
        [
            ("lifespan", App(lifespan=lambda app: nullcontext())),
            ("on_error", App(on_error=print)),
            ("debug", App(debug=True)),
        ],
    )
    def test_what_would_be_lost(self, option: str, other: App) -> None:
        with pytest.raises(ValueError, match=f"has no process of its own: give {option}= to the outer app"):
            App().include("/x", other)

    def test_a_runner_and_observers_would_be_lost_too(self) -> None:
        other = App(defer_runner=Runner())
        other.on_event(print)
        with pytest.raises(ValueError, match="give defer_runner=, observers to the outer app"):
            App().include("/x", other)

    def test_a_route_that_is_there_already_and_nothing_of_the_rest_is_taken(self) -> None:
        other = App()
        other.GET("/a", hello)
        other.GET("/b", hello)
        app = App()
        app.GET("/api/b", hello)
        with pytest.raises(ValueError, match="GET /api/b is already registered"):
            app.include("/api", other)
        assert [route.pattern for route in app.routes] == ["/api/b"]

    def test_a_parameter_of_the_prefix_that_the_pattern_has_too(self) -> None:
        other = App()
        other.GET("/users/:id", hello)
        with pytest.raises(ValueError, match="has two parameters called 'id'"):
            App().include("/teams/:id", other)

    def test_what_is_registered_after_it_was_included(self) -> None:
        other = App()
        app_with("/api", other)
        late: list[Callable[[], object]] = [
            lambda: other.GET("/late", hello),
            lambda: other.files("/late/*", "late"),
            lambda: other.before("/late", hello),
            lambda: other.after("/late", hello),
            lambda: other.around("/late", around),
            lambda: other.errors(404, hello),
            lambda: other.schema.GET("/late", returns=Name),
            lambda: other.include("/late", App()),
            lambda: other.on_event(print),
        ]
        for register in late:
            with pytest.raises(RuntimeError, match="included in another, below '/api', as it was then"):
                register()

    def test_schemas_that_could_never_be_used(self) -> None:
        """Else a body would leave unfiltered."""
        other = App()
        other.GET("/users/:id", hello)
        other.schema.GET("/user/:id", returns=Name)
        with pytest.raises(ValueError, match=r"app\.schema has no route for GET /user/:"):
            App().include("/api", other)

    def test_a_hook_that_is_there_already_and_nothing_of_the_rest_is_taken(self) -> None:
        other = App()
        guard = Hook("guard")
        other.GET("/a", hello)
        other.before("/*", guard)
        app = App()
        app.before("/api/*", guard)
        with pytest.raises(ValueError, match="is registered for '/api/\\*' already"):
            app.include("/api", other)
        assert app.routes == ()
        other.GET("/b", hello)  # and it is still open
