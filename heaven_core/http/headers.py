"""Header fields: checked where they are set, kept as the lines that go on the wire.

A field line is a pair of bytes with its name in lower case, the form that ASGI, HTTP/2 and h11 share. Names are
case-insensitive (RFC 9110 §5.1), so that nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, TypeVar, final, overload

from heaven_core._checks import check_str, exact
from heaven_core._typing import override
from heaven_core.errors import MissingValue
from heaven_core.http.grammar import TOKEN

__all__ = [
    "KNOWN_LINES",
    "KNOWN_OF_A_NAME",
    "Field",
    "Fields",
    "Headers",
    "ReceivedFields",
    "check_name",
    "check_text",
    "check_value",
    "field_name",
    "find_value",
    "find_values",
    "is_single",
    "keep_line",
    "new_vary_members",
    "replace_line",
]

Field = tuple[bytes, bytes]
Fields = Sequence[Field]
# As they may come from a server or a middleware: ASGI has a line be anything that holds two. Compiled code would insist
# on pairs.
ReceivedFields = Sequence[Sequence[bytes]]

D = TypeVar("D")

# RFC 9110 §5.5: visible characters with blanks and tabs between them. Its obs-text is refused: no two recipients
# agree on what bytes beyond ASCII mean.
_VALUE: Final = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")

# A field that can't be a list, or of which only one makes sense: setting it again replaces it.
_SINGLE: Final = frozenset(
    {
        b"content-type", b"content-length", b"content-encoding", b"content-language", b"content-location",
        b"content-range", b"content-disposition", b"location", b"etag", b"last-modified", b"expires", b"age",
        b"retry-after", b"cache-control", b"access-control-allow-origin", b"access-control-allow-credentials",
        b"access-control-max-age", b"strict-transport-security", b"x-frame-options", b"x-content-type-options",
    }
)  # fmt: skip

_FRAMING: Final = "framing belongs to the adapter; set res.close = True to end the connection after this response"
_NOT_FOR_HANDLERS: Final = {
    b"date": "the server writes it (RFC 9110 §6.6.1)",
    b"server": "the server writes it (RFC 9110 §10.2.4): see SocketAdapter(server_name=), or the server's own option",
    b"connection": _FRAMING,
    b"keep-alive": _FRAMING,
    b"proxy-connection": _FRAMING,
    b"te": _FRAMING,
    b"trailer": _FRAMING,
    b"transfer-encoding": _FRAMING,
}

# Most applications set the same few names and values: each distinct one is checked once. Bounded, so that a value
# made for each request (a nonce, an id) can't fill the memory.
_MOST_NAMES: Final = 512
_MOST_VALUES: Final = 1024
_LONGEST_KEPT: Final = 128
_names: Final[dict[str, bytes]] = {}
_values: Final[dict[str, bytes]] = {}

_MOST_LINES: Final = 1024
_MOST_OF_A_NAME: Final = 64  # so that a value made for each request leaves room for others
KNOWN_OF_A_NAME: Final[dict[bytes, int]] = {}
KNOWN_LINES: Final[dict[object, Field]] = {}
"""Pairs of name and value that were checked, as lines: for those who set a pair, a look-up in place of several calls.

