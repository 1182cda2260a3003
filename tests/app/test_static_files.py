"""SPEC 3 and `app.files`: a directory under a pattern."""

from __future__ import annotations

import re
from errno import EACCES
from pathlib import PurePosixPath
from typing import Final

import pytest

from heaven_core import HEX_HASHED, VITE_HASHED, App, Context, Request, Response
from heaven_core.machine.file_lookup import MOVED
from heaven_core.testing import Client, Disk, Result
from tests.handlers.kit import fields_of, loose

FILES: Final = {
    "/srv/index.html": b"<h1>root",
    "/srv/app.js": b"js",
    "/srv/app.js.gz": b"GZ",
    "/srv/app.3f9c01ab.js": b"hashed",
    "/srv/docs/index.html": b"<h1>docs",
    "/srv/docs/a b.txt": b"text",
    "/srv/bare/one.txt": b"1",
    "/srv/bare/sub/two.txt": b"2",
    "/srv/.env": b"secret",
    "/srv/.git/config": b"secret",
    "/srv/.well-known/security.txt": b"contact",
    "/outside.txt": b"outside",
}
FOREVER: Final = "public, max-age=31536000, immutable"


def static(pattern: str = "/static/*", **options: object) -> App:
    app = App()
    loose(app.files)(pattern, "/srv", **options)
    return app


def get(app: App, target: str, method: str = "GET", disk: Disk | None = None, **lines: str) -> Result:
    disk = disk or Disk(FILES)
    headers = {name.replace("_", "-"): value for name, value in lines.items()}
    answer = Client(app, disk=disk).request(method, target, headers=headers)
    assert disk.open_files == []
    return answer


