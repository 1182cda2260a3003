"""What the client of the tests sends: a request as a server would hand it on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, TypedDict, TypeGuard, final
from urllib.parse import unquote, urlsplit

from heaven_core.errors import ClientDisconnected
from heaven_core.http.headers import Field
from heaven_core.http.json_codec import encode_json
from heaven_core.message.request import Request
from heaven_core.testing.cookie_jar import CookieJar, Destination

__all__ = ["HeaderLines", "Outgoing", "RequestOptions", "Site"]

HeaderLines: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""Header lines, as a mapping, or as pairs where a name comes more than once."""


class RequestOptions(TypedDict, total=False):
    """What each method of the client takes by name.

    - `json`: the body, as `encode_json` writes it, with its Content-Type;
    - `headers`: further lines; a Cookie among them takes the place of what the jar has;
    - `leave_after`: the client goes away when so many events have been performed, wherever a stream waits then;
    - `leave_in_upload`: it goes when it has sent the body;
    - `shut_down_after`: the server ends when so many events have been performed, and with it a stream of events;
    - `patience`: when a stream waits, the clock goes on by so many seconds, its heartbeats are sent, and the client
      leaves it.
    """

    json: object
    headers: HeaderLines | None
    leave_after: int | None
    leave_in_upload: bool
    shut_down_after: int | None
    patience: float | None


@final
class Site:
    """Where the client finds the app: `https://shop.example:8443`. Raises `ValueError` for what is no origin."""

    __slots__ = ("host", "name", "scheme")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError(f"base_url= is a scheme and a host, such as https://shop.example, not {url!r}")
        self.scheme: Final = parts.scheme
        self.host: Final = parts.netloc
        self.name: Final = parts.hostname


@final
class Outgoing:
    """One request of the client. Raises `TypeError` for a body and `json=`, and for JSON that can't be written."""

    __slots__ = ("destination", "request")

    def __init__(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes],
        options: RequestOptions,
        site: Site,
        jar: CookieJar,
    ) -> None:
        leaves = options.get("leave_in_upload", False)
        lines = _lines_of(options.get("headers"))
        if "json" in options:
            if body != b"":
                raise TypeError("a request has a body or json=, not both")
            body = encode_json(options["json"])
        pieces = ([body] if body else []) if isinstance(body, bytes) else list(body)
        names = {name for name, _ in lines}
        if b"host" not in names:
            lines.insert(0, (b"host", site.host.encode("ascii")))
        if "json" in options and b"content-type" not in names:
            lines.append((b"content-type", b"application/json"))
        if pieces and isinstance(body, bytes):
            lines.append((b"content-length", b"%d" % (len(body) + leaves)))
        path, _, query = target.partition("?")
        host = next(value for name, value in lines if name == b"host")
        self.destination: Final = Destination(_without_port(host), path, site.scheme == "https")
        cookies = jar.line_for(self.destination)
        if cookies and b"cookie" not in names:
            lines.append((b"cookie", cookies.encode("latin-1")))
        self.request: Final[Request[object]] = Request(
            method,
            unquote(path, errors="replace"),
            query_string=query.encode("ascii"),
            fields=lines,
            reader=_Upload(pieces, leaves) if pieces or leaves else None,
            origin={"raw_path": path.encode("ascii"), "scheme": site.scheme},
        )


def _lines_of(headers: HeaderLines | None) -> list[Field]:
    lines: Iterable[tuple[str, str]] = ()
    if _is_mapping(headers):
        lines = headers.items()
    elif _is_pairs(headers):
        lines = headers
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in lines]


def _is_mapping(headers: HeaderLines | None) -> TypeGuard[Mapping[str, str]]:
    return isinstance(headers, Mapping)


def _is_pairs(headers: HeaderLines | None) -> TypeGuard[Iterable[tuple[str, str]]]:
    return headers is not None


def _without_port(host: bytes) -> str:
    return urlsplit("//" + host.decode("latin-1")).hostname or ""


@final
class _Upload:
    """The request's body, piece by piece; then its end, or the client's."""

    __slots__ = ("_leaves", "_pieces")

    def __init__(self, pieces: list[bytes], leaves: bool) -> None:
        self._pieces: Final = pieces
        self._leaves: Final = leaves

    async def read(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._leaves:
            raise ClientDisconnected("the client of the test has left in the middle of its upload")
        return b""
