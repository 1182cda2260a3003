"""SPEC 2: a hook that guards a section guards all of it, whatever way leads there."""

from __future__ import annotations

from typing import Final

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client, Disk

FILES: Final = {
    "/srv/index.html": b"root",
    "/srv/app.js": b"js",
    "/srv/docs/index.html": b"docs",
    "/srv/app.js.gz": b"gz",
}
METHODS: Final = ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "BREW"]
BELOW: Final = ["", "/", "/app.js", "/docs", "/docs/", "/missing", "//app.js", "/docs%2Findex.html", "/docs//", "/../x"]


def deny(req: Request, res: Response, ctx: Context) -> None:
    res.status = 403
    res.abort("denied")


def never(req: Request, res: Response, ctx: Context) -> None:
    raise AssertionError("the hook has let it pass")


def guarded(pattern: str) -> App:
    app = App()
    app.before(pattern, deny)
    return app


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", [f"/static{below}" for below in BELOW])
def test_files_their_directory_its_redirect_and_what_is_missing(target: str, method: str) -> None:
    """Also the 308 to the slash, the 404 and the 405, and OPTIONS."""
    app = guarded("/static/*")
    app.files("/static/*", "/srv", fallback="index.html", listing=True, precompressed=True)
    answer = Client(app, disk=Disk(FILES)).request(method, target, headers={"Accept-Encoding": "gzip"})
    assert answer.status == 403


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["/", "//", "/app.js", "/%2F", "/a/b/"])
def test_everything(target: str, method: str) -> None:
    app = guarded("/*")
    app.GET("/", never)
    app.files("/*", "/srv")
    assert Client(app, disk=Disk(FILES)).request(method, target).status == 403


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["/api", "/api/", "/api/users", "/api%2Fusers", "/api/users/"])
@pytest.mark.parametrize("own", ["/api", "/api/", "/api/users", "/api/:name", "/:any", "/:any/*", "/*", "/:any/users"])
def test_routes_of_whatever_pattern(own: str, target: str, method: str) -> None:
    app = guarded("/api/*")
    app.GET(own, never)
    app.POST(own, never)
    assert Client(app).request(method, target).status == 403


@pytest.mark.parametrize("target", ["/7", "/7/", "/7/users"])
def test_a_section_that_begins_with_a_parameter(target: str) -> None:
    app = guarded("/:tenant:int/*")
    app.GET("/:any", never)
    app.GET("/:any/*", never)
    assert Client(app).get(target).status == 403


@pytest.mark.parametrize("target", ["/apis", "/ap", "/", "/x/api", "//api"])
def test_what_is_beside_it_is_not_guarded(target: str) -> None:
    app = guarded("/api/*")
    assert Client(app).get(target).status == 404


def test_the_hooks_of_a_section_come_before_those_of_its_own_path() -> None:
    """From the broadest pattern to the narrowest."""
    ran: list[str] = []

    def section(req: Request, res: Response, ctx: Context) -> None:
        ran.append("/api/*")

    def own(req: Request, res: Response, ctx: Context) -> None:
        ran.append("/api")

    app = App()
    app.before("/api", own)
    app.before("/api/*", section)
    Client(app).get("/api")
    assert ran == ["/api/*", "/api"]
