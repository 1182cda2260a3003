"""The head of a response as `start_response` takes it: native strings, each character a byte (PEP 3333)."""

from __future__ import annotations

from typing import Final

from heaven_core import Field
from heaven_core.http.reason_phrases import REASON_PHRASES

__all__ = ["STATUS_LINES", "native_fields"]

# `200 OK`, by status. PEP 3333 wants a phrase, also for a status that nobody has named.
STATUS_LINES: Final = {status: f"{status} {REASON_PHRASES.get(status, 'Unknown')}" for status in range(200, 600)}

# PEP 3333 has these written by the server alone, to which the connection belongs; waitress answers by a 500 for them.
# The core has refused most of them before: the Upgrade of a 426 is left, and what belongs to proxies.
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailers",
        b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip

# Lines that come again and again are decoded once: three of them cost 0.2 µs in place of 0.5 (benchmarks/wsgi.py). They
# are those of fields with few values, and none that anybody could call his own.
_REPEATED: Final = frozenset(
    {b"content-type", b"content-length", b"x-content-type-options", b"cache-control", b"vary", b"accept-ranges"}
)
_MOST_KNOWN: Final = 1024
_known: Final[dict[Field, tuple[str, str]]] = {}


def native_fields(fields: list[Field]) -> list[tuple[str, str]]:
    """The header lines as text, without those of the connection.

    A tab in a value is a blank: HTTP allows either there (RFC 9110 §5.5), PEP 3333 no control character.
    """
    lines: list[tuple[str, str]] = []
    for field in fields:
        line = _known.get(field)
        if line is not None:
            lines.append(line)
        elif field[0] not in _HOP_BY_HOP:
            lines.append(_decode(field))
    return lines


def _decode(field: Field) -> tuple[str, str]:
    name, value = field
    line = (name.decode("latin-1"), value.decode("latin-1").replace("\t", " "))
    if name in _REPEATED and len(_known) < _MOST_KNOWN:
        _known[field] = line
    return line
