"""Cross-origin requests, by the WHATWG's Fetch Standard (§3.2, "CORS protocol")."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from heaven_core._checks import check_str
from heaven_core.http.grammar import TOKEN
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response

__all__ = ["CorsHook", "cors"]

CorsHook: TypeAlias = Callable[[Request[object], Response, Context], None]

# As browsers write it (RFC 6454 §6.2): lower case, no path, and no port that is the scheme's own.
_ORIGIN: Final = re.compile(r"([a-z][0-9a-z+.-]*)://(?:\[[0-9a-f:.]+\]|[0-9a-z._~-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def cors(  # noqa: C901  # half of it is the hook that it returns
    *,
    origins: Sequence[str] | Literal["*"],
    methods: Sequence[str] | Literal["*"] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
    headers: Sequence[str] | Literal["*"] = (),
    expose: Sequence[str] | Literal["*"] = (),
    credentials: bool = False,
    max_age: int | None = None,
) -> CorsHook:
    """Make a before-hook that lets pages of other origins use the app.

    `app.before("*", cors(origins=["https://example.com"]))`.

    - `origins`: the exact origins, as in "https://example.com", or "*" for every page on the web;
    - `methods`, `headers`: what a page may send, beside what it always may; "*" does not include Authorization;
    - `expose`: the response fields that a page may read, beside the few that it always may;
    - `credentials`: whether the browser sends cookies along and shows the response;
    - `max_age`: for how many seconds the browser may remember the response to a preflight.

    A preflight is answered here, with 204: no route and no later hook sees it. What is not allowed gets no
    Access-Control field, and the browser then keeps it from the page. Raises `TypeError` and `ValueError`.
    """
    allowed = None if _is_any(origins) else frozenset([_origin(origin) for origin in _names("origins", origins)])
    preflight: list[tuple[str, str]] = []
    if credentials:
        for name, value in (
            ("origins", origins),
            ("methods", methods),
            ("headers", headers),
            ("expose", expose),
        ):
            if _is_any(value):
                raise ValueError(f'{name}="*" can\'t go with credentials=True: name each (Fetch Standard §3.2.5)')
    for method in _tokens("methods", methods):
        if method != method.upper():
            raise ValueError(f"methods= holds {method!r}, but methods are case-sensitive: write {method.upper()!r}")
    exposed = ", ".join(_tokens("expose", expose))
    _add(preflight, "Access-Control-Allow-Methods", _tokens("methods", methods))
    _add(preflight, "Access-Control-Allow-Headers", _tokens("headers", headers))
    if max_age is not None:
        preflight.append(("Access-Control-Max-Age", _seconds(max_age)))

    def hook(req: Request[object], res: Response, ctx: Context) -> None:
        """Set what lets the page read this response; a preflight is answered here."""
        out = res.headers
        if allowed is not None:
            # Also where the origin is refused or absent: a cache must not give this response to an allowed one.
            out.add("Vary", "Origin")
        given = req.headers.get_all("origin")
        if allowed is None:
            granted = "*"
        else:
            granted = given[0] if len(given) == 1 and given[0] in allowed else ""
        is_preflight = req.method == "OPTIONS"
        if is_preflight:
            out.add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
            is_preflight = bool(given) and "access-control-request-method" in req.headers
        if granted:
            out.set("Access-Control-Allow-Origin", granted)
            if credentials:
                out.set("Access-Control-Allow-Credentials", "true")
            if is_preflight:
                for name, value in preflight:
                    out.set(name, value)
            elif exposed:
                out.add("Access-Control-Expose-Headers", exposed)
        if is_preflight:
            res.status = 204
            res.abort()

    return hook


def _is_any(value: Sequence[str]) -> bool:
    return value == "*" or list(value) == ["*"]


def _names(argument: str, value: Sequence[str]) -> list[str]:
    if isinstance(value, str):
        raise TypeError(f'{argument}= takes a sequence of texts or "*", not one text: write [{value!r}]')
    return [check_str(f"a text in {argument}=", text) for text in value]


def _tokens(argument: str, value: Sequence[str]) -> list[str]:
    if _is_any(value):
        return ["*"]
    names = _names(argument, value)
    for name in names:
        if TOKEN.fullmatch(name) is None or name == "*":
            raise ValueError(f'{argument}= holds {name!r}, which is no name; "*" stands alone')
    return names


def _origin(origin: str) -> str:
    found = _ORIGIN.fullmatch(origin)
    if found is not None and found[2] is not None and found[2] == _DEFAULT_PORTS.get(found[1]):
        found = None
    if found is None:
        raise ValueError(
            f"{origin!r} is no origin as a browser sends it, such as 'https://example.com' or "
            "'http://localhost:8080': scheme and host in lower case, no path, no slash at the end, no default port; "
            'never "null", and "*" stands alone'
        )
    return origin


def _seconds(max_age: int) -> str:
    if type(max_age) is not int:
        raise TypeError(f"max_age= is a number of seconds, an int, not {type(max_age).__name__}: {max_age!r}")
    if max_age < 0:
        raise ValueError(f"max_age= is a number of seconds, 0 or more: {max_age}")
    return str(max_age)


def _add(lines: list[tuple[str, str]], name: str, members: list[str]) -> None:
    if members:
        lines.append((name, ", ".join(members)))
