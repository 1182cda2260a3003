"""What a handler reads of a WSGI environ: PEP 3333, "environ Variables", and SPEC 2."""

from __future__ import annotations

import pytest

from heaven_core import App, Context, Request, Response
from heaven_wsgi import WSGIAdapter
from heaven_wsgi.environ import EnvironFields
from tests.wsgi.memory import Call, adapter_of, environ_of


def read(environ: dict[str, object], *routes: str, lax: bool = False) -> Request[object]:
    """The request that a handler gets."""
    seen: list[Request[object]] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        seen.append(req)

    app = App()
    for route in routes or ("/", "/*"):
        app.GET(route, handler)
    assert Call(WSGIAdapter(app), environ, lax=lax).run().status == 200
    return seen[0]


def test_it_is_the_requests_own() -> None:
    """uWSGI uses the dict again for the next request, and a router that mounts puts its part of the path back."""
    environ = environ_of(headers=[("Cookie", "who=alice")], script_name="/app", path="/users")
    request = read(environ)
    environ.clear()
    assert request.cookies == {"who": "alice"}
    assert request.url == "http://test/app/users"


class TestPath:
    def test_it_is_utf_8_though_the_text_has_a_character_for_each_byte(self) -> None:
        native = "/grüß dich".encode().decode("latin-1")
        assert read(environ_of(path=native)).path == "/grüß dich"

    def test_what_is_no_utf_8_is_a_replacement_character(self) -> None:
        assert read(environ_of(path="/\xff")).path == "/\ufffd"

    def test_a_slash_that_was_encoded_is_a_slash(self) -> None:
        """The server has decoded it, once."""
        request = read(environ_of(path="/a/b", more={"REQUEST_URI": "/a%2Fb"}))
        assert (request.path, request.raw_path) == ("/a/b", b"/a%2Fb")

    def test_an_app_that_is_mounted_sees_what_comes_after_script_name(self) -> None:
        request = read(environ_of(path="/users", script_name="/m\xc3\xbc"))
        assert (request.root_path, request.path) == ("/mü", "/users")
        assert request.raw_path == b"/m%C3%BC/users"

    def test_an_empty_path_is_the_root(self) -> None:
        assert read(environ_of(path="", script_name="/app"), "/").path == "/"

    def test_a_missing_path_and_query_are_empty(self) -> None:
        """PEP 3333: either may be absent."""
        environ = environ_of(script_name="/app")
        del environ["PATH_INFO"], environ["QUERY_STRING"]
        request = read(environ, "/", lax=True)
        assert (request.path, request.query_string) == ("/", b"")

    @pytest.mark.parametrize(
        ("name", "target", "raw"),
        [
            pytest.param("RAW_URI", "/a%20b?q=1", b"/a%20b", id="gunicorn"),
            pytest.param("REQUEST_URI", "/a%20b?q=1", b"/a%20b", id="uwsgi"),
            pytest.param("REQUEST_URI", "http://test/a%20b", b"/a%20b", id="absolute-form"),
            pytest.param("HTTP_X", "", b"/a%20b", id="unknown"),
        ],
    )
    def test_the_raw_path_is_the_clients_where_the_server_tells(self, name: str, target: str, raw: bytes) -> None:
        assert read(environ_of(path="/a b", more={name: target})).raw_path == raw

    @pytest.mark.parametrize("path", ["http://example.com/a b", "HTTP://example.com:80/a b"])
    def test_that_of_a_target_in_absolute_form_is_what_comes_after_the_host(self, path: str) -> None:
        """RFC 9112 §3.2.2. So uWSGI passes it on."""
        assert read(environ_of(path=path), lax=True).path == "/a b"

    @pytest.mark.parametrize("path", ["/to/http://example.com/a", "/http://"])
    def test_a_url_in_it_stays_there(self, path: str) -> None:
        assert read(environ_of(path=path)).path == path

    def test_what_is_no_url_either_is_no_path_that_a_route_has(self) -> None:
        assert Call(adapter_of(lambda req, res, ctx: None), environ_of(path="http:///a"), lax=True).run().status == 404


