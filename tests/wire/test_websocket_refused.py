"""There is no WebSocket here, and who asks for one is told so."""

from __future__ import annotations

from tests.table.kit import Ask
from tests.wire.conftest import Serve
from tests.wire.raw import Raw, fetch, write_request
from tests.wire.servers import SOCKET_KINDS, Kind

HANDSHAKE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


def test_a_handshake_is_refused_as_http(serve: Serve, kind: Kind) -> None:
    """RFC 6455 §4.2.2: a server that does not want to answers with an HTTP status, 403 with ASGI's close.

    RFC 9110 §7.8: a server of HTTP that knows no other protocol ignores the field.
    """
    server = serve("everything")
    said_before = len(server.output)
    with Raw(server.port) as raw:
        raw.send(write_request("GET", "/text", HANDSHAKE))
        answer = raw.read_answer()
    assert answer.status == (200 if kind in SOCKET_KINDS else 403)
    assert fetch(server.port, Ask(), "/text").status == 200
    assert "Traceback" not in server.output[said_before:]
