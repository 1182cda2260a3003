"""SPEC 1, "Refuse early": bad input is an exception at the line that sets it, a 500 with nothing of it on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final

from heaven_core import Context, Request, Response
from tests.table.kit import Handler, Table, buffered, failure

__all__ = ["REFUSALS"]

REFUSALS: Final = Table()

# Loosely typed on purpose: it is what a program does that nobody type-checks.
Untyped = Callable[..., object]


def _call(method: object, *given: object, **named: object) -> None:
    assert callable(method)
    method(*given, **named)


def _set(res: Response, attribute: str, value: object) -> None:
    setattr(res, attribute, value)


BAD: Final[dict[str, tuple[type[Exception], Callable[[Response], None]]]] = {
    "status-below-200": (ValueError, lambda res: _set(res, "status", 103)),
    "status-above-599": (ValueError, lambda res: _set(res, "status", 600)),
    "status-no-number": (ValueError, lambda res: _set(res, "status", "200")),
    "status-a-bool": (ValueError, lambda res: _set(res, "status", True)),
    "body-a-number": (TypeError, lambda res: _set(res, "body", 3)),
    "body-a-tuple": (TypeError, lambda res: _set(res, "body", ("a", 1))),
    "body-an-object": (TypeError, lambda res: _set(res, "body", object())),
    "body-a-generator": (TypeError, lambda res: _set(res, "body", (str(n) for n in range(3)))),
    "body-a-path": (TypeError, lambda res: _set(res, "body", PurePosixPath("/etc/hosts"))),
    "markup-no-text": (TypeError, lambda res: _call(res.html, b"<p>")),
    "header-name-with-a-blank": (ValueError, lambda res: _set(res, "headers", ("X Secret", "1"))),
    "header-name-with-a-colon": (ValueError, lambda res: _set(res, "headers", ("X-Secret:", "1"))),
    "header-name-with-a-line-break": (ValueError, lambda res: _set(res, "headers", ("X-Secret\r\nX-B", "1"))),
    "header-name-empty": (ValueError, lambda res: _set(res, "headers", ("", "secret"))),
    "header-value-with-a-line-break": (ValueError, lambda res: _set(res, "headers", ("X-A", "1\r\nX-Secret: 1"))),
    "header-value-with-nul": (ValueError, lambda res: _set(res, "headers", ("X-A", "secret\0"))),
    "header-value-with-a-blank-at-the-end": (ValueError, lambda res: _set(res, "headers", ("X-A", "secret "))),
    "header-value-beyond-ascii": (ValueError, lambda res: _set(res, "headers", ("X-A", "sécret"))),
    "header-value-a-bool": (TypeError, lambda res: _set(res, "headers", ("X-Secret", True))),
    "header-value-bytes": (TypeError, lambda res: _set(res, "headers", ("X-Secret", b"1"))),
    "header-no-pair": (TypeError, lambda res: _set(res, "headers", "X-Secret: 1")),
    "date": (ValueError, lambda res: _set(res, "headers", ("Date", "Thu, 01 Jan 2026 00:00:00 GMT"))),
    "server": (ValueError, lambda res: _set(res, "headers", ("Server", "secret"))),
    "transfer-encoding": (ValueError, lambda res: _set(res, "headers", ("Transfer-Encoding", "chunked"))),
    "connection": (ValueError, lambda res: _set(res, "headers", ("Connection", "close"))),
    "content-length-no-number": (ValueError, lambda res: _set(res, "headers", ("Content-Length", "+4"))),
    "redirect-with-a-control-character": (ValueError, lambda res: res.redirect("/a\r\nX-Secret: 1")),
    "redirect-status": (ValueError, lambda res: res.redirect("/secret", 200)),
    "redirect-no-text": (TypeError, lambda res: _call(res.redirect, b"/secret")),
    "file-path-no-text": (TypeError, lambda res: _call(res.file, 3)),
    "file-path-bytes": (TypeError, lambda res: _call(res.file, b"/etc/hosts")),
    "file-within-no-text": (TypeError, lambda res: _call(res.file, "hosts", within=3)),
    "stream-of-text": (TypeError, lambda res: _call(res.stream, "secret")),
    "stream-of-a-function": (TypeError, lambda res: _call(res.stream, print)),
    "stream-length": (ValueError, lambda res: res.stream([b"secret"], length=-1)),
    "stream-heartbeat": (ValueError, lambda res: res.stream([b"secret"], sse=True, heartbeat=0)),
    "defer-no-function": (TypeError, lambda res: _call(res.defer, "secret")),
    "defer-when": (ValueError, lambda res: _call(res.defer, print, "sometimes")),
    "cookie-name": (ValueError, lambda res: res.cookie("se cret", "1")),
    "cookie-value": (ValueError, lambda res: res.cookie("secret", "a;b")),
    "cookie-path": (ValueError, lambda res: res.cookie("secret", "1", path="/;Secure")),
    "cookie-domain": (ValueError, lambda res: res.cookie("secret", "1", domain="a\r\nb")),
    "cookie-samesite-none-without-secure": (ValueError, lambda res: res.cookie("secret", "1", samesite="None")),
    "cookie-partitioned-without-secure": (ValueError, lambda res: res.cookie("secret", "1", partitioned=True)),
    "cookie-host-prefix-without-secure": (ValueError, lambda res: res.cookie("__Host-secret", "1")),
    "cookie-naive-date": (ValueError, lambda res: res.cookie("secret", "1", expires=datetime(2026, 1, 1))),
    "cookie-too-large": (ValueError, lambda res: res.cookie("secret", "x" * 4097)),
    "abort-body": (TypeError, lambda res: _call(res.abort, object())),
}


def _uncaught(offend: Callable[[Response], None]) -> Handler:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Handler", "secret"
        res.cookie("secret", "1")
        res.body = "secret"
        offend(res)

    return handler


def _caught(offend: Callable[[Response], None], kind: type[Exception]) -> Handler:
    async def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = "untouched"
        try:
            offend(res)
        except kind as error:
            res.headers = "X-Refused", type(error).__name__

    return handler


for _name, (_kind, _offend) in BAD.items():
    REFUSALS.put(f"refused-{_name}", _uncaught(_offend), failure(), errors=(_kind,), shows="A 500, and nothing leaks.")
    REFUSALS.put(
        f"caught-{_name}",
        _caught(_offend, _kind),
        buffered(b"untouched", "text/plain; charset=utf-8", ("x-refused", _kind.__name__)),
        shows="Nothing is left half set.",
    )
