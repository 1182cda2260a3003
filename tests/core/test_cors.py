"""Cross-origin requests, by the WHATWG's Fetch Standard §3.2."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

import pytest

from heaven_core.app.cors import CorsHook, cors
from heaven_core.errors import Abort
from heaven_core.http.headers import Field
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response

ORIGIN = "https://a.example"
PREFLIGHT_VARY = "Access-Control-Request-Method, Access-Control-Request-Headers"


def ask(hook: CorsHook, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[Response, bool]:
    """The response after the hook, and whether it ended there."""
    fields: list[Field] = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    response = Response()
    try:
        hook(Request(method, "/", fields=fields), response, Context())
    except Abort:
        return response, True
    return response, False


def preflight(hook: CorsHook, origin: str = ORIGIN, method: str = "PUT") -> Response:
    response, aborted = ask(hook, "OPTIONS", {"Origin": origin, "Access-Control-Request-Method": method})
    assert aborted
    return response


def fields(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers if name.startswith("access-control-")}


def test_an_allowed_origin_may_read_the_answer() -> None:
    response, aborted = ask(cors(origins=[ORIGIN, "http://b.example:8080"]), headers={"Origin": ORIGIN})
    assert fields(response) == {"access-control-allow-origin": ORIGIN}
    assert response.headers["Vary"] == "Origin"
    assert not aborted
    assert response.status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://b.example",
        "null",
        "http://a.example",
        "https://a.example:443",
        "https://a.example.evil",
        "",
        "*",
    ],
)
def test_any_other_origin_may_not_and_the_answer_still_varies(origin: str) -> None:
    """A cache would otherwise give what a refused origin got to an allowed one."""
    response, aborted = ask(cors(origins=[ORIGIN], credentials=True), headers={"Origin": origin})
    assert fields(response) == {}
    assert response.headers["Vary"] == "Origin"
    assert not aborted


def test_an_answer_without_an_origin_varies_too() -> None:
    response, _ = ask(cors(origins=[ORIGIN]))
    assert fields(response) == {}
    assert response.headers["Vary"] == "Origin"


def test_two_origins_in_one_request_are_none() -> None:
    response = Response()
    lines = [(b"origin", ORIGIN.encode()), (b"origin", b"null")]
    cors(origins=[ORIGIN])(Request("GET", "/", fields=lines), response, Context())
    assert fields(response) == {}


@pytest.mark.parametrize("headers", [{}, {"Origin": ORIGIN}, {"Origin": "null"}])
@pytest.mark.parametrize("origins", ["*", ["*"]])
def test_any_origin_gets_one_answer_that_does_not_vary(origins: list[str], headers: dict[str, str]) -> None:
    response, _ = ask(cors(origins=origins), headers=headers)
    assert fields(response) == {"access-control-allow-origin": "*"}
    assert "Vary" not in response.headers


def test_an_answer_names_the_fields_that_a_page_may_see_beside_the_body() -> None:
    hook = cors(origins=[ORIGIN], expose=["X-Total", "Date"], credentials=True)
    response, _ = ask(hook, headers={"Origin": ORIGIN})
    assert fields(response) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "X-Total, Date",
    }


def test_a_preflight_is_answered_at_once() -> None:
    hook = cors(
        origins=[ORIGIN],
        methods=["GET", "PUT"],
        headers=["X-Token", "Content-Type"],
        expose=["X-Total"],
        credentials=True,
        max_age=600,
    )
    response = preflight(hook)
    assert response.status == 204
    assert response.body is None
    assert fields(response) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "X-Token, Content-Type",
        "access-control-max-age": "600",
    }
    assert ", ".join(response.headers.get_all("Vary")) == f"Origin, {PREFLIGHT_VARY}"


def test_a_preflight_without_further_settings() -> None:
    assert fields(preflight(cors(origins="*"))) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    }
    assert fields(preflight(cors(origins="*", methods=[], max_age=0))) == {
        "access-control-allow-origin": "*",
        "access-control-max-age": "0",
    }


def test_a_preflight_of_a_refused_origin_is_answered_without_a_permission() -> None:
    response = preflight(cors(origins=[ORIGIN], credentials=True, max_age=5), "https://b.example")
    assert response.status == 204
    assert fields(response) == {}
    assert ", ".join(response.headers.get_all("Vary")) == f"Origin, {PREFLIGHT_VARY}"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("OPTIONS", {}),
        ("OPTIONS", {"Origin": ORIGIN}),
        ("OPTIONS", {"Access-Control-Request-Method": "PUT"}),
        ("GET", {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}),
    ],
)
def test_only_options_with_origin_and_method_is_a_preflight(method: str, headers: dict[str, str]) -> None:
    response, aborted = ask(cors(origins=[ORIGIN], expose=["X-Total"]), method, headers)
    assert not aborted
    assert ("access-control-expose-headers" in fields(response)) is ("Origin" in headers)
    varies = ", ".join(response.headers.get_all("Vary"))
    assert varies == (f"Origin, {PREFLIGHT_VARY}" if method == "OPTIONS" else "Origin")


def test_wildcards_without_credentials() -> None:
    hook = cors(origins="*", methods="*", headers="*", expose="*")
    response = preflight(hook)
    assert response.headers["Access-Control-Allow-Methods"] == "*"
    assert response.headers["Access-Control-Allow-Headers"] == "*"
    assert ask(hook)[0].headers["Access-Control-Expose-Headers"] == "*"


def test_no_origin_at_all_refuses_each() -> None:
    assert fields(ask(cors(origins=[]), headers={"Origin": ORIGIN})[0]) == {}


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: cors(origins="*", credentials=True), 'origins="*" can\'t go with credentials=True'),
        (lambda: cors(origins=["*"], credentials=True), 'origins="*" can\'t go with'),
        (lambda: cors(origins=[ORIGIN], methods="*", credentials=True), 'methods="*"'),
        (lambda: cors(origins=[ORIGIN], headers=["*"], credentials=True), 'headers="*"'),
        (lambda: cors(origins=[ORIGIN], expose="*", credentials=True), 'expose="*"'),
        (lambda: cors(origins=[ORIGIN, "*"]), "'*' is no origin"),
        (lambda: cors(origins=["null"]), "'null' is no origin"),
        (lambda: cors(origins=["https://a.example/"]), "no slash at the end"),
        (lambda: cors(origins=["https://a.example/x"]), "no path"),
        (lambda: cors(origins=["https://A.example"]), "in lower case"),
        (lambda: cors(origins=["https://a.example:443"]), "no default port"),
        (lambda: cors(origins=["http://a.example:80"]), "no default port"),
        (lambda: cors(origins=["https://*.example"]), "is no origin"),
        (lambda: cors(origins=["a.example"]), "is no origin"),
        (lambda: cors(origins=["https://a\r\nx"]), "is no origin"),
        (lambda: cors(origins="*", methods=["get"]), "write 'GET'"),
        (lambda: cors(origins="*", methods=["GET", "*"]), '"*" stands alone'),
        (lambda: cors(origins="*", headers=["X Y"]), "'X Y', which is no name"),
        (lambda: cors(origins="*", expose=["X\r\n"]), "which is no name"),
        (lambda: cors(origins="*", max_age=-1), "0 or more: -1"),
    ],
)
def test_a_hook_that_can_never_work_is_refused_when_it_is_made(make: Callable[[], CorsHook], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        make()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: cors(origins=cast(list[str], ORIGIN)), f"write ['{ORIGIN}']"),
        (lambda: cors(origins="*", headers=cast(list[str], "X-Token")), "headers= takes a sequence"),
        (lambda: cors(origins="*", max_age=True), "an int, not bool"),
    ],
)
def test_an_argument_of_another_type_is_refused_at_once(make: Callable[[], CorsHook], complaint: str) -> None:
    with pytest.raises(TypeError, match=re.escape(complaint)):
        make()


@pytest.mark.parametrize(
    "origin",
    ["https://[::1]:8443", "http://localhost:3000", "chrome-extension://abcdef", "https://a.example:80"],
)
def test_an_origin_that_browsers_send_may_be_allowed(origin: str) -> None:
    response, _ = ask(cors(origins=[origin]), headers={"Origin": origin})
    assert response.headers["Access-Control-Allow-Origin"] == origin
