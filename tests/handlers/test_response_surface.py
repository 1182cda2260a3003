"""SPEC 1: the public names of `Response` are those of the specification, and nothing behind them can be reached."""

from __future__ import annotations

from inspect import isdatadescriptor

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.message.draft import Draft
from heaven_core.message.response import draft_of
from heaven_core.testing import Client
from tests.handlers.kit import ask, given, loose

SPECIFIED = {
    "abort", "body", "cache", "check", "close", "content_type", "cookie", "defer", "delete_cookie", "disposition",
    "error", "etag", "file", "fresh", "headers", "html", "http", "json", "last_modified", "max_ranges", "outcome",
    "ranges", "redirect", "status", "stream", "text", "vary",
}  # fmt: skip


def public_names(value: object) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


def test_a_response_has_the_names_of_the_specification_and_no_other() -> None:
    assert public_names(Response()) == SPECIFIED


def test_its_headers_are_a_multimap_and_nothing_else() -> None:
    assert public_names(Response().headers) == {"add", "get", "get_all", "remove", "set"}


@pytest.mark.parametrize("name", ["code", "fields", "encoded", "gone", "sliceable"])
def test_a_name_that_the_specification_does_not_have_can_not_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        loose(setattr)(Response(), name, 7)


def test_what_a_public_name_gives_never_leads_to_the_draft() -> None:
    response = Response()
    response.headers = "X-A", "1"
    draft = draft_of(response)
    for owner in (response, response.headers):
        for name in public_names(owner):
            value: object = getattr(owner, name)
            assert not isinstance(value, Draft)
            assert value is not draft.fields


def test_the_content_type_reads_and_sets_its_field() -> None:
    def act(res: Response) -> None:
        assert res.content_type is None
        res.content_type = "text/html"
        assert (res.content_type, res.headers["Content-Type"]) == ("text/html", "text/html")
        res.body = "<p>"

    assert ask(act).headers.get_all("Content-Type") == ["text/html"]


def test_a_content_type_that_is_taken_away_is_chosen_by_the_library() -> None:
    def act(res: Response) -> None:
        res.content_type = "text/html"
        res.content_type = None
        res.body = {}

    assert ask(act).headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("value", ["text/html\r\nX: y", " text/html", "text/ü"])
def test_a_content_type_that_can_not_be_sent_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="the value of Content-Type"):
        given(lambda res: setattr(res, "content_type", value))


@pytest.mark.parametrize("value", [b"text/html", 3])
def test_a_content_type_is_text(value: object) -> None:
    """A number is no media type, though other fields may have one."""
    with pytest.raises(TypeError, match="the value of Content-Type must be str"):
        loose(setattr)(Response(), "content_type", value)
    with pytest.raises(TypeError, match="the value of Content-Type must be str"):
        loose(Response().file)("x", content_type=value)
    with pytest.raises(TypeError, match="the value of Content-Type must be str"):
        loose(Response().stream)(["item"], value)


def rolled_back(req: Request, res: Response, ctx: Context) -> None:
    res.ranges = True
    res.max_ranges = 1
    res.close = True
    res.etag = "v1"
    res.status = 201
    res.body = {"secret": 1}
    raise ValueError("afterwards")


def page(req: Request, res: Response, ctx: Context) -> None:
    res.status = 200
    res.body = "0123456789"


@pytest.mark.parametrize("name", ["ranges", "max_ranges", "close", "etag", "content_type"])
def test_an_error_page_finds_nothing_of_what_the_failed_handler_had_set(name: str) -> None:
    """SPEC 1: what was set after the before-hooks is rolled back, all of it."""
    found: list[object] = []
    app = App()
    app.GET("/", rolled_back)
    app.errors(500, lambda req, res, ctx: found.append(getattr(res, name)))
    Client(app, raise_errors=False).get("/")
    assert found == [getattr(Response(), name)]


def test_no_range_is_taken_of_the_page_where_the_failed_handler_had_allowed_them() -> None:
    app = App()
    app.GET("/", rolled_back)
    app.errors(500, page)
    answer = Client(app).get("/", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.body) == (200, b"0123456789")


def test_what_a_before_hook_has_set_stays_for_the_page() -> None:
    def hook(req: Request, res: Response, ctx: Context) -> None:
        res.ranges = True

    app = App()
    app.before("*", hook)
    app.GET("/", rolled_back)
    app.errors(500, page)
    answer = Client(app).get("/", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.body) == (206, b"01")


def test_a_failed_draft_is_as_a_fresh_one_but_for_what_says_so() -> None:
    """By comparing all there is: a new attribute that the roll-back forgot would be seen here."""
    lasting = {"began", "error", "failed", "gone", "host", "is_plain", "refusal", "released", "request", "runtime",
               "schema", "ending", "_mark", "_shared", "deferred"}  # fmt: skip
    response = Response()
    with pytest.raises(ValueError, match="afterwards"):
        rolled_back(Request("GET", "/"), response, Context())
    failed, fresh = draft_of(response), Draft()
    failed.roll_back(500, "x")
    fresh.become(500, "x")
    names = {name for name in dir(Draft) if isdatadescriptor(getattr(Draft, name))} - set(dir(object)) - lasting
    assert {name: getattr(failed, name) for name in names} == {name: getattr(fresh, name) for name in names}


def test_a_page_that_sets_only_its_status_is_filtered_by_the_schema_of_the_route() -> None:
    """What was encoded for the 500 is not sent past `returns=` when the page makes a 200 of it."""
    app = App()
    app.GET("/", rolled_back)
    app.schema.GET("/", returns=dict[str, int])
    app.errors(500, lambda req, res, ctx: setattr(res, "status", 200))
    answer = Client(app, raise_errors=False).get("/")
    assert answer.status == 500
    assert any("can't be filtered by the schema" in str(error) for error, _ in answer.errors)
