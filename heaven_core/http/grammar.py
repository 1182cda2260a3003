"""The syntax that many fields are built from (RFC 9110 §5.6): tokens, quoted strings, lists and parameters."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LIST_ELEMENT", "PARAMETER", "QUOTED_STRING", "TOKEN", "integer_of"]

# RFC 9110 §5.6.2.
TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# RFC 9110 §5.6.4. The group is what stands between the quotes, with its backslashes.
QUOTED_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)

# What stands between two commas (RFC 9110 §5.6.1), or two semicolons (§5.6.6). A separator inside quotes separates
# nothing; a quote that is never closed takes the rest. No alternative begins as another does, so there is nothing to
# go back to.
LIST_ELEMENT: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^",])+', re.DOTALL)

PARAMETER: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^";])+', re.DOTALL)

# int() refuses more digits than sys.set_int_max_str_digits() says, and no program can set that below 640.
_INTEGER: Final = re.compile(r"-?[0-9]{1,640}")


def integer_of(text: str) -> int | None:
    """The number that a client has written in ASCII digits, perhaps with a minus; `None` for any other text.

    `int()` takes blanks, underscores and the digits of all scripts, too.
    """
    return int(text) if _INTEGER.fullmatch(text) is not None else None
