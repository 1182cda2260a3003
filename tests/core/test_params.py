"""SPEC 2: `req.params`, a read-only mapping with typed getters."""

from __future__ import annotations

import pytest

from heaven_core import App, BadRequest, Context, Request, Response
from heaven_core.message.params import NO_PARAMS, Params
from heaven_core.testing import Client

PARAMS = Params({"id": "7", "page": 3, "name": "Ann", "*": "a/b"})


def test_they_are_a_mapping() -> None:
    assert (PARAMS["id"], PARAMS["page"], PARAMS["*"]) == ("7", 3, "a/b")
    assert dict(PARAMS) == {"id": "7", "page": 3, "name": "Ann", "*": "a/b"}
    assert (len(PARAMS), "id" in PARAMS, "x" in PARAMS, PARAMS.get("x")) == (4, True, False, None)
    assert (dict(NO_PARAMS), repr(Params({"a": 1}))) == ({}, "Params({'a': 1})")


def test_a_number_is_read_from_text_or_is_one_already() -> None:
    assert (PARAMS.int("id"), PARAMS.int("page")) == (7, 3)
    assert Params({"id": "-7"}).int("id") == -7


@pytest.mark.parametrize("text", ["", "x", "1.5", " 1", "1_000", "+1", "٣", "--1", "9" * 641])
def test_what_is_no_number_is_the_clients_mistake(text: str) -> None:
    with pytest.raises(BadRequest, match="id in the path is no integer: "):
        Params({"id": text}).int("id")


def test_text_is_text_whatever_the_pattern_made_of_it() -> None:
    assert (PARAMS.str("name"), PARAMS.str("page")) == ("Ann", "3")


def test_a_name_that_the_pattern_does_not_have_is_the_applications_mistake() -> None:
    for read in (PARAMS.int, PARAMS.str, PARAMS.__getitem__):
        with pytest.raises(KeyError, match="the pattern of this route has no parameter nmae, but id, page, name,"):
            read("nmae")
    with pytest.raises(KeyError, match="has no parameter x, but none at all"):
        NO_PARAMS.str("x")


def test_the_client_gets_a_400_for_what_is_no_number() -> None:
    def show(req: Request, res: Response, ctx: Context) -> None:
        res.body = {"id": req.params.int("id")}

    app = App()
    app.GET("/:id", show)
    assert Client(app).get("/12").json == {"id": 12}
    assert Client(app).get("/twelve").status == 400
