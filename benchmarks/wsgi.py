"""What a small text costs under WSGI, in process: CPU time between the server's call and `close`, as ratios in one run.

    python -m benchmarks.wsgi [--rounds 100] [--requests 200]

Beside it: a bare WSGI callable, Falcon, Flask, and, for what an `async def` handler costs, a bare ASGI callable under
a2wsgi. Each round gives every application the same number of requests, beginning with another one each time; the parts
are medians over the rounds. The CPU time is that of all threads. Nothing is gated.
"""

from __future__ import annotations

import argparse
import gc
import io
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from statistics import median, quantiles
from time import process_time_ns
from typing import Any, TypeAlias

from benchmarks.request_fields import REQUEST_FIELDS
from heaven_core import App, Context, Request, Response
from heaven_wsgi import WSGIAdapter

TEXT = "Hello, World"
TEXT_TYPE = "text/plain; charset=utf-8"

# What a server calls, and what it hands over.
Environ: TypeAlias = dict[str, Any]
Application: TypeAlias = Callable[..., Iterable[bytes]]

ENVIRON = "putting the environ together"
BARE = "bare callable"
A2WSGI = "bare ASGI, by a2wsgi"
DEF = "heaven-core, def"
ASYNC = "heaven-core, async def"


def bare(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
    body = TEXT.encode()
    start_response("200 OK", [("content-type", TEXT_TYPE), ("content-length", str(len(body)))])
    return [body]


def ours() -> dict[str, Application]:
    def text(req: Request, res: Response, ctx: Context) -> None:
        res.body = TEXT

    def typed(req: Request, res: Response, ctx: Context) -> None:
        res.status = 200
        res.headers = "Content-Type", TEXT_TYPE
        res.body = TEXT

    async def text_async(req: Request, res: Response, ctx: Context) -> None:
        res.body = TEXT

    apps: dict[str, Application] = {}
    for name, handler in ((DEF, text), (f"{DEF}, a header", typed), (ASYNC, text_async)):
        app = App()
        app.GET("/hello", handler)
        apps[name] = WSGIAdapter(app)
    return apps


def falcon_app() -> Application:
    import falcon  # noqa: PLC0415  (it may not be installed)

    class Hello:
        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.content_type = TEXT_TYPE
            resp.text = TEXT

    app: Any = falcon.App()
    app.add_route("/hello", Hello())
    made: Application = app
    return made


def flask_app() -> Application:
    import flask  # noqa: PLC0415  (it may not be installed)

    app = flask.Flask("hello")

    @app.get("/hello")
    def hello() -> flask.Response:
        return flask.Response(TEXT, content_type=TEXT_TYPE)

    return app


def a2wsgi_app() -> Application:
    from a2wsgi import ASGIMiddleware  # noqa: PLC0415  (it may not be installed)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = TEXT.encode()
        head = [(b"content-type", TEXT_TYPE.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    made: Application = ASGIMiddleware(app)
    return made


PEERS: dict[str, tuple[str, Callable[[], Application]]] = {
    "Falcon": ("falcon", falcon_app),
    "Flask": ("flask", flask_app),
    A2WSGI: ("a2wsgi", a2wsgi_app),
}

# name -> (what it is compared with, the most that it may cost)
AIMS = {DEF: (BARE, 7.0), ASYNC: (A2WSGI, 0.6)}


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


def report(costs: dict[str, list[float]]) -> None:
    print(f"{'':<28}{'µs':>7}{'x':>9}{'half of the rounds':>20}{'x net':>9}{'x a2wsgi':>10}{'aim':>9}")
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
        if name in AIMS:
            line += f"{'<= ' + format(AIMS[name][1], 'g'):>9}"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a small text costs under WSGI, in process.")
    parser.add_argument("--rounds", type=int, default=100, help="how often everyone has its turn")
    parser.add_argument("--requests", type=int, default=200, help="how many requests a turn has")
    arguments = parser.parse_args()
    apps: dict[str, Application] = {BARE: bare, **ours()}
    for name, (module, make) in PEERS.items():
        if find_spec(module) is None:
            print(f"({name} is not installed, and left out: pip install --group bench)")
        else:
            apps[name] = make()
    for name, app in apps.items():
        answered = ask(app, environ())
        if answered != TEXT.encode():
            raise SystemExit(f"{name} answered {answered!r}")
    print(f"CPU time of one request, {arguments.rounds} rounds of {arguments.requests}")
    report(measure({ENVIRON: None, **apps}, arguments.rounds, arguments.requests))


if __name__ == "__main__":
    main()
