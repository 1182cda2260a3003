"""The head of a request, as whoever has read it hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from heaven_core.http.headers import Fields

__all__ = ["RemoteProtocolError", "RequestHead", "keeps_alive"]


@final
class RemoteProtocolError(Exception):
    """The client broke a rule, or passed a limit: it gets `status`, and nothing more can be read of its connection."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status: Final = status


@final
@dataclass(slots=True)
class RequestHead:
    """The head of a request that may be acted on.

    - `method` and `target` as they were sent;
    - `path` and `query`, still percent-encoded, and without the `?`; the path is `*` for the asterisk-form, and for
      CONNECT;
    - `fields`: names in lower case, in order; Host is that of a target in absolute-form (RFC 9112 §3.2.2);
    - `http_version`: "1.1" or "1.0";
    - `length`: bytes of the body, `None` where it comes in chunks;
    - `keep_alive`: whether the client would go on with this connection (RFC 9112 §9.3);
    - `expects`: whether it waits for a 100 before it sends the body (RFC 9110 §10.1.1).
    """

    method: Final[str]
    target: Final[bytes]
    path: Final[bytes]
    query: Final[bytes]
    fields: Final[Fields]
    http_version: Final[str]
    length: Final[int | None]
    keep_alive: Final[bool]
    expects: Final[bool]


def keeps_alive(fields: Fields, http_version: str) -> bool:
    """Whether a client that sent these fields goes on with its connection (RFC 9112 §9.3)."""
    options = {
        option.strip().lower()
        for name, value in fields
        if name == b"connection"
        for option in value.split(b",")
    }  # fmt: skip
    if b"close" in options:
        return False
    return http_version == "1.1" or b"keep-alive" in options