class TestFields:
    @pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI"])
    def test_the_host_in_the_target_takes_the_place_of_host(self, name: str) -> None:
        """RFC 9112 §3.2.2."""
        request = read(environ_of(path="/a", more={name: "http://example.com:8080/a?b=http://other"}))
        assert (request.host, request.headers.get_all("Host")) == ("example.com:8080", ["example.com:8080"])
        assert request.url == "http://example.com:8080/a"

    @pytest.mark.parametrize("target", ["/a?b=http://other/", "http:///a", "test://"])
    def test_without_a_host_in_the_target_host_counts(self, target: str) -> None:
        request = read(environ_of(path="/a", more={"RAW_URI": target}))
        assert request.url == "http://test/a"

    def test_names_are_lower_case_and_have_their_hyphens(self) -> None:
        request = read(environ_of(headers=[("X-Requested-With", "a"), ("Accept", "b")], more={"CONTENT_TYPE": "c/d"}))
        assert request.headers["x-requested-with"] == "a"
        assert request.headers["Accept"] == "b"
        assert request.headers["content-type"] == "c/d"
        assert request.host == "test"

    def test_values_are_bytes_in_latin_1(self) -> None:
        request = read(environ_of(headers=[("Last-Event-Id", "gr\xc3\xbcn")]))
        assert request.last_event_id == "grün"

    def test_cookies_that_the_server_has_joined_are_read(self) -> None:
        assert read(environ_of(headers=[("Cookie", "a=1; b=2")])).cookies == {"a": "1", "b": "2"}

    def test_nobody_forges_the_length_by_an_underscore(self) -> None:
        """`Content_Length` is another field, of which CGI's names can't tell."""
        request = read(environ_of(headers=[("Content-Length", "9"), ("Content-Type", "forged/type")]), lax=True)
        assert "content-length" not in request.headers
        assert "content-type" not in request.headers

    def test_they_are_a_sequence(self) -> None:
        fields = EnvironFields(environ_of(headers=[("Accept", "b")]))
        assert len(fields) == 2
        assert fields[0] == (b"host", b"test")
        assert fields[1:] == [(b"accept", b"b")]
        assert list(fields) == [*fields]


class TestOrigin:
    def test_scheme_version_and_addresses(self) -> None:
        request = read(environ_of(more={"wsgi.url_scheme": "https", "SERVER_PROTOCOL": "HTTP/1.0"}))
        assert (request.scheme, request.http_version) == ("https", "1.0")
        assert request.server == ("127.0.0.1", 8000)
        assert request.client == ("192.0.2.7", 40000)
        assert request.url == "https://test/"

    def test_a_protocol_that_says_no_version(self) -> None:
        """CGI's INCLUDED, for one."""
        assert read(environ_of(more={"SERVER_PROTOCOL": "INCLUDED"})).http_version == "1.1"

    def test_on_a_unix_socket_there_is_no_client(self) -> None:
        request = read(environ_of(more={"REMOTE_ADDR": "", "SERVER_PORT": ""}))
        assert request.client is None
        assert request.server == ("127.0.0.1", None)

    def test_a_server_may_leave_out_the_port_of_the_client(self) -> None:
        """uWSGI does."""
        environ = environ_of()
        del environ["REMOTE_PORT"]
        assert read(environ).client == ("192.0.2.7", 0)

    def test_a_server_may_give_it_as_a_number(self) -> None:
        """Werkzeug's does, against PEP 3333."""
        assert read(environ_of(more={"REMOTE_PORT": 40000}), lax=True).client == ("192.0.2.7", 40000)

    def test_the_query(self) -> None:
        request = read(environ_of(query="q=gr%C3%BCn+x&q=2"))
        assert request.query.get_all("q") == ["grün x", "2"]
