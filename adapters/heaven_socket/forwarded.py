"""What a proxy says of the client behind it, by X-Forwarded-* or Forwarded (RFC 7239), taken from named peers only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias, final

from heaven_core.http.grammar import LIST_ELEMENT
from heaven_core.http.headers import Fields, find_values

__all__ = ["Address", "Proxies"]

Address: TypeAlias = tuple[str, int]
_Network: TypeAlias = IPv4Network | IPv6Network
_TEXT: Final = r'(?:[!#$%&\'*+.^_`|~0-9A-Za-z:\[\]-]+|"[^"\\]*")'
_PAIR: Final = re.compile(rf"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=({_TEXT})")
_ELEMENT: Final = rf"{_PAIR.pattern}(?:[ \t]*;[ \t]*{_PAIR.pattern})*"
_FORWARDED: Final = re.compile(rf"[ \t]*{_ELEMENT}(?:[ \t]*,[ \t]*{_ELEMENT})*[ \t]*")
_SCHEMES: Final = frozenset({"http", "https"})


@final
class Proxies:
    """The peers whose word is taken: addresses and networks, or `"unix"` for whoever connects to a unix socket.

    Of several proxies in a row each has added the address of the one before it. They are read from the last to the
    first, as long as the one who says it is trusted.

    `header` says which one the proxies write, "X-Forwarded-For" or "Forwarded". The other one counts for nothing: a
    proxy passes on what the client has put there.

    Raises `ValueError` for what is no address and no network, and for another header; `TypeError` for a text in the
    place of a list of them.
    """

    __slots__ = ("_networks", "_read", "_unix")

    def __init__(self, trusted: Iterable[str], header: str = "X-Forwarded-For") -> None:
        if isinstance(trusted, str):
            raise TypeError(f"trusted_proxies= must be a list of addresses and networks: [{trusted!r}]")
        reads = {"x-forwarded-for": _x_forwarded, "forwarded": _forwarded}
        if header.lower() not in reads:
            raise ValueError(f"forwarded_header= must be X-Forwarded-For or Forwarded, not {header!r}")
        self._read: Final = reads[header.lower()]
        names = list(trusted)
        self._unix: Final = "unix" in names
        self._networks: Final[list[_Network]] = [ip_network(name) for name in names if name != "unix"]

    @property
    def any(self) -> bool:
        """Whether anybody is trusted at all."""
        return self._unix or bool(self._networks)

    def find_client(self, fields: Fields, client: Address | None, scheme: str) -> tuple[Address | None, str]:
        """The client and the scheme of a request that came from `client` by `scheme`."""
        if not self._trusts(client):
            return client, scheme
        for address, said in reversed(self._read(fields)):
            scheme = said or scheme
            if address is None:
                return client, scheme  # an unknown or a hidden one: the last that is known is who asked
            client = address
            if not self._trusts(client):
                break
        return client, scheme

    def _trusts(self, client: Address | None) -> bool:
        if client is None:
            return self._unix
        found = _address(client[0])
        return found is not None and any(found in network for network in self._networks)


def _forwarded(fields: Fields) -> list[tuple[Address | None, str | None]]:
    """RFC 7239 §4: what each proxy has said, from the first to the last.

    Nothing where it is malformed: a quote that the client has left open would swallow what the proxies have added.
    """
    steps: list[tuple[Address | None, str | None]] = []
    for value in find_values(fields, "forwarded"):
        if _FORWARDED.fullmatch(value) is None:
            return []
        for element in LIST_ELEMENT.findall(value):
            said = {name.lower(): text.strip('"') for name, text in _PAIR.findall(element)}
            if said:
                scheme = said.get("proto", "").lower()
                steps.append((_node(said.get("for", "")), scheme if scheme in _SCHEMES else None))
    return steps


def _x_forwarded(fields: Fields) -> list[tuple[Address | None, str | None]]:
    nodes = [node for value in find_values(fields, "x-forwarded-for") for node in value.split(",")]
    schemes = [text.strip().lower() for value in find_values(fields, "x-forwarded-proto") for text in value.split(",")]
    last = schemes[-1] if schemes and schemes[-1] in _SCHEMES else None
    if not nodes:
        return []
    steps: list[tuple[Address | None, str | None]] = [(_node(node.strip()), None) for node in nodes]
    steps[-1] = (steps[-1][0], last)  # by the proxy that spoke to us
    return steps


def _node(text: str) -> Address | None:
    """RFC 7239 §6: an address, one of IPv6 in brackets, perhaps a port; `None` for "unknown" and for a hidden one."""
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    found = _address(host)
    if found is None:
        return None
    return str(found), int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket for both families says ::ffff:192.0.2.1 for an IPv4 client.
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
