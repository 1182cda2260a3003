"""What a request was sent to: RFC 9110 §7.1, RFC 9112 §3.3."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from heaven_core.errors import BadRequest

__all__ = ["encode_path", "find_host", "make_url"]

# RFC 9110 §7.2, RFC 3986 §3.2.2: a name, an IPv4 address or an IPv6 address in brackets, and a port. Of what a
# registered name may have in theory only what occurs is taken: what is left can stand in a URL, a mail and a page.
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._~-]+)(?::([0-9]{0,5}))?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HIGHEST_PORT: Final = 65535

# RFC 3986 §3.3 and §3.4 beside the unreserved characters, and the % of what is encoded already.
_IN_PATH: Final = "/:@!$&'()*+,;=%"
_IN_QUERY: Final = _IN_PATH + "?"


def find_host(values: list[str], scheme: str, server: tuple[str, int | None] | None) -> str:
    """The host that the client asked for, in lower case, with the port if it gave one.

    `values` are the lines of Host. Without one (HTTP/1.0), or with an empty one, the address of the `server`, whose
    port is left off where it is the scheme's. Raises `BadRequest` for two lines and for what is no host (RFC 9112
    §3.2).
    """
    if len(values) > 1:
        raise BadRequest("the request has more than one Host")
    if values and values[0]:
        host = _parse_host(values[0])
        if host is None:
            raise BadRequest(f"the Host of the request is no host: {values[0]!r}")
        return host
    if server is None:
        return "localhost"
    address, port = server
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        address = f"{address}:{port}"
    return _parse_host(address) or "localhost"  # a unix socket's address is a path


def encode_path(path: str) -> bytes:
    """A decoded path as a client would have sent it, where its own form is not known."""
    return quote(path, _IN_PATH.replace("%", ""), errors="replace").encode("ascii")


def make_url(scheme: str, host: str, raw_path: bytes, query_string: bytes) -> str:
    """The URL that was asked for; what may not stand in one is percent-encoded. `OPTIONS *` has no path."""
    path = "" if raw_path == b"*" else quote(raw_path, _IN_PATH)
    query = "?" + quote(query_string, _IN_QUERY) if query_string else ""
    return f"{scheme}://{host}{path}{query}"


def _parse_host(text: str) -> str | None:
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    host: str = found[1]
    port: str | None = found[2]
    if not port:  # RFC 3986 §3.2.3: a colon without a port says no more than none
        return host.lower()
    return f"{host.lower()}:{port}" if int(port) <= _HIGHEST_PORT else None