def test_a_path_names_a_file() -> None:
    answer = get(static(), "/static/app.js")
    assert (answer.status, answer.body) == (200, b"js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_a_path_object_names_the_directory() -> None:
    app = App()
    app.files("/s/*", PurePosixPath("/srv"))
    assert get(app, "/s/app.js").body == b"js"


def test_a_missing_one_is_a_404_without_a_policy() -> None:
    answer = get(static(), "/static/none.js")
    assert (answer.status, answer.body) == (404, b"404 Not Found\n")
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize("target", ["/static/", "/static/docs/"])
def test_a_directory_is_answered_by_its_index(target: str) -> None:
    answer = get(static(), target)
    assert answer.status == 200
    assert answer.body.startswith(b"<h1>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_the_index_may_have_another_name_or_none() -> None:
    assert get(static(index="one.txt"), "/static/bare/").body == b"1"
    assert get(static(index=None), "/static/").status == 404


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/static", "./static/"),
        ("/static/docs", "./docs/"),
        ("/static/docs?a=1&b=%20", "./docs/?a=1&b=%20"),
        ("/static/bare/sub", "./sub/"),
        ("/static/bare%2Fsub", "./bare%2Fsub/"),
        ("//static/docs", None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_directory_without_its_slash_is_sent_there(method: str, target: str, location: str | None) -> None:
    """RFC 9110 §15.4.9; relative, for only the client knows what a proxy has taken off the front."""
    answer = get(static(), target, method)
    assert answer.status == (404 if location is None else 308)
    assert answer.headers.get("location") == location
    assert "cache-control" not in answer.headers
    assert answer.body == (b"" if method == "HEAD" else b"404 Not Found\n" if location is None else MOVED.encode())


def test_no_redirect_leads_to_another_host() -> None:
    for target in ("//evil.example/docs", "/%2F%2Fevil.example%2Fdocs", "/\\evil.example/docs"):
        location = get(static("/*"), target).headers.get("location")
        assert location is None or location.startswith("./")


def test_without_an_index_a_directory_is_nothing() -> None:
    assert get(static(index=None), "/static/docs").status == 404
    assert get(static(index=None), "/static").status == 404


def test_an_index_that_is_missing_is_a_404_after_the_redirect() -> None:
    assert get(static(), "/static/bare").status == 308
    assert get(static(), "/static/bare/").status == 404


@pytest.mark.parametrize("target", ["/static/.env", "/static/.git/config", "/static/docs/../.env", "/static/.git/"])
def test_a_name_with_a_dot_is_as_good_as_missing(target: str) -> None:
    plain = get(static(), "/static/none")
    for app in (static(), static(fallback="index.html")):
        answer = get(app, target)
        assert (answer.status, fields_of(answer), answer.body) == (plain.status, fields_of(plain), plain.body)


def test_but_well_known_is_there_and_others_on_request() -> None:
    """RFC 8615 §3."""
    assert get(static(), "/static/.well-known/security.txt").body == b"contact"
    assert get(static(hidden=True), "/static/.env").body == b"secret"


@pytest.mark.parametrize("target", ["/static/../outside.txt", "/static/%2e%2e/outside.txt", "/static/%2Foutside.txt"])
@pytest.mark.parametrize("hidden", [False, True])
def test_no_file_outside_is_served(hidden: bool, target: str) -> None:
    assert get(static(hidden=hidden), target).status == 404


PAGES: Final = ["/static/users/7", "/static/user/john.doe", "/static/app.js/more", "/static/bare/", "/static/old.html"]


@pytest.mark.parametrize("target", PAGES)
@pytest.mark.parametrize("accept", [{}, {"Accept": "text/html,*/*;q=0.8"}, {"Accept": "*/*"}], ids=repr)
def test_a_fallback_takes_the_place_of_what_is_missing(accept: dict[str, str], target: str) -> None:
    answer = get(static(fallback="index.html"), target, "GET", None, **accept)
    assert (answer.status, answer.body) == (200, b"<h1>root")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("target", PAGES)
def test_but_not_for_who_takes_no_page(target: str) -> None:
    """SPEC 3: a program that asks for JSON is told that there is none."""
    answer = get(static(fallback="index.html"), target, Accept="application/json")
    assert (answer.status, answer.headers["vary"]) == (404, "Accept")


@pytest.mark.parametrize(
    "name", ["app.00c0ffee.js", "index-DiwrgTda.js", "none.js", "a.CSS", "x.png", "app.js.map", "a.json"]
)
@pytest.mark.parametrize("hashed", [None, HEX_HASHED, VITE_HASHED])
def test_nor_of_a_script_or_a_picture(hashed: str | None, name: str) -> None:
    """SPEC 3: of the version before, say, of which a page would make no sense, whatever its name's hash is like."""
    answer = get(static(fallback="index.html", hashed=hashed), f"/static/{name}")
    assert answer.status == 404
    assert "cache-control" not in answer.headers


def test_nor_of_what_must_not_be_read() -> None:
    disk = Disk(FILES)
    disk.errors["/srv/app.js"] = PermissionError(EACCES, "no")
    answer = get(static(fallback="index.html"), "/static/app.js", disk=disk)
    assert answer.status == 403
    assert "cache-control" not in answer.headers


def test_a_fallback_that_is_missing_too_is_a_404() -> None:
    assert get(static(fallback="app.html"), "/static/none").status == 404


@pytest.mark.parametrize(
    ("options", "target", "policy"),
    [
        ({}, "/static/app.js", "no-cache"),
        ({}, "/static/app.3f9c01ab.js", "no-cache"),
        ({"hashed": HEX_HASHED}, "/static/app.3f9c01ab.js", FOREVER),
        ({"hashed": HEX_HASHED}, "/static/app.js", "no-cache"),
        ({"cache_control": "max-age=60"}, "/static/app.js", "max-age=60"),
        ({"cache_control": None}, "/static/app.js", None),
        ({"cache_control": None, "hashed": HEX_HASHED}, "/static/app.3f9c01ab.js", FOREVER),
        ({"hashed": r"^app\."}, "/static/app.js", FOREVER),
    ],
    ids=repr,
)
def test_the_policy_goes_on_200_206_and_304(options: dict[str, object], target: str, policy: str | None) -> None:
    app = static("/static/*", **options)
    for status, lines in {200: {}, 206: {"Range": "bytes=0-0"}, 304: {"If_None_Match": "*"}}.items():
        answer = get(app, target, "GET", None, **lines)
        assert answer.status == status
        assert answer.headers.get("cache-control") == policy


@pytest.mark.parametrize(("lines", "status"), [({"Range": "bytes=99-"}, 416), ({"If_Match": '"x"'}, 412)])
def test_and_on_no_refusal(lines: dict[str, str], status: int) -> None:
    answer = get(static(), "/static/app.js", "GET", None, **lines)
    assert answer.status == status
    assert "cache-control" not in answer.headers


def test_a_policy_of_a_hook_wins() -> None:
    def hook(req: Request, res: Response, ctx: Context) -> None:
        res.cache(no_store=True)

    app = static()
    app.before("/static/*", hook)
    assert get(app, "/static/app.js").headers.get_all("cache-control") == ["no-store"]


@pytest.mark.parametrize(
    ("name", "is_hashed"),
    [
        ("app.3f9c01ab.js", True),
        ("app-3f9c01ab9.css", True),
        ("3f9c01ab.js", False),
        ("report.20240131.pdf", False),
        ("the.facade-deadbeef.js", False),
        ("app.3F9C01AB.js", False),
        ("app.3f9c01a.js", False),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301.png", False),
        ("user-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png", False),
        ("user-3f2504e0-4f89-41d3-9a0c-0305e82c3301.3f9c01ab.png", True),
    ],
)
def test_names_with_a_hash_in_hexadecimal(name: str, is_hashed: bool) -> None:
    """Neither a date nor a word is a hash, nor a UUID, which says nothing of the content."""
    assert (re.search(HEX_HASHED, name) is not None) is is_hashed


@pytest.mark.parametrize(
    ("name", "is_hashed"),
    [
        ("index-DiwrgTda.js", True),
        ("index-B4kq_9xZ.css", True),
        ("vendor-a1b2c3d4.js.map", True),
        ("logo-4-s8Yd_2.svg", True),
        ("user-settings.js", False),
        ("my-app-icon.js", False),
        ("user-Settings.js", False),
        ("index.js", False),
        ("index-DiwrgTdaX.js", False),
    ],
)
def test_names_with_a_hash_as_vite_makes_it(name: str, is_hashed: bool) -> None:
    assert (re.search(VITE_HASHED, name) is not None) is is_hashed


def test_precompressed_siblings_on_request() -> None:
    assert get(static(), "/static/app.js", Accept_Encoding="gzip").body == b"js"
    answer = get(static(precompressed=True), "/static/app.js", Accept_Encoding="gzip")
    assert (answer.body, answer.headers["content-encoding"]) == (b"GZ", "gzip")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("target", ["/static/app.js", "/static/", "/static"])
def test_other_methods_are_a_405_with_allow(method: str, target: str) -> None:
    """RFC 9110 §15.5.6."""
    answer = get(static(), target, method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_head_has_the_fields_of_the_get() -> None:
    get_answer, head = get(static(), "/static/app.js"), get(static(), "/static/app.js", "HEAD")
    assert (fields_of(head), head.body) == (fields_of(get_answer), b"")


@pytest.mark.parametrize("first", [True, False])
def test_routes_of_ones_own_come_before_it_in_either_order(first: bool) -> None:
    def own(req: Request, res: Response, ctx: Context) -> None:
        res.body = "own"

    app = App()
    if first:
        app.GET("/", own)
        app.GET("/app.js", own)
    app.files("/*", "/srv", fallback="index.html")
    if not first:
        app.GET("/", own)
        app.GET("/app.js", own)
    assert get(app, "/").body == b"own"
    assert get(app, "/app.js").body == b"own"
    assert get(app, "/docs/a%20b.txt").body == b"text"
    with pytest.raises(ValueError, match="already registered"):
        app.GET("/", own)


@pytest.mark.parametrize(
    ("raw_path", "query", "location"),
    [
        (b"/mounted", b"", "./mounted/"),
        (b"/mo%2Funted", b"a", "./mo%2Funted/?a"),
        (b"/mount\xc3\xa9d", b"\xff#", "./mount%C3%A9d/?%FF%23"),
        (b"/mou?nt#ed", b"", "./mou%3Fnt%23ed/"),
        (b"/a:b", b"", "./a:b/"),
    ],
)
def test_a_mounted_directory_without_its_slash_is_sent_there(raw_path: bytes, query: bytes, location: str) -> None:
    """Where a server gives the root of a mounted app as an empty path; made of what the client sent."""
    request = Request[object]("GET", "", query, origin={"root_path": "/mounted", "raw_path": raw_path})
    response = Response()
    app = static("/*")
    clock = Client(app).clock.runtime()
    coroutine = app.respond(request, response, clock).__await__()
    with pytest.raises(StopIteration):
        next(coroutine)
    assert (response.status, response.headers["location"]) == (308, location)


@pytest.mark.parametrize("pattern", ["/static", "/static/", "/static/:name", "*", "/static*"])
def test_a_pattern_without_a_rest_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r'ends in "/\*"'):
        static(pattern)


def test_the_same_pattern_twice_is_refused() -> None:
    app = static()
    with pytest.raises(ValueError, match="already registered"):
        app.files("/static/*", "/other")


@pytest.mark.parametrize(
    "options",
    [{"index": "/index.html"}, {"index": ""}, {"fallback": "../x"}, {"cache_control": "a\r\nb"}, {"hashed": "("}],
    ids=repr,
)
def test_options_that_make_no_sense_are_refused_where_they_are_given(options: dict[str, object]) -> None:
    with pytest.raises((ValueError, re.error)):
        static("/static/*", **options)


def test_a_directory_that_is_no_path_is_refused() -> None:
    with pytest.raises(TypeError, match=r"app\.files\(\) must be str or PathLike"):
        loose(App().files)("/static/*", 7)


def test_no_directory_is_listed_unless_that_was_asked_for() -> None:
    assert get(static(), "/static/bare/").status == 404


def test_a_listing_shows_what_is_there() -> None:
    answer = get(static(listing=True), "/static/bare/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert '<a href="./sub/">sub/</a>' in answer.text
    assert '<a href="./one.txt">one.txt</a>' in answer.text
    assert "<title>/static/bare/</title>" in answer.text


def test_a_listing_keeps_the_policy_of_a_hook() -> None:
    def hook(req: Request, res: Response, ctx: Context) -> None:
        res.cache(no_store=True)

    app = static(listing=True)
    app.before("*", hook)
    assert get(app, "/static/bare/").headers.get_all("cache-control") == ["no-store"]


def test_a_listing_has_a_tag() -> None:
    tag = get(static(listing=True), "/static/bare/").headers["etag"]
    assert get(static(listing=True), "/static/bare/", If_None_Match=tag).status == 304


def test_the_index_comes_before_the_listing_and_that_before_the_fallback() -> None:
    app = static(listing=True, fallback="app.js")
    assert get(app, "/static/docs/").body == b"<h1>docs"
    assert b"one.txt" in get(app, "/static/bare/").body
    assert get(app, "/static/none/").body == b"js"


def test_a_directory_that_is_listed_without_an_index() -> None:
    app = static(listing=True, index=None)
    assert get(app, "/static/docs").headers["location"] == "./docs/"
    assert b"index.html" in get(app, "/static/docs/").body
    assert b"index.html" in get(app, "/static/").body


def test_a_listing_leaves_out_hidden_names_unless_they_are_served() -> None:
    assert b".env" not in get(static(listing=True, index=None), "/static/").body
    assert b".env" in get(static(listing=True, index=None, hidden=True), "/static/").body


def test_a_directory_that_must_not_be_read_is_a_403() -> None:
    disk = Disk(FILES)
    disk.errors["/srv/bare/"] = PermissionError(EACCES, "no")
    assert get(static(listing=True), "/static/bare/", disk=disk).status == 403


def test_a_missing_directory_is_a_404() -> None:
    assert get(static(listing=True), "/static/none/").status == 404


def test_a_listing_of_many_names_is_cut_and_says_so() -> None:
    app = App()
    app.files("/*", "/srv", index=None, listing=True, max_listing=2)
    disk = Disk({f"/srv/{number}.txt": b"x" for number in range(5)})
    page = Client(app, disk=disk).get("/").text
    assert ("0.txt" in page, "1.txt" in page, "2.txt" in page) == (True, True, False)
    assert "and 3 more, which are not shown" in page


@pytest.mark.parametrize(("option", "value"), [("max_listing", 0), ("max_listing", "10"), ("listing", 1)])
def test_what_a_listing_can_not_be_is_refused(option: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=f"{option}= "):
        loose(App().files)("/*", "/srv", **{option: value})
