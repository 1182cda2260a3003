"""SPEC 2: registering a route, with its types, as a decorator; and what `app.routes` says of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from heaven_core import App, Context, Request, Response, Route
from heaven_core.testing import Client
from tests.handlers.kit import loose

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
JSON = {"Content-Type": "application/json"}


@dataclass
class NewUser:
    name: str


@dataclass
class User:
    id: int
    name: str


def create(req: Request[NewUser], res: Response, ctx: Context) -> None:
    res.body = {"id": 7, "name": req.data.name, "password": "never leaves"}


def hello(req: Request, res: Response, ctx: Context) -> None:
    res.body = "hello"


def print_one(req: Request) -> None:
    """Never runs."""


class TestTypesOfARoute:
    def test_expects_makes_the_data_and_returns_filters_the_body(self) -> None:
        app = App()
        app.POST("/users", create, expects=NewUser, returns=User)
        answer = Client(app).post("/users", b'{"name":"Ann"}', headers=JSON)
        assert answer.json == {"id": 7, "name": "Ann"}

    def test_a_body_that_does_not_fit_is_a_422(self) -> None:
        app = App()
        app.POST("/users", create, expects=NewUser)
        assert Client(app).post("/users", b'{"name":7}', headers=JSON).status == 422

    def test_a_union_is_taken_too(self) -> None:
        def either(req: Request[int | str], res: Response, ctx: Context) -> None:
            res.json(req.data)

        app = App()
        app.POST("/", either, expects=int | str)
        assert Client(app).post("/", b'"a"', headers=JSON).json == "a"

    def test_what_is_no_type_is_refused(self) -> None:
        with pytest.raises(TypeError, match="expects=7 can't be a schema"):
            loose(App().POST)("/users", create, expects=7)

    def test_a_body_that_is_left_unread_can_not_be_expected(self) -> None:
        with pytest.raises(ValueError, match="POST /users has stream=True, so nothing reads the body that it expects"):
            App().POST("/users", create, expects=NewUser, stream=True)

    def test_two_schemas_for_one_route_are_refused_before_the_first_request(self) -> None:
        app = App()
        app.POST("/users", create, expects=NewUser)
        app.schema.POST("/users", returns=User)
        with pytest.raises(ValueError, match=r"POST /users has a schema by its registration and one by app\.schema"):
            Client(app)

    def test_head_has_the_filter_of_the_get_route(self) -> None:
        def show(req: Request, res: Response, ctx: Context) -> None:
            res.body = {"id": 7, "name": "Ann", "password": "never leaves"}

        app = App()
        app.GET("/user", show, returns=User)
        client = Client(app)
        assert client.request("HEAD", "/user").headers["Content-Length"] == str(len(client.get("/user").body))

    @pytest.mark.parametrize("option", ["stream", "thread"])
    def test_an_option_is_true_or_false(self, option: str) -> None:
        with pytest.raises(TypeError, match=f"{option}= must be True or False"):
            loose(App().POST)("/", hello, **{option: 1})


class TestDecorators:
    @pytest.mark.parametrize("method", METHODS)
    def test_a_decorated_handler_is_registered_and_given_back(self, method: str) -> None:
        app = App()
        register = {
            "GET": app.GET, "POST": app.POST, "PUT": app.PUT, "PATCH": app.PATCH, "DELETE": app.DELETE,
            "OPTIONS": app.OPTIONS, "HEAD": app.HEAD,
        }[method]  # fmt: skip
        assert register("/")(hello) is hello
        assert Client(app).request(method, "/").status == 200
        assert [route.method for route in app.routes] == [method]

    def test_it_takes_what_a_call_takes(self) -> None:
        app = App()

        @app.POST("/users", expects=NewUser, returns=User)
        async def made(req: Request[NewUser], res: Response, ctx: Context) -> None:
            create(req, res, ctx)

        assert Client(app).post("/users", b'{"name":"Ann"}', headers=JSON).json == {"id": 7, "name": "Ann"}
        assert app.routes == (Route("POST", "/users", made, NewUser, User),)

    def test_a_mistake_in_the_pattern_is_told_before_there_is_a_handler(self) -> None:
        with pytest.raises(ValueError, match="must begin with a slash"):
            App().GET("users")

    def test_a_mistake_in_the_handler_is_told_where_it_is_defined(self) -> None:
        with pytest.raises(TypeError, match="a handler must be callable with"):
            loose(App().GET("/"))(print_one)
        with pytest.raises(ValueError, match="thread=True is for a def handler"):

            @App().GET("/", thread=True)
            async def waits(req: Request, res: Response, ctx: Context) -> None:
                """Never runs."""


class TestListOfRoutes:
    def test_it_says_what_was_registered_in_order(self) -> None:
        app = App()
        app.GET("/b/:id:int", hello)
        app.POST("/a", create, expects=NewUser, returns=User)
        assert app.routes == (
            Route("GET", "/b/:id:int", hello, None, None),
            Route("POST", "/a", create, NewUser, User),
        )

    def test_a_schema_of_the_older_form_is_there_too(self) -> None:
        app = App()
        app.POST("/a", create)
        app.schema.POST("/a", expects=NewUser, returns=User)
        (route,) = app.routes
        assert (route.expects, route.returns) == (NewUser, User)

    def test_files_are_a_route(self) -> None:
        app = App()
        app.files("/static/*", "static")
        (route,) = app.routes
        assert (route.method, route.pattern) == ("GET", "/static/*")

    def test_it_can_not_be_changed(self) -> None:
        app = App()
        app.GET("/", hello)
        (route,) = app.routes
        with pytest.raises(AttributeError):
            loose(setattr)(app, "routes", ())
        assert app.routes == (route,)
