"""A target in absolute-form, as a proxy sends it (RFC 9112 §3.2.2): routes and hooks see its path, on every server."""

from __future__ import annotations

import json

import pytest

from tests.wire.conftest import Serve, served_by
from tests.wire.raw import Raw, read_answers
from tests.wire.servers import (
    ASGI_KINDS,
    EVERY_KIND,
    GUNICORN,
    GUNICORN_THREADS,
    HYPERCORN,
    HYPERCORN_TRIO,
    SOCKET_KINDS,
    UVICORN,
    UWSGI,
    UWSGI_THREADS,
    WAITRESS,
)


def request(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


# uWSGI passes it on as PATH_INFO, which the validator round the app refuses: tests/wsgi/test_environ.py has it.
@served_by(*[kind for kind in EVERY_KIND if kind not in (UWSGI, UWSGI_THREADS)])
@pytest.mark.parametrize("target", ["http://example.com/place/a%20b?x=1", "HTTP://example.com:8080/place/a%20b"])
def test_routes_match_its_path(serve: Serve, target: str) -> None:
    with Raw(serve("everything").port) as raw:
        raw.send(request(target))
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.status == 200
    shown = json.loads(answer.text)
    assert (shown["path"], shown["raw_path"]) == ("/place/a b", "/place/a%20b")


# The others take the authority away, and don't say what it was.
@served_by(*SOCKET_KINDS, UVICORN, HYPERCORN, HYPERCORN_TRIO, GUNICORN, GUNICORN_THREADS, WAITRESS)
def test_its_host_takes_the_place_of_host(serve: Serve) -> None:
    with Raw(serve("everything").port) as raw:
        raw.send(request("http://Example.com:8080/place/here"))
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert json.loads(answer.text)["url"] == "http://example.com:8080/place/here"


@served_by(*ASGI_KINDS, *SOCKET_KINDS)
def test_a_url_in_the_path_stays_there(serve: Serve) -> None:
    with Raw(serve("everything").port) as raw:
        raw.send(request("/place/http:%2F%2Fexample.com"))
        [answer] = read_answers(raw.read_until_closed(), ["GET"])
    assert answer.status == 404  # %2F is a slash, and the route has one segment
