"""The table of scenarios on every server: the same status, the same end-to-end fields, the same body."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Final

import httpx
import pytest

from heaven_core.http.headers import Field
from tests.scenarios import SCENARIOS
from tests.table.kit import Answer, Scenario
from tests.wire.conftest import Serve, served_by
from tests.wire.raw import fetch
from tests.wire.runs import Run
from tests.wire.servers import EVERY_KIND, PATIENCE, SOCKET_KINDS, UWSGI, UWSGI_THREADS, WSGI_KINDS, Kind

pytestmark = served_by(*EVERY_KIND)

BY_NAME: Final = [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS]

REFUSED: Final = "refused by the server: the app is not asked"
# RFC 9110 §7.8: Upgrade goes with a 426, and belongs to the connection, so that PEP 3333 has the server write it.
HOP_BY_HOP: Final = "no field of the connection"
# RFC 9110 §5.5 allows it in a value, PEP 3333 does not.
TAB: Final = "a blank in place of a tab"
LAST_CHUNK: Final = "the server ends what has no body with a last chunk, and closes the connection"
CLOSING: Final = "the server delimits what has no length by closing: nobody can tell that it broke off"
TIDIED: Final = "the server tidies up the path"

CUT_WITHOUT_LENGTH: Final = [
    scenario.name
    for scenario in SCENARIOS
    if not scenario.answer.whole and b"content-length" not in dict(scenario.answer.fields)
]

# What a server does by itself, whatever the app says: (server, scenario) -> why.
DIFFERENCES: Final[dict[tuple[str, str], str]] = {
    ("uvicorn-httptools", "unknown-method"): REFUSED,  # its parser knows the methods that IANA has registered
    **{(kind.name, "upgrade-with-426"): HOP_BY_HOP for kind in WSGI_KINDS},
    **{(kind.name, "odd-values"): TAB for kind in WSGI_KINDS},
    ("waitress", "async-stream-head"): LAST_CHUNK,
    ("waitress", "events-head"): LAST_CHUNK,
    **{(kind.name, name): CLOSING for kind in (UWSGI, UWSGI_THREADS) for name in CUT_WITHOUT_LENGTH},
    **{(kind.name, "route-rest"): TIDIED for kind in (UWSGI, UWSGI_THREADS)},
}


def is_for(kind: Kind, scenario: Scenario) -> bool:
    """An app is mounted by a router, of which our own server has none."""
    return not (scenario.ask.mounted and kind in SOCKET_KINDS)


def adapted(expected: Answer, difference: str) -> Answer:
    """The answer that a server makes of the expected one."""
    fields = expected.fields
    if difference == HOP_BY_HOP:
        fields = [line for line in fields if line[0] != b"upgrade"]
    elif difference == TAB:
        fields = [(name, value.replace(b"\t", b" ")) for name, value in fields]
    elif difference == TIDIED:
        tidied = expected.body.replace(b"a//b/../c/", b"a//c/")
        fields = [(n, b"%d" % len(tidied) if n == b"content-length" else value) for n, value in fields]
        return replace(expected, fields=fields, body=tidied)
    return replace(expected, fields=fields, whole=expected.whole or difference == CLOSING)


def by_name(fields: list[Field]) -> dict[bytes, list[bytes]]:
    """The order of lines with the same name counts, that of others does not (RFC 9110 §5.3)."""
    lines: dict[bytes, list[bytes]] = defaultdict(list)
    for name, value in fields:
        lines[name].append(value)
    return dict(lines)


@pytest.mark.parametrize("scenario", BY_NAME)
def test_raw(scenario: Scenario, serve: Serve, kind: Kind) -> None:
    """With "Connection: close", so that what comes until the end is the whole answer and nothing else."""
    if not is_for(kind, scenario):
        return
    server = serve("everything")
    run = Run(server)
    difference = DIFFERENCES.get((kind.name, scenario.name), "")
    trailing = b"0\r\n\r\n" if difference == LAST_CHUNK else b""
    answer = fetch(server.port, scenario.ask, scenario.path, run.headers, trailing=trailing)
    if difference == REFUSED:
        assert answer.status == 400
        return
    expected = adapted(scenario.answer, difference)
    assert answer.status == expected.status
    assert by_name(answer.fields) == by_name(expected.fields)
    assert answer.body == expected.body
    assert answer.whole == expected.whole
    run.wait_for(f"{scenario.outcome} {expected.status}", list(scenario.notes))


def test_httpx_on_one_connection(serve: Serve, kind: Kind) -> None:
    """All of them one after the other: after whatever there was, the connection is in step, or a new one works."""
    server = serve("everything")
    asked = 0
    fields = {"Host": "test", "Accept-Encoding": ""}  # httpx would ask for codings that no row names
    if kind in (UWSGI, UWSGI_THREADS):
        fields["Connection"] = "close"  # they close it after each response, and don't say so
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=fields, timeout=PATIENCE) as client:
        for scenario in SCENARIOS:
            ask = scenario.ask
            target = ("/mounted" if ask.mounted else "") + scenario.path + ask.target
            request = client.build_request(ask.method, target, headers=dict(ask.headers), content=ask.body or None)
            if request.url.raw_path != target.encode() or (kind.name, scenario.name) in DIFFERENCES:
                continue  # httpx has tidied up the path
            if not is_for(kind, scenario):
                continue
            expected = scenario.answer
            body = b""
            whole = True
            response = client.send(request, stream=True)
            try:
                for piece in response.iter_raw():  # not decoded: a Content-Encoding here is but a field
                    body += piece
            except httpx.RemoteProtocolError:
                whole = False
            finally:
                response.close()
            assert (response.status_code, body, whole) == (expected.status, expected.body, expected.whole), target
            asked += 1
    assert asked > len(SCENARIOS) * 0.9
