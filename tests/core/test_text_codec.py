"""Text of a request in its charset: RFC 9110 §8.3.2."""

from __future__ import annotations

import pytest

from heaven_core.errors import BadRequest
from heaven_core.http.text_codec import decode_text


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("windows-874", "cp874"),
        ("windows-31j", "cp932"),
        ("Shift_JIS", "shift_jis"),
        ("utf-16", "utf-16"),
        ("macintosh", "mac_roman"),
    ],
)
def test_text_is_decoded(charset: str, codec: str) -> None:
    assert decode_text("abc".encode(codec), charset) == "abc"


@pytest.mark.parametrize("charset", ["", "nothing", "utf-8 ", "utf\0", "../utf-8"])
def test_an_unknown_charset_is_the_clients_mistake(charset: str) -> None:
    with pytest.raises(BadRequest, match="is unknown"):
        decode_text(b"abc", charset)


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "utf-7", "rot13", "zlib", "hex", "mbcs"])
def test_not_every_codec_of_python_is_a_charset(charset: str) -> None:
    """Punycode takes time quadratic in what a client sends, for one."""
    with pytest.raises(BadRequest, match="is unknown"):
        decode_text(b"abc", charset)


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (b"\xff", "utf-8"),
        (b"\xe9", "us-ascii"),
        (b"a", "utf-16"),
        (b"\xed\xa0\x80", "utf-8"),
        (b"\x81", "big5"),
    ],
)
def test_text_that_is_not_of_its_charset_is_the_clients_mistake(data: bytes, charset: str) -> None:
    with pytest.raises(BadRequest, match=f"is no text in {charset}: .* at byte 0"):
        decode_text(data, charset)


@pytest.mark.parametrize(
    "charset",
    [
        *[f"iso-8859-{part}" for part in range(1, 17) if part != 12],
        *[f"windows-125{part}" for part in range(9)],
        "utf8", "us-ascii", "ascii", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be", "latin1", "ibm866",
        "koi8-r", "koi8-u", "tis-620", "euc-jp", "iso-2022-jp", "euc-kr", "gb2312", "gbk", "gb18030", "big5",
        "big5-hkscs",
    ],
)  # fmt: skip
def test_a_charset_in_use_on_the_web_is_known(charset: str) -> None:
    """RFC 9110 §8.3.2 leaves the names to IANA's registry."""
    assert decode_text("abc".encode(charset), charset) == "abc"
