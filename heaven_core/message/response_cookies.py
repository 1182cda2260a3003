"""The cookies that a handler sets; the rules for them are in `heaven_core.http.cookies`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from heaven_core.http.cookies import cookie_identity, set_cookie
from heaven_core.message.metadata import Metadata

__all__ = ["CookieSetter"]

_SAMESITE: TypeAlias = Literal["Lax", "Strict", "None"]


class CookieSetter(Metadata):
    """The part of `Response` that sets cookies. Raises `ResponseStarted` as all of it does."""

    __slots__ = ()

    def cookie(
        self,
        name: str,
        value: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        max_age: int | None = None,
        expires: datetime | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: _SAMESITE | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Set a cookie (RFC 6265bis §4.1). The same name, domain and path replaces the one set before.

        `max_age` in seconds; `expires` an aware `datetime`. What needs another attribute (`samesite="None"`,
        `partitioned`, the `__Host-` and `__Secure-` prefixes) is refused without it. Raises `TypeError`, `ValueError`.
        """
        self._set_cookie(
            set_cookie(
                name, value, path=path, domain=domain, max_age=max_age, expires=expires, secure=secure,
                httponly=httponly, samesite=samesite, partitioned=partitioned,
            )
        )  # fmt: skip

    def delete_cookie(
        self,
        name: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: _SAMESITE | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Make the client forget a cookie: give `path`, `domain` and the attributes that it was set with."""
        self._set_cookie(
            set_cookie(
                name, "", path=path, domain=domain, max_age=0, secure=secure, httponly=httponly,
                samesite=samesite, partitioned=partitioned,
            )
        )  # fmt: skip

    def _set_cookie(self, line: str) -> None:
        identity = cookie_identity(line)
        headers = self.header_lines()
        others = [other for other in headers.get_all("Set-Cookie") if cookie_identity(other) != identity]
        headers.remove("Set-Cookie")
        for value in (*others, line):
            headers.add("Set-Cookie", value)
