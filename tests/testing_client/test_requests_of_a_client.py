"""What the client sends: methods, header lines, JSON, and where the app is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client, HeaderLines, Result

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


def echo_of(*methods: str) -> App:
    """An app that says what it got."""

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Method", req.method
        res.body = {
            "body": req.text,
            "type": req.headers.get("content-type", ""),
            "length": req.headers.get("content-length", ""),
            "lines": req.headers.get_all("x-line"),
            "url": req.url,
            "scheme": req.scheme,
        }

    app = App()
    for method in methods or ("GET", "POST"):
        getattr(app, method)("/", handler)
    return app


def said(answer: Result, name: str) -> object:
    found: object = json.loads(answer.body)[name]
    return found


@pytest.mark.parametrize("method", METHODS)
def test_each_method_has_its_name(method: str) -> None:
    send: Callable[[str], Result] = getattr(Client(echo_of(*METHODS)), method.lower())
    assert send("/").headers["x-method"] == method


@pytest.mark.parametrize("method", METHODS)
def test_and_another_one_for_a_loop(method: str) -> None:
    async def send() -> Result:
        client = Client(echo_of(*METHODS))
        match method:
            case "GET":
                return await client.aget("/")
            case "HEAD":
                return await client.ahead("/")
            case "OPTIONS":
                return await client.aoptions("/")
            case "POST":
                return await client.apost("/", b"x")
            case "PUT":
                return await client.aput("/", b"x")
            case "PATCH":
                return await client.apatch("/", b"x")
            case _:
                return await client.adelete("/")

    assert asyncio.run(send()).headers["x-method"] == method


def test_head_has_the_fields_and_no_body() -> None:
    answer = Client(echo_of("GET")).head("/")
    assert (answer.status, answer.body) == (200, b"")
    assert "content-length" in answer.headers


def test_json_is_written_with_its_type() -> None:
    @dataclass
    class Point:
        x: int

    answer = Client(echo_of()).post("/", json={"at": Point(1), "name": "Zoë"})
    assert said(answer, "body") == '{"at":{"x":1},"name":"Zoë"}'
    assert (said(answer, "type"), said(answer, "length")) == ("application/json", "28")


def test_null_is_json_too() -> None:
    assert said(Client(echo_of()).post("/", json=None), "body") == "null"


def test_another_type_of_json_may_be_given() -> None:
    answer = Client(echo_of()).post("/", json=[], headers={"Content-Type": "application/problem+json"})
    assert said(answer, "type") == "application/problem+json"


def test_a_body_beside_json_is_refused() -> None:
    with pytest.raises(TypeError, match="not both"):
        Client(echo_of()).post("/", b"x", json={})


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match=r"\$\.x"):
        Client(echo_of()).post("/", json={"x": object()})


@pytest.mark.parametrize("headers", [[("X-Line", "a"), ("X-Line", "b")], (("x-line", "a"), ("x-line", "b"))])
def test_a_line_may_come_more_than_once(headers: HeaderLines) -> None:
    assert said(Client(echo_of()).get("/", headers=headers), "lines") == ["a", "b"]


def test_lines_may_be_a_mapping_or_none() -> None:
    client = Client(echo_of())
    assert said(client.get("/", headers={"X-Line": "a"}), "lines") == ["a"]
    assert said(client.get("/", headers=None), "lines") == []


def test_the_app_is_at_http_test() -> None:
    answer = Client(echo_of()).get("/?a=b")
    assert (said(answer, "url"), said(answer, "scheme")) == ("http://test/?a=b", "http")


def test_or_where_the_test_says() -> None:
    answer = Client(echo_of(), base_url="https://shop.example:8443").get("/")
    assert (said(answer, "url"), said(answer, "scheme")) == ("https://shop.example:8443/", "https")


def test_a_host_line_says_another() -> None:
    assert said(Client(echo_of()).get("/", headers={"Host": "other"}), "url") == "http://other/"


@pytest.mark.parametrize("url", ["shop.example", "ftp://shop.example", "https://", "http://test/app", "http://test?a"])
def test_a_base_url_is_no_more_than_scheme_and_host(url: str) -> None:
    with pytest.raises(ValueError, match="base_url="):
        Client(App(), base_url=url)


def test_a_redirect_is_not_followed() -> None:
    app = App()
    app.GET("/", lambda req, res, ctx: res.redirect("/new"))
    answer = Client(app).get("/")
    assert (answer.status, answer.headers["location"]) == (307, "/new")