Only lines that need nothing but to be added, or put in the place of the one of that name.
"""


def check_name(name: object) -> bytes:
    """The name of a response field as the wire gets it, in lower case.

    Raises `TypeError` if it is no `str`, `ValueError` if it is no token (RFC 9110 §5.1) or not the handler's to set.
    """
    if type(name) is str:
        known = _names.get(name)
        if known is not None:
            return known
    if not isinstance(name, str):
        raise TypeError(f"a header name must be str, not {type(name).__name__}: {name!r}")
    name = exact(name)
    if TOKEN.fullmatch(name) is None:
        raise ValueError(
            f"{name!r} is no header name: only letters, digits and !#$%&'*+-.^_`|~ may stand in one (RFC 9110 §5.1)"
        )
    line_name = name.lower().encode("ascii")
    reason = _NOT_FOR_HANDLERS.get(line_name)
    if reason is not None:
        raise ValueError(f"{name} can't be set by a handler: {reason}")
    if len(_names) < _MOST_NAMES and len(name) <= _LONGEST_KEPT:
        _names[name] = line_name
    return line_name


def check_value(name: object, value: object) -> bytes:
    """The value of field `name` as the wire gets it.

    Raises `TypeError` if it is neither `str` nor `int` (a `bool` is refused: HTTP has no word for it), `ValueError`
    if it has a control character other than an inner tab, a blank at either end, or a character beyond ASCII.
    """
    if type(value) is str:
        known = _values.get(value)
        if known is not None:
            return known
    elif isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    if not isinstance(value, str):
        raise TypeError(
            f"the value of {name} must be str or int, not {type(value).__name__}: {value!r}. "
            "Write out the text that the client is to get"
        )
    value = exact(value)
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value of {name} {_what_is_wrong(value)}: {value!r}")
    line_value = value.encode("ascii")
    if len(_values) < _MOST_VALUES and len(value) <= _LONGEST_KEPT:
        _values[value] = line_value
    return line_value


def keep_line(name: object, value: object, line: Field) -> None:
    """Remember for `KNOWN_LINES` that `name` and `value` make this line, where they are plain texts and short."""
    if (
        type(name) is str
        and type(value) is str
        and len(KNOWN_LINES) < _MOST_LINES
        and len(name) <= _LONGEST_KEPT
        and len(value) <= _LONGEST_KEPT
    ):
        count = KNOWN_OF_A_NAME.get(line[0], 0)
        if count < _MOST_OF_A_NAME:
            KNOWN_OF_A_NAME[line[0]] = count + 1
            KNOWN_LINES[name, value] = line


def check_text(name: str, value: object) -> bytes:
    """As `check_value`, for a field whose value is never a number: an `int` is refused, too."""
    return check_value(name, check_str(f"the value of {name}", value))


def _what_is_wrong(value: str) -> str:
    if not value.isascii():
        return "has a character beyond ASCII; percent-encode it, or use the form of RFC 8187 (name*=UTF-8''...)"
    if value[0] in " \t" or value[-1] in " \t":
        return "begins or ends with a blank, which recipients would strip (RFC 9110 §5.5)"
    return "has a control character, which could end the field and forge another (RFC 9110 §5.5)"


@final
class Headers:
    """A case-insensitive multimap of the header lines that were received, in order. Values are `str`, of ISO 8859-1."""

    __slots__ = ("fields",)

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        self.fields: Final = list(fields)

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: D) -> str | D: ...
    def get(self, name: str, default: object = None) -> object:
        """The value of the first line called `name`, else `default`."""
        value = find_value(self.fields, name)
        return default if value is None else value

    def get_all(self, name: str) -> list[str]:
        """The values of all lines called `name`, in order."""
        return find_values(self.fields, name)

    def __getitem__(self, name: str) -> str:
        """The first value. Raises `MissingValue`, a `KeyError` that becomes a 400 if nobody catches it."""
        value = self.get(name)
        if value is None:
            raise MissingValue(f"the request has no header {name}")
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each line as (name in lower case, value)."""
        lines: ReceivedFields = self.fields
        return iter([(line[0].decode("latin-1"), line[1].decode("latin-1")) for line in lines])

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self.fields)

    @override
    def __repr__(self) -> str:
        return f"Headers({self.fields!r})"


def field_name(name: str) -> bytes:
    """The lower-case form that lines have, of any text: one that is no name is found in no line."""
    return name.lower().encode("latin-1", "replace")


def find_value(fields: ReceivedFields, name: str) -> str | None:
    """The value of the first line called `name`, `None` if there is none."""
    key = field_name(name)
    for line in fields:
        if line[0] == key:
            return line[1].decode("latin-1")
    return None


def find_values(fields: ReceivedFields, name: str) -> list[str]:
    """The values of all lines called `name`, in order."""
    key = field_name(name)
    return [line[1].decode("latin-1") for line in fields if line[0] == key]


def is_single(name: bytes) -> bool:
    """Whether setting this field again replaces it: it can't be a list, or only one of it makes sense."""
    return name in _SINGLE


def replace_line(fields: list[Field], line: Field) -> None:
    """Put `line` in the place of the first of its name, and take the others of that name away."""
    for index, (name, _) in enumerate(fields):
        if name == line[0]:
            fields[index] = line
            fields[index + 1 :] = [other for other in fields[index + 1 :] if other[0] != line[0]]
            return
    fields.append(line)


def new_vary_members(known: AbstractSet[bytes], value: bytes) -> bytes:
    """Of the members of a Vary value those that are not `known`, in lower case (RFC 9110 §12.5.5); none after a `*`."""
    if b"*" in known:
        return b""
    new: dict[bytes, bytes] = {}
    for member in value.split(b","):
        name = member.strip()
        if name and name.lower() not in known:
            new.setdefault(name.lower(), name)
    return b", ".join(new.values())
