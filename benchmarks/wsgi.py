"""What a small answer costs under WSGI, in process: CPU time from the server's call to `close`, as ratios in one run.

    python -m benchmarks.wsgi [--rounds 100] [--requests 200] [--only text]

Beside it: a bare WSGI callable, Falcon, Flask, and, for what an `async def` handler costs, a bare ASGI callable under
a2wsgi. Each round gives every application the same number of requests, beginning with another one each time; the parts
are medians over the rounds. The CPU time is that of all threads. Nothing is gated.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from statistics import median, quantiles
from time import process_time_ns
from typing import Any, TypeAlias

from benchmarks.asgi_apps import BODIES, DOCUMENT, FRAME, TEXT, TEXT_TYPE, USER, Content, make_app
from benchmarks.asgi_apps import bare as bare_asgi
from benchmarks.request_fields import REQUEST_FIELDS
from heaven_wsgi import WSGIAdapter

# What a server calls, and what it hands over.
Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., object]
Application: TypeAlias = Callable[..., Iterable[bytes]]

ENVIRON = "putting the environ together"
BARE = "bare callable"
A2WSGI = "bare ASGI, by a2wsgi"
DEF = "heaven-core, def"
ASYNC = "heaven-core, async def"
JSON_TYPE = "application/json"

# What each block shows.
JOBS: list[tuple[str, Content, bool]] = [
    ("text", "text", False),
    ("text, two hooks", "text", True),
    ("JSON", "json", False),
    ("JSON, two hooks", "json", True),
]


def bare(content: Content, hooks: bool) -> Application:
    def before(environ: Environ) -> None:
        environ["user"] = USER

    def after(fields: list[tuple[str, str]]) -> None:
        fields.append(FRAME)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if hooks:
            before(environ)
        if content == "json":
            kind, body = JSON_TYPE, json.dumps(DOCUMENT).encode()
        else:
            kind, body = TEXT_TYPE, TEXT.encode()
        fields = [("content-type", kind), ("content-length", str(len(body)))]
        if hooks:
            after(fields)
        start_response("200 OK", fields)
        return [body]

    return app


def falcon_app(content: Content, hooks: bool) -> Application:
    import falcon  # noqa: PLC0415  (it may not be installed)

    class Hello:
        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.status = falcon.HTTP_200
            if content == "json":
                resp.media = DOCUMENT
            else:
                resp.content_type = TEXT_TYPE
                resp.text = TEXT

    class Around:
        def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
            req.context.user = USER

        def process_response(
            self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
        ) -> None:
            resp.set_header(*FRAME)

    app: Any = falcon.App(middleware=[Around()] if hooks else [])
    app.add_route("/hello", Hello())
    made: Application = app
    return made


def flask_app(content: Content, hooks: bool) -> Application:
    import flask  # noqa: PLC0415  (it may not be installed)

    app = flask.Flask("hello")

    def hello() -> flask.Response:
        return flask.jsonify(DOCUMENT) if content == "json" else flask.Response(TEXT, content_type=TEXT_TYPE)

    def before() -> None:
        flask.g.user = USER

    def after(response: flask.Response) -> flask.Response:
        response.headers[FRAME[0]] = FRAME[1]
        return response

    app.add_url_rule("/hello", view_func=hello)
    if hooks:
        app.before_request(before)
        app.after_request(after)
    return app


def a2wsgi_app(content: Content, hooks: bool) -> Application:
    from a2wsgi import ASGIMiddleware  # noqa: PLC0415  (it may not be installed)

    app: Any = bare_asgi(content, "none")
    made: Application = ASGIMiddleware(app)
    return made


PEERS: dict[str, tuple[str, Callable[[Content, bool], Application]]] = {
    "Falcon": ("falcon", falcon_app),
    "Flask": ("flask", flask_app),
    A2WSGI: ("a2wsgi", a2wsgi_app),
}

# name -> (what it is compared with, the most that it may cost), for the text without hooks
AIMS = {DEF: (BARE, 5.0), ASYNC: (A2WSGI, 0.6)}


def contenders(content: Content, hooks: bool) -> dict[str, Application]:
    apps: dict[str, Application] = {
        BARE: bare(content, hooks),
        DEF: WSGIAdapter(make_app(content, "def" if hooks else "none", is_async=False)),
        ASYNC: WSGIAdapter(make_app(content, "async" if hooks else "none", is_async=True)),
    }
    for name, (module, make) in PEERS.items():
        if find_spec(module) is not None and not (hooks and name == A2WSGI):  # whose scope has no state
            apps[name] = make(content, hooks)
    return apps


def environ() -> Environ:
    """What gunicorn hands over; the texts are new objects, as they are there."""
    fields = {f"HTTP_{name.decode().upper().replace('-', '_')}": value.decode() for name, value in REQUEST_FIELDS}
    return {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": "gunicorn",
        "wsgi.input": io.BytesIO(),
        "REQUEST_METHOD": b"GET".decode(),
        "QUERY_STRING": "",
        "RAW_URI": b"/hello".decode(),
        "SERVER_PROTOCOL": b"HTTP/1.1".decode(),
        **fields,
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(51324),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "PATH_INFO": b"/hello".decode(),
        "SCRIPT_NAME": "",
    }


def write(data: bytes) -> None:
    """What PEP 3333 gives to those who can't iterate."""


