"""What header lines have of Vary and Set-Cookie, so that one more member or cookie is not held against all of them."""

from __future__ import annotations

from typing import Final, final

from heaven_core.http.cookies import cookie_identity
from heaven_core.http.headers import Field

__all__ = ["FieldIndex"]


@final
class FieldIndex:
    """The members of Vary, in lower case, and the identities of the cookies in a list of lines that grows.

    Each line is looked at once: a thousand cookies take a thousand looks. Call `forget` where lines were taken away or
    replaced in place.
    """

    __slots__ = ("_fields", "_looked_at", "cookies", "vary")

    def __init__(self) -> None:
        self._fields: list[Field] | None = None
        self._looked_at = 0
        self.vary: Final[set[bytes]] = set()
        self.cookies: Final[set[tuple[str, str, str]]] = set()

    def read(self, fields: list[Field]) -> None:
        """Look at the lines that are new."""
        if fields is not self._fields:
            self.forget()
            self._fields = fields
        for name, value in fields[self._looked_at :]:
            if name == b"vary":
                self.vary.update([member.strip().lower() for member in value.split(b",")])
            elif name == b"set-cookie":
                self.cookies.add(cookie_identity(value.decode("latin-1")))
        self._looked_at = len(fields)

    def forget(self) -> None:
        """Look at all lines again the next time."""
        self._fields = None
        self._looked_at = 0
        self.vary.clear()
        self.cookies.clear()
