"""The client's cookie jar: what it keeps, what it sends back, and what a browser would do neither with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client, Clock, CookieJar
from heaven_core.testing.cookie_jar import Destination

HERE = Destination("test", "/", False)


def session_app() -> App:
    """An app with a session, of which it tells the name."""

    def log_in(req: Request, res: Response, ctx: Context) -> None:
        res.cookie("session", req.text or "s1", httponly=True)

    def log_out(req: Request, res: Response, ctx: Context) -> None:
        res.delete_cookie("session")

    def look(req: Request, res: Response, ctx: Context) -> None:
        res.json(dict(req.cookies))

    app = App()
    app.POST("/login", log_in)
    app.POST("/logout", log_out)
    app.GET("/*", look)
    return app


def jar_of(*lines: str, of: Destination = HERE, clock: Clock | None = None) -> CookieJar:
    jar = CookieJar("test", clock or Clock())
    jar.receive(lines, of)
    return jar


def sent(jar: CookieJar, path: str = "/", host: str = "test", *, is_secure: bool = False) -> str:
    return jar.line_for(Destination(host, path, is_secure))


def test_what_an_answer_sets_is_sent_back() -> None:
    client = Client(session_app())
    assert client.get("/").json == {}
    client.post("/login")
    assert client.get("/").json == {"session": "s1"}


def test_it_is_set_anew_and_deleted() -> None:
    client = Client(session_app())
    client.post("/login")
    client.post("/login", b"s2")
    assert client.get("/").json == {"session": "s2"}
    client.post("/logout")
    assert client.get("/").json == {}


def test_a_test_may_look_set_and_delete() -> None:
    client = Client(session_app())
    client.post("/login")
    assert client.cookies["session"] == "s1"
    client.cookies["session"] = "mine"
    client.cookies["other"] = "1"
    assert client.get("/").json == {"session": "mine", "other": "1"}
    assert (list(client.cookies), len(client.cookies)) == (["session", "other"], 2)
    del client.cookies["session"]
    assert client.get("/").json == {"other": "1"}
    client.cookies.clear()
    assert client.get("/").json == {}


def test_an_answer_replaces_what_the_test_has_set() -> None:
    client = Client(session_app())
    client.cookies["session"] = "mine"
    client.post("/login")
    assert client.get("/").json == {"session": "s1"}


def test_a_cookie_line_of_the_request_takes_the_place_of_the_jar() -> None:
    client = Client(session_app())
    client.post("/login")
    assert client.get("/", headers={"Cookie": "a=b"}).json == {"a": "b"}
    assert client.get("/", headers={"Cookie": ""}).json == {}


def test_each_client_has_its_own() -> None:
    app = session_app()
    Client(app).post("/login")
    assert Client(app).get("/").json == {}


def test_a_name_that_is_not_there() -> None:
    jar = jar_of("a=1")
    with pytest.raises(KeyError, match="b"):
        _ = jar["b"]
    with pytest.raises(KeyError, match="b"):
        del jar["b"]


def test_what_no_server_could_set_is_refused() -> None:
    with pytest.raises(ValueError, match="semicolon"):
        jar_of()["a"] = "b; c"


def test_the_jar_shows_what_is_in_it() -> None:
    assert repr(jar_of("a=1", "b=2")) == "CookieJar({'a': '1', 'b': '2'})"


def test_it_is_sent_below_its_path_only() -> None:
    jar = jar_of("a=1; Path=/app", "b=2; Path=/app/")
    assert sent(jar, "/") == ""
    assert sent(jar, "/application") == ""
    assert sent(jar, "/app") == "a=1"
    assert sent(jar, "/app/x") == "b=2; a=1"


def test_without_a_path_it_is_that_of_the_request() -> None:
    """RFC 6265bis §5.1.4."""
    jar = jar_of("a=1", "b=2; Path=relative", of=Destination("test", "/app/login", False))
    assert sent(jar, "/app/x") == "a=1; b=2"
    assert sent(jar, "/") == ""
    assert sent(jar_of("c=3", of=Destination("test", "/login", False)), "/x") == "c=3"


def test_the_longest_path_comes_first_and_counts() -> None:
    """RFC 6265bis §5.8.3."""
    jar = jar_of("a=short; Path=/", "a=long; Path=/app", "b=1; Path=/")
    assert sent(jar, "/app") == "a=long; a=short; b=1"
    assert (jar["a"], len(jar)) == ("long", 2)


def test_it_is_for_its_host_alone() -> None:
    jar = jar_of("a=1", of=Destination("shop.example", "/", False))
    assert sent(jar, host="shop.example") == "a=1"
    assert sent(jar, host="www.shop.example") == ""


def test_or_for_all_below_its_domain() -> None:
    jar = jar_of("a=1; Domain=.Shop.example", of=Destination("www.shop.example", "/", False))
    assert sent(jar, host="shop.example") == "a=1"
    assert sent(jar, host="api.shop.example") == "a=1"
    assert sent(jar, host="myshop.example") == ""


@pytest.mark.parametrize(
    "line",
    [
        "a=1; Domain=other.example",
        "a=1; Domain=0.0.1",
        "a=1; Secure",
        "__Secure-a=1",
        "__Host-a=1; Path=/",
        "a",
        "=1",
    ],
)
def test_a_browser_would_not_keep(line: str) -> None:
    """RFC 6265bis §5.7."""
    assert dict(jar_of(line, of=Destination("127.0.0.1", "/", False))) == {}


@pytest.mark.parametrize("line", ["__Host-a=1; Secure; Domain=test; Path=/", "__Host-a=1; Secure; Path=/app"])
def test_the_prefix_for_one_host_allows_no_domain_and_no_path(line: str) -> None:
    """RFC 6265bis §4.1.3.2."""
    assert dict(jar_of(line, of=Destination("test", "/", True))) == {}


def test_a_secure_one_is_for_https() -> None:
    jar = jar_of("a=1; Secure", "__Host-b=2; Secure; Path=/", of=Destination("test", "/", True))
    assert sent(jar, is_secure=True) == "a=1; __Host-b=2"
    assert sent(jar) == ""


def test_a_client_of_an_app_at_https_has_them() -> None:
    app = App()
    app.POST("/", lambda req, res, ctx: res.cookie("__Host-session", "s1", secure=True))
    app.GET("/", lambda req, res, ctx: res.json(dict(req.cookies)))
    client = Client(app, base_url="https://shop.example")
    client.post("/")
    assert client.get("/").json == {"__Host-session": "s1"}


def test_it_lives_by_the_clock_of_the_test() -> None:
    clock = Clock()
    jar = jar_of("a=1; Max-Age=60", clock=clock)
    clock.advance(59)
    assert sent(jar) == "a=1"
    clock.advance(1)
    assert (sent(jar), dict(jar)) == ("", {})


def test_expires_is_a_date() -> None:
    clock = Clock(datetime(2015, 10, 21, 7, 27, tzinfo=UTC).timestamp())
    jar = jar_of("a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "b=2; expires=soon", clock=clock)
    assert sent(jar) == "a=1; b=2"
    clock.advance(60)
    assert sent(jar) == "b=2"


def test_max_age_counts_before_expires() -> None:
    """RFC 6265bis §5.7, step 3."""
    assert sent(jar_of("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=1")) == "a=1"
    assert sent(jar_of("a=1; Max-Age=x")) == "a=1"


@pytest.mark.parametrize("attribute", ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_one_in_the_past_deletes(attribute: str) -> None:
    assert dict(jar_of("a=1; Path=/", f"a=; Path=/; {attribute}")) == {}
    assert dict(jar_of(f"a=; {attribute}")) == {}


def test_a_port_and_another_host_line_make_no_difference_of_their_own() -> None:
    client = Client(session_app(), base_url="http://shop.example:8080")
    client.post("/login", headers={"Host": "shop.example:9090"})
    assert client.get("/").json == {"session": "s1"}
    assert client.get("/", headers={"Host": "other"}).json == {}
