"""The cookies of a client: what answers have set, and what is sent back (RFC 6265bis §5.7 and §5.8)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Final, final

from heaven_core._typing import override
from heaven_core.http.cookies import set_cookie
from heaven_core.http.dates import parse_http_date
from heaven_core.testing.clock import Clock

__all__ = ["CookieJar", "Destination"]

_SECONDS: Final = re.compile(r"-?[0-9]+")
_ADDRESS: Final = re.compile(r"[0-9.]+|.*:.*")  # of IPv4 or IPv6: the end of one is no domain


@final
@dataclass(slots=True)
class Destination:
    """Where a request goes: the host in lower case without its port, the path as it is sent, and whether by https."""

    host: Final[str]
    path: Final[str]
    is_secure: Final[bool]


@final
class _Cookie:
    __slots__ = ("domain", "expires", "is_host_only", "is_secure", "name", "path", "value")

    def __init__(
        self, name: str, value: str, domain: str, path: str, is_host_only: bool, is_secure: bool, expires: float
    ) -> None:
        self.name: Final = name
        self.value: Final = value
        self.domain: Final = domain
        self.path: Final = path
        self.is_host_only: Final = is_host_only
        self.is_secure: Final = is_secure
        self.expires: Final = expires

    def is_for(self, to: Destination) -> bool:
        return (
            (to.host == self.domain if self.is_host_only else _is_within(to.host, self.domain))
            and _is_below(to.path, self.path)
            and (to.is_secure or not self.is_secure)
        )


@final
class CookieJar(MutableMapping[str, str]):
    """The cookies of a client by name; of equal names the one with the longest path.

    A test may look at them, set one for all paths of the client's host, and delete one. They live by the test's clock.
    As the requests of a test come from the site itself, SameSite holds none of them back.
    """

    __slots__ = ("_clock", "_cookies", "_host")

    def __init__(self, host: str, clock: Clock) -> None:
        self._host: Final = host
        self._clock: Final = clock
        self._cookies: Final[dict[tuple[str, str, str], _Cookie]] = {}

    @override
    def __getitem__(self, name: str) -> str:
        """The cookie's value. Raises `KeyError`."""
        for cookie in self._alive():
            if cookie.name == name:
                return cookie.value
        raise KeyError(name)

    @override
    def __setitem__(self, name: str, value: str) -> None:
        """Set a cookie of the client's host. Raises `ValueError` for what no server could set."""
        set_cookie(name, value, secure=True)
        self._cookies[name, self._host, "/"] = _Cookie(name, value, self._host, "/", True, False, math.inf)

    @override
    def __delitem__(self, name: str) -> None:
        """Forget all cookies of this name. Raises `KeyError` where there is none."""
        found = [key for key, cookie in self._cookies.items() if cookie.name == name]
        if not found:
            raise KeyError(name)
        for key in found:
            del self._cookies[key]

    @override
    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter({cookie.name: None for cookie in self._alive()})

    @override
    def __len__(self) -> int:
        """How many names there are."""
        return len({cookie.name for cookie in self._alive()})

    @override
    def __repr__(self) -> str:
        return f"CookieJar({dict(self)!r})"

    def line_for(self, to: Destination) -> str:
        """What a request to there has in Cookie, empty if there is nothing; the longest path comes first (§5.8.3)."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._alive() if cookie.is_for(to))

    def receive(self, lines: Iterable[str], of: Destination) -> None:
        """Keep what the Set-Cookie lines of an answer set, but for what a browser would not."""
        for line in lines:
            cookie = self._parse(line, of)
            if cookie is not None:
                key = cookie.name, cookie.domain, cookie.path
                if cookie.expires > self._clock.now:
                    self._cookies[key] = cookie
                else:
                    self._cookies.pop(key, None)

    def _alive(self) -> list[_Cookie]:
        alive = [cookie for cookie in self._cookies.values() if cookie.expires > self._clock.now]
        return sorted(alive, key=_length_of_path, reverse=True)

    def _parse(self, line: str, of: Destination) -> _Cookie | None:
        pair, *rest = line.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            return None
        given = {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in rest)}
        domain = given.get("domain", "").removeprefix(".").lower()
        is_secure = "secure" in given
        prefix = name.lower()
        if (
            (domain and not _is_within(of.host, domain))
            or (is_secure and not of.is_secure)
            or (prefix.startswith(("__secure-", "__host-")) and not is_secure)
            or (prefix.startswith("__host-") and (domain or given.get("path") != "/"))
        ):
            return None
        path = given.get("path", "")
        if not path.startswith("/"):
            path = of.path[: of.path.rfind("/")] or "/"
        return _Cookie(name, value, domain or of.host, path, not domain, is_secure, self._end_of(given))

    def _end_of(self, given: dict[str, str]) -> float:
        """When the cookie expires: Max-Age counts before Expires, and what can't be read does not count."""
        max_age = given.get("max-age", "")
        if _SECONDS.fullmatch(max_age) is not None:
            return self._clock.now + float(max_age) if float(max_age) > 0 else -math.inf
        expires = parse_http_date(given.get("expires", ""), self._clock.now)
        return math.inf if expires is None else expires


def _length_of_path(cookie: _Cookie) -> int:
    return len(cookie.path)


def _is_within(host: str, domain: str) -> bool:
    return host == domain or (host.endswith("." + domain) and _ADDRESS.fullmatch(host) is None)


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith(above if above.endswith("/") else above + "/")
