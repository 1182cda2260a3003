"""Content-Disposition (RFC 6266): the name under which a client may save a body.

Such names come from users, so this is the one place where an input is repaired and not refused.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import combining, normalize
from urllib.parse import quote

from heaven_core._checks import check_str

__all__ = ["content_disposition"]

_LONGEST: Final = 255
_LONGEST_EXTENSION: Final = 32
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")
# What every client reads alike inside a quoted-string. Some unescape a backslash and some don't, and some
# decode %XX there (RFC 6266 Appendix D), so a name with one of those, or with a quote, is not plain.
_PLAIN: Final = re.compile(r"[ !#$&-\[\]-~]*")
_NOT_PLAIN: Final = re.compile(r'["%\\/]')
_ATTR_CHAR: Final = "!#$&+-.^_`|~"  # RFC 8187 §3.2.1, beside letters and digits


def content_disposition(filename: str | None, *, inline: bool = False) -> str:
    """The value of Content-Disposition: `attachment`, or `inline`, with `filename` if there is one.

    A plain ASCII name stands in `filename=` alone. Any other stands exactly in `filename*=` (RFC 8187), after
    a `filename=` for old clients: accents removed, every other non-ASCII character, quote, backslash and
    percent sign a `_`. In both a `/` becomes `_` and control characters are dropped; a lone surrogate, which
    UTF-8 can't write, becomes U+FFFD; of a name that is longer than 255 characters the end of the stem is cut off. A
    name of which nothing is left counts as none.

    Raises `TypeError` if `filename` is neither `str` nor `None`.
    """
    kind = "inline" if inline else "attachment"
    if filename is None:
        return kind
    name = _CONTROLS.sub("", check_str("a file name", filename)).replace("/", "_")
    name = _cut(_SURROGATES.sub("\ufffd", name))
    if not name:
        return kind
    if _PLAIN.fullmatch(name) is not None:
        return f'{kind}; filename="{name}"'
    # The fallback comes first: clients that don't know `filename*` take the first one (RFC 6266 Appendix D).
    return f"{kind}; filename=\"{_fallback(name)}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


def _cut(name: str) -> str:
    """At most 255 characters, the extension among them: no file system takes more, and normalising is not linear."""
    if len(name) <= _LONGEST:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > _LONGEST_EXTENSION:
        return name[:_LONGEST]
    return stem[: _LONGEST - len(dot + extension)] + dot + extension


def _fallback(name: str) -> str:
    # Composed first, so that what a reader sees as one character becomes one `_`, not one for each of its
    # parts.
    text = "".join(map(_ascii, normalize("NFC", name)))
    return _NOT_PLAIN.sub("_", text) or "_"  # after normalising: U+FF0F becomes a slash only there


def _ascii(character: str) -> str:
    """`character` without its accents if ASCII is left, else `_`; nothing for an accent that stands alone."""
    if character.isascii():
        return character
    bare = "".join(part for part in normalize("NFKD", character) if not combining(part))
    return bare if bare.isascii() else "_"
