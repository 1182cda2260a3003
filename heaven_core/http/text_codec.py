"""Text as bytes, and bytes as text: which charsets the library knows."""

from __future__ import annotations

from codecs import getincrementalencoder
from typing import Final, final

from heaven_core.errors import BadRequest

__all__ = ["TextEncoder", "decode_text", "describe_surrogate", "encode_text"]

# A list of our own, not whatever Python has a codec for: those include punycode and idna, which take quadratic time,
# and escapes and other things that are no charset.
_CHARSETS: Final = frozenset(
    {
        "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le",
        "utf-32be", "latin1", "iso-8859-1", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5",
        "iso-8859-6", "iso-8859-7", "iso-8859-8", "iso-8859-9", "iso-8859-10", "iso-8859-11",
        "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso-8859-16", "windows-874", "windows-1250",
        "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256",
        "windows-1257", "windows-1258", "ibm866", "koi8-r", "koi8-u", "macintosh", "tis-620", "shift_jis",
        "windows-31j", "euc-jp", "iso-2022-jp", "euc-kr", "gb2312", "gbk", "gb18030", "big5", "big5-hkscs",
    }
)  # fmt: skip

_PYTHON_NAMES: Final = {"windows-874": "cp874", "windows-31j": "cp932"}


def decode_text(data: bytes, charset: str) -> str:
    """`data` as text. Raises `BadRequest` for a charset that is unknown and for text that is not of its charset."""
    name = charset.lower()
    if name not in _CHARSETS:
        raise BadRequest(f"the charset {charset!r} of the body is unknown")
    try:
        return data.decode(_PYTHON_NAMES.get(name, name))
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is no text in {name}: {error.reason} at byte {error.start}") from None


def encode_text(value: str) -> bytes:
    """`value` in UTF-8. Raises `TypeError` for a lone surrogate, which no UTF-8 can carry (RFC 3629 §3)."""
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise TypeError(describe_surrogate("the text", value, error.start)) from None


@final
class TextEncoder:
    """Encodes the texts of one body in `charset`, one after the other: only the first has a byte order mark.

    Raises `ValueError` for a charset that Python has no codec for.
    """

    __slots__ = ("_encoder", "charset")

    def __init__(self, charset: str) -> None:
        name = _PYTHON_NAMES.get(charset.lower(), charset)
        try:
            "".encode(name)  # which knows of a codec whether it is one for text
            self._encoder: Final = getincrementalencoder(name)()
        except LookupError:
            raise ValueError(
                f"the charset {charset!r} of Content-Type is unknown, so that no text can be encoded in it: "
                "name another one, or set bytes"
            ) from None
        self.charset: Final = charset

    def encode(self, text: str) -> bytes:
        """`text` as bytes. Raises `TypeError` for a character that the charset does not have."""
        try:
            return self._encoder.encode(text, final=True)  # final: each text leaves ISO-2022-JP as it has found it
        except UnicodeEncodeError as error:
            raise TypeError(
                f"the text has {text[error.start]!r} at index {error.start}, "
                f"which the charset {self.charset!r} of its Content-Type can't carry"
            ) from None


def describe_surrogate(what: str, text: str, index: int) -> str:
    """What is said of a lone surrogate at `index` of a text that is called `what`."""
    return (
        f"{what} has the lone surrogate U+{ord(text[index]):04X} at index {index}, which UTF-8 can't carry; "
        'text.encode("utf-8", "replace") puts ? in its place'
    )
