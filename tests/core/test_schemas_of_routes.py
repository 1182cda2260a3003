"""The schemas of an app."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from heaven_core.app.routes import Schemas


@dataclass
class User:
    name: str


def test_each_method_has_its_own_schema() -> None:
    schemas = Schemas()
    for method in (schemas.GET, schemas.POST, schemas.PUT, schemas.PATCH, schemas.DELETE, schemas.OPTIONS):
        method("/users", returns=User)
    found = [schemas.find(name, "/users") for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")]
    assert len({id(schema) for schema in found}) == 6
    assert all(schema is not None and schema.returns is User and schema.expects is None for schema in found)


def test_a_route_without_a_schema_has_none() -> None:
    schemas = Schemas()
    assert schemas.find("GET", "/users") is None
    schemas.POST("/users", expects=User)
    assert schemas.find("GET", "/users") is None
    assert schemas.find("POST", "/user") is None


def test_a_schema_is_found_whatever_the_parameters_are_called() -> None:
    """The route may call them otherwise: they match the same paths, so the filter must hold."""
    schemas = Schemas()
    schemas.GET("/users/:id/*", returns=User)
    assert schemas.find("GET", "/users/:name/*") is not None
    assert schemas.find("GET", "/users/:id:int/*") is None


@pytest.mark.parametrize("path", ["users", "/a/:", "/a/:x/:x", "/:x:float"])
def test_a_malformed_pattern_is_refused_at_once(path: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Schemas().GET(path, returns=User)


def test_the_pattern_of_hooks_is_no_route() -> None:
    with pytest.raises(ValueError, match="belongs to one route"):
        Schemas().GET("*", returns=User)


def test_a_second_schema_of_a_route_is_refused() -> None:
    schemas = Schemas()
    schemas.GET("/users/:id", returns=User)
    with pytest.raises(ValueError, match=r"GET /users/:name has a schema already"):
        schemas.GET("/users/:name", returns=User)


def test_a_schema_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing"):
        Schemas().POST("/users")


def test_a_type_that_cannot_be_read_is_refused_when_registered() -> None:
    schemas = Schemas()
    with pytest.raises(TypeError, match="can't be a schema"):
        schemas.POST("/users", expects=complex)
    assert schemas.find("POST", "/users") is None


def test_schemas_that_belong_to_no_route_are_named() -> None:
    """A mistyped path would let every field out."""
    schemas = Schemas()
    schemas.GET("/users/:id", returns=User)
    schemas.POST("/usres", returns=User)
    assert schemas.without_route([("GET", "/users/:"), ("POST", "/users")]) == ["POST /usres"]
