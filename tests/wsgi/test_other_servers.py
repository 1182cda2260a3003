"""Beside others: mounted in Flask, and served by the servers of Werkzeug and of the standard library."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead
from typing import Final, Protocol
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import WSGIApplication

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server as make_werkzeug_server
from werkzeug.test import Client

from heaven_core import App, Context, Request, Response
from heaven_wsgi import WSGIAdapter
from tests.wsgi.memory import PATIENCE, until
from tests.wsgi.validated import validated


class Quiet(WSGIRequestHandler):
    def log_request(self, code: object = "-", size: object = "-") -> None:  # type: ignore[explicit-override]  # 3.11
        pass


class Server(Protocol):
    server_port: int

    def serve_forever(self) -> None: ...
    def shutdown(self) -> None: ...
    def server_close(self) -> None: ...


def app_of(notes: list[str]) -> App:
    app = App()

    async def place(req: Request, res: Response, ctx: Context) -> None:
        res.body = f"{req.root_path} {req.path}"
        res.defer(lambda app: notes.append("deferred"))

    async def items() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b"two"
        finally:
            notes.append("closed")

    def stream(req: Request, res: Response, ctx: Context) -> None:
        res.stream(items())

    def shrinks(req: Request, res: Response, ctx: Context) -> None:
        res.stream([b"short"], length=100)

    async def take(req: Request, res: Response, ctx: Context) -> None:
        res.body = req.body.upper()

    app.GET("/place/:name", place)
    app.GET("/stream", stream)
    app.GET("/shrinks", shrinks)
    app.POST("/take", take)
    return app


class TestFlask:
    @pytest.fixture
    def notes(self) -> list[str]:
        return []

    @pytest.fixture
    def client(self, notes: list[str]) -> Client:
        flask = Flask("host")

        @flask.get("/")
        def hello() -> str:
            return "Flask's own"

        return Client(DispatcherMiddleware(flask.wsgi_app, {"/api/v1": validated(WSGIAdapter(app_of(notes)))}))

    def test_it_is_mounted_by_the_dispatcher(self, client: Client, notes: list[str]) -> None:
        answer = client.get("/api/v1/place/gr%C3%BCn", buffered=True)  # taken and closed
        assert answer.get_data(as_text=True) == "/api/v1 /place/grün"
        until(lambda: notes, "deferred work")
        assert client.get("/", buffered=True).get_data(as_text=True) == "Flask's own"
        assert client.get("/api/v1/nowhere", buffered=True).status_code == 404

    def test_a_stream_is_closed_with_the_response(self, client: Client, notes: list[str]) -> None:
        answer = client.get("/api/v1/stream")
        assert answer.get_data() == b"onetwo"
        answer.close()
        assert notes == ["closed"]

    def test_an_upload_arrives(self, client: Client) -> None:
        assert client.post("/api/v1/take", data=b"abc", buffered=True).get_data() == b"ABC"


def wsgiref_server(application: WSGIApplication) -> Server:
    return make_server("127.0.0.1", 0, validated(application), handler_class=Quiet)


def werkzeug_server(application: WSGIApplication) -> Server:
    """Not validated: it gives the client's port as a number."""
    server: Server = make_werkzeug_server("127.0.0.1", 0, application, threaded=True)
    return server


@contextmanager
def serving(server: Server) -> Generator[HTTPConnection]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE)
    try:
        yield connection
    finally:
        connection.close()
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


SERVERS: Final = pytest.mark.parametrize("make", [wsgiref_server, werkzeug_server])


class Make(Protocol):
    def __call__(self, application: WSGIApplication) -> Server: ...


@SERVERS
def test_small_responses_streams_and_uploads(make: Make) -> None:
    notes: list[str] = []
    with serving(make(WSGIAdapter(app_of(notes)))) as connection:
        connection.request("GET", "/place/gr%C3%BCn")
        assert connection.getresponse().read().decode() == " /place/grün"
        connection.request("GET", "/stream")
        assert connection.getresponse().read() == b"onetwo"
        connection.request("POST", "/take", b"abc")
        assert connection.getresponse().read() == b"ABC"
        connection.request("HEAD", "/stream")
        answer = connection.getresponse()
        assert (answer.status, answer.read(), answer.getheader("content-length")) == (200, b"", None)
        until(lambda: "deferred" in notes, "deferred work")


def test_werkzeugs_server_does_not_go_on_behind_chunks_that_are_none() -> None:
    """What follows them is no request."""
    with serving(werkzeug_server(WSGIAdapter(app_of([])))) as connection:
        connection.putrequest("POST", "/take")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(b"zz\r\nGET /stream HTTP/1.1\r\nHost: test\r\n\r\n")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("connection")) == (400, "close")


@SERVERS
def test_what_breaks_off_does_not_look_whole(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(make(WSGIAdapter(app_of([])))) as connection:
        connection.request("GET", "/shrinks")
        answer = connection.getresponse()
        with pytest.raises(IncompleteRead):
            answer.read()
    assert "BrokenOff" in capfd.readouterr().err or make is werkzeug_server
