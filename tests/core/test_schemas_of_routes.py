"""The schemas of an app."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from heaven_core import App
from heaven_core.app.routes import Endpoint, Schemas
from heaven_core.testing import Client


@dataclass
class User:
    name: str


def test_each_method_has_its_own_schema() -> None:
    schemas = Schemas(lambda: None)
    for method in (schemas.GET, schemas.POST, schemas.PUT, schemas.PATCH, schemas.DELETE, schemas.OPTIONS):
        method("/users", returns=User)
    found = [schemas.find(name, "/users") for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")]
    assert len({id(schema) for schema in found}) == 6
    assert all(schema is not None and schema.returns is User and schema.expects is None for schema in found)


def test_a_route_without_a_schema_has_none() -> None:
    schemas = Schemas(lambda: None)
    assert schemas.find("GET", "/users") is None
    schemas.POST("/users", expects=User)
    assert schemas.find("GET", "/users") is None
    assert schemas.find("POST", "/user") is None


def test_a_schema_is_found_whatever_the_parameters_are_called() -> None:
    """The route may call them otherwise: they match the same paths, so the filter must hold."""
    schemas = Schemas(lambda: None)
    schemas.GET("/users/:id/*", returns=User)
    assert schemas.find("GET", "/users/:name/*") is not None
    assert schemas.find("GET", "/users/:id:int/*") is None


@pytest.mark.parametrize("path", ["users", "/a/:", "/a/:x/:x", "/:x:float"])
def test_a_malformed_pattern_is_refused_at_once(path: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Schemas(lambda: None).GET(path, returns=User)


def test_the_pattern_of_hooks_is_no_route() -> None:
    with pytest.raises(ValueError, match="belongs to one route"):
        Schemas(lambda: None).GET("*", returns=User)


def test_a_second_schema_of_a_route_is_refused() -> None:
    schemas = Schemas(lambda: None)
    schemas.GET("/users/:id", returns=User)
    with pytest.raises(ValueError, match=r"GET /users/:name has a schema already"):
        schemas.GET("/users/:name", returns=User)


def test_a_schema_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing"):
        Schemas(lambda: None).POST("/users")


def test_a_type_that_cannot_be_read_is_refused_when_registered() -> None:
    schemas = Schemas(lambda: None)
    with pytest.raises(TypeError, match="can't be a schema"):
        schemas.POST("/users", expects=complex)
    assert schemas.find("POST", "/users") is None


def test_schemas_that_belong_to_no_route_are_named() -> None:
    """A mistyped path would let every field out."""
    schemas = Schemas(lambda: None)
    schemas.GET("/users/:id", returns=User)
    schemas.POST("/usres", returns=User)
    assert schemas.without_route([("GET", "/users/:"), ("POST", "/users")]) == ["POST /usres"]


class TestPlans:
    """What is resolved for a route at its first request holds until something is registered."""

    def route(self, app: App) -> Endpoint:
        match = app.registry.router.find("GET", "/users")
        assert match is not None
        return match.endpoint

    def answering(self) -> tuple[App, Client]:
        app = App()
        app.GET("/users", lambda req, res, ctx: None)
        app.before("/users", lambda req, res, ctx: None, methods=["HEAD"])
        client = Client(app)
        client.get("/users")
        client.request("HEAD", "/users")
        return app, client

    def test_reading_the_schemas_throws_none_of_them_away(self) -> None:
        app, _ = self.answering()
        plan = self.route(app).plan
        assert plan is not None
        assert app.schema is app.schema
        assert self.route(app).plan is plan

    @pytest.mark.parametrize("name", ["plan", "head_plan"])
    def test_a_new_schema_or_hook_does(self, name: str) -> None:
        app, _ = self.answering()
        app.schema.GET("/users", returns=int)
        assert getattr(self.route(app), name) is None
        app, _ = self.answering()
        app.after("*", lambda req, res, ctx: None)
        assert getattr(self.route(app), name) is None

    def test_head_on_a_get_route_has_one_that_is_kept(self) -> None:
        app, client = self.answering()
        route = self.route(app)
        plan = route.head_plan
        assert plan is not None
        assert plan is not route.plan
        assert len(plan.before) == 1
        client.request("HEAD", "/users")
        assert route.head_plan is plan
