"""Cookies (RFC 6265bis): a Set-Cookie line that browsers keep as it was meant, and Cookie lines read back.

A browser drops a cookie that breaks a rule without a word. Here the same rule is an exception at the line
that set it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, final

from heaven_core._checks import check_int, check_str
from heaven_core._typing import override
from heaven_core.errors import MissingValue
from heaven_core.http.dates import format_http_date
from heaven_core.http.grammar import TOKEN

__all__ = ["Cookies", "SameSite", "cookie_identity", "parse_cookies", "set_cookie"]

SameSite: TypeAlias = Literal["Lax", "Strict", "None"]

# RFC 6265bis §4.1.1, cookie-octet: visible ASCII but for the quote, comma, semicolon and backslash.
_VALUE: Final = re.compile(r'(?P<quote>"?)[!#-+\--:<-\[\]-~]*(?P=quote)')
_PATH: Final = re.compile(r"/(?:[ -:<-~]*[!-:<-~])?")  # av-octet; browsers strip a blank at the end
_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_LONGEST: Final = 4096  # bytes of name and value together (§5.7, step 5)
_LONGEST_ATTRIBUTE: Final = 1024  # browsers ignore a longer one (§5.6)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR: Final = 1601  # browsers can't read an earlier one (§5.1.1) and would keep the cookie


def set_cookie(
    name: str,
    value: str,
    *,
    path: str | None = "/",
    domain: str | None = None,
    max_age: int | None = None,
    expires: datetime | None = None,
    secure: bool = False,
    httponly: bool = False,
    samesite: SameSite | None = "Lax",
    partitioned: bool = False,
) -> str:
    """The value of one Set-Cookie field.

    `max_age` is in seconds, 0 or less deletes the cookie; `expires` must be aware and is written in GMT;
    `None` leaves an attribute off (`samesite="None"` is the attribute that lets other sites send the cookie).

    Raises `TypeError` or `ValueError`: a name that is no token, a value outside cookie-octets, name and value
    over 4096 bytes, a path or domain that browsers would ignore or that could forge an attribute, a naive
    `expires`, and `SameSite=None`, `Partitioned`, `__Secure-` and `__Host-` names without the attributes that
    they need.
    """
    name = check_str("a cookie's name", name)
    value = check_str(f"the value of the cookie {name!r}", value)
    site = None if samesite is None else check_str(f"samesite of the cookie {name!r}", samesite)
    _check_name_and_value(name, value)
    _check_needs(name, path, domain, secure, site, partitioned)
    line = f"{name}={value}"
    if expires is not None:
        line += f"; Expires={_expires(name, expires)}"
    if max_age is not None:
        line += f"; Max-Age={check_int(f'max_age of the cookie {name}, in seconds,', max_age)}"
    if domain is not None:
        line += f"; Domain={_domain(name, domain)}"
    if path is not None:
        line += f"; Path={_path(name, path)}"
    if secure:
        line += "; Secure"
    if httponly:
        line += "; HttpOnly"
    if site is not None:
        line += f"; SameSite={site}"
    if partitioned:
        line += "; Partitioned"
    return line


def _check_name_and_value(name: str, value: str) -> None:
    if TOKEN.fullmatch(name) is None:
        raise ValueError(
            f"{name!r} is no cookie name: only letters, digits and !#$%&'*+-.^_`|~ may stand in one "
            "(RFC 6265bis §4.1.1)"
        )
    if _VALUE.fullmatch(value) is None:
        raise ValueError(
            f"the value of the cookie {name} may have no blank, quote, comma, semicolon, backslash, control "
            f"or non-ASCII character (RFC 6265bis §4.1.1); encode it (base64, quote): {value!r}"
        )
    size = len(name) + len(value)
    if size > _LONGEST:
        raise ValueError(
            f"the cookie {name} has {size} bytes of name and value, and browsers drop it above {_LONGEST} "
            "(RFC 6265bis §5.7); keep the data on the server and an id in the cookie"
        )


def _check_needs(
    name: str,
    path: str | None,
    domain: str | None,
    secure: bool,
    samesite: str | None,
    partitioned: bool,
) -> None:
    """What must stand together (RFC 6265bis §4.1.2.7, §4.1.3 and §5.7; CHIPS for Partitioned)."""
    if samesite not in (None, "Lax", "Strict", "None"):
        raise ValueError(
            f'samesite of the cookie {name} must be "Lax", "Strict" or "None", or None to leave it off: {samesite!r}'
        )
    prefix = name.lower()  # browsers compare it without case
    host_only = prefix.startswith("__host-")
    if not secure:
        if samesite == "None":
            raise ValueError(f"browsers drop the cookie {name}: SameSite=None needs secure=True")
        if partitioned:
            raise ValueError(f"browsers drop the cookie {name}: Partitioned needs secure=True")
        if host_only or prefix.startswith("__secure-"):
            raise ValueError(f"browsers drop the cookie {name}: its prefix needs secure=True")
    if host_only and domain is not None:
        raise ValueError(f"browsers drop the cookie {name}: its prefix allows no domain, not even {domain!r}")
    if host_only and path != "/":
        raise ValueError(f'browsers drop the cookie {name}: its prefix needs path="/", not {path!r}')


def _expires(name: str, expires: object) -> str:
    if not isinstance(expires, datetime):
        raise TypeError(
            f"expires of the cookie {name} must be a datetime, not {type(expires).__name__}: {expires!r}; "
            "a number of seconds from now goes into max_age"
        )
    if expires.utcoffset() is None:
        raise ValueError(
            f"expires of the cookie {name} has no time zone, so nobody knows which instant it names; "
            f"add one, such as tzinfo=datetime.UTC: {expires!r}"
        )
    text = format_http_date((expires - _EPOCH).total_seconds())
    if int(text[12:16]) < _FIRST_YEAR:
        raise ValueError(
            f"expires of the cookie {name} lies before {_FIRST_YEAR}, which browsers can't read (RFC 6265bis "
            f"§5.1.1); max_age=0 deletes a cookie: {expires!r}"
        )
    return text


def _domain(name: str, domain: str) -> str:
    domain = check_str(f"the domain of the cookie {name}", domain)
    if _DOMAIN.fullmatch(domain) is None or len(domain) > _LONGEST_ATTRIBUTE:
        raise ValueError(
            f"the domain of the cookie {name} is no host name of letters, digits, dots and hyphens, without "
            f"a port (RFC 6265bis §4.1.1); write a non-ASCII one as its xn-- form: {domain!r}"
        )
    return domain


def _path(name: str, path: str) -> str:
    path = check_str(f"the path of the cookie {name}", path)
    if _PATH.fullmatch(path) is None or len(path) > _LONGEST_ATTRIBUTE:
        raise ValueError(
            f"the path of the cookie {name} must start with a slash, be of at most {_LONGEST_ATTRIBUTE} "
            "ASCII characters, and have no semicolon, control character or blank at its end "
            f"(RFC 6265bis §4.1.1); percent-encode what is not ASCII: {path!r}"
        )
    return path


def cookie_identity(line: str) -> tuple[str, str, str]:
    """(name, domain, path) of a Set-Cookie line: of two with the same three, browsers keep the later one.

    The domain is in lower case and without a leading dot, as browsers store it; an attribute left off is
    `""`.
    """
    pair, *attributes = line.split(";")
    domain = path = ""
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        key = key.strip().lower()
        if key == "domain":
            domain = value.strip().removeprefix(".").lower()
        elif key == "path":
            path = value.strip()
    return pair.partition("=")[0].strip(), domain, path


@final
class Cookies(Mapping[str, str]):
    """The cookies of a request by name, read-only."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values: Final = values

    @override
    def __getitem__(self, name: str) -> str:
        """The cookie's value. Raises `MissingValue`, a `KeyError` that becomes a 400 if nobody catches it."""
        value = self._values.get(name)
        if value is None:
            raise MissingValue(f"the request has no cookie {name}")
        return value

    @override
    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._values)

    @override
    def __len__(self) -> int:
        """How many there are."""
        return len(self._values)

    @override
    def __repr__(self) -> str:
        return f"Cookies({list(self._values)})"  # the values are secrets


def parse_cookies(lines: Iterable[str]) -> Cookies:
    """The cookies of all Cookie lines of a request by name (RFC 6265bis §4.2).

    Of equal names the first counts: browsers send the one with the longest path first (§5.8.3). Quotes around
    a value are removed, nothing is decoded; a piece without `=` or without a name is passed over.
    """
    cookies: dict[str, str] = {}
    for line in lines:
        for piece in line.split(";"):
            name, equals, value = piece.partition("=")
            name = name.strip(" \t")
            if not equals or not name or name in cookies:
                continue
            value = value.strip(" \t")
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            cookies[name] = value
    return Cookies(cookies)