def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
    """What the server does with it is the same for all, and not counted."""
    return write


def ask(app: Application, asked: Environ) -> bytes:
    answer = app(asked, start_response)
    body = b""
    for piece in answer:
        body += piece
    close = getattr(answer, "close", None)
    if close is not None:
        close()
    return body


def batch(app: Application | None, requests: int) -> float:
    """CPU time of one request in nanoseconds. Without an app, that of putting the environ together alone."""
    asked = [environ() for _ in range(requests)]
    began = process_time_ns()
    if app is None:
        for each in asked:
            _ = {**each}
    else:
        for each in asked:
            ask(app, {**each})
    return (process_time_ns() - began) / requests


def measure(apps: dict[str, Application | None], rounds: int, requests: int) -> dict[str, list[float]]:
    names = list(apps)
    costs: dict[str, list[float]] = {name: [] for name in names}
    for name in names:  # a first time for caches and the specializing interpreter
        batch(apps[name], requests)
    for turn in range(rounds):
        gc.collect()
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            costs[name].append(batch(apps[name], requests))
    return costs


def report(title: str, costs: dict[str, list[float]]) -> None:
    print(f"\n{title:<28}{'µs':>7}{'x':>9}{'half of the rounds':>20}{'x net':>9}{'x a2wsgi':>10}{'aim':>9}")
    environs = costs.pop(ENVIRON)
    for name, values in costs.items():
        ratios = [value / floor for value, floor in zip(values, costs[BARE], strict=True)]
        low, _, high = quantiles(ratios, n=4)
        net = median(
            [(value - own) / (floor - own) for value, floor, own in zip(values, costs[BARE], environs, strict=True)]
        )
        line = f"  {name:<26}{median(values) / 1000:>7.2f}{median(ratios):>9.2f}{low:>10.2f} to {high:>6.2f}{net:>9.2f}"
        if A2WSGI in costs:
            line += f"{median([value / other for value, other in zip(values, costs[A2WSGI], strict=True)]):>10.3f}"
        if name in AIMS and title == "text":
            line += f"{'<= ' + format(AIMS[name][1], 'g'):>9}"
        print(line, flush=True)


def check(name: str, app: Application, content: Content) -> None:
    answered = ask(app, environ())
    given: object = json.loads(answered) if content == "json" else answered.decode()
    if given != BODIES[content]:
        raise SystemExit(f"{name} answered {answered!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What a small answer costs under WSGI, in process.")
    parser.add_argument("--rounds", type=int, default=100, help="how often everyone has its turn")
    parser.add_argument("--requests", type=int, default=200, help="how many requests a turn has")
    parser.add_argument("--only", default="", help="only the blocks whose title has this in it, as in: JSON")
    arguments = parser.parse_args()
    print(f"CPU time of one request, {arguments.rounds} rounds of {arguments.requests}")
    for name, (module, _) in PEERS.items():
        if find_spec(module) is None:
            print(f"({name} is not installed, and left out: pip install --group bench)")
    for title, content, hooks in JOBS:
        if arguments.only in title:
            apps = contenders(content, hooks)
            for name, app in apps.items():
                check(name, app, content)
            report(title, measure({ENVIRON: None, **apps}, arguments.rounds, arguments.requests))


if __name__ == "__main__":
    main()
