"""Requests that a server must not act on, and the status of each: what RFC 9112 names, and what smugglers try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

__all__ = ["BAD_BODIES", "BAD_HEADS", "SMUGGLING", "Bad"]


@final
@dataclass(frozen=True, slots=True)
class Bad:
    """`data` is all that the client sends; `status` what it gets."""

    name: str
    data: bytes
    status: int = 400


def _head(first: bytes = b"GET / HTTP/1.1", *lines: bytes, host: bytes | None = b"Host: test") -> bytes:
    return b"\r\n".join([first, *([] if host is None else [host]), *lines, b"", b""])


def _chunked(body: bytes) -> bytes:
    return _head(b"POST /take HTTP/1.1", b"Transfer-Encoding: chunked") + body


BAD_HEADS: Final = (
    # The request line (RFC 9112 §3).
    Bad("no-version", _head(b"GET /")),
    Bad("only-a-method", _head(b"GET")),
    Bad("two-blanks", _head(b"GET  / HTTP/1.1")),
    Bad("blank-in-the-target", _head(b"GET /a b HTTP/1.1")),
    Bad("tab-in-the-request-line", _head(b"GET\t/ HTTP/1.1")),
    Bad("blank-after-the-version", _head(b"GET / HTTP/1.1 ")),
    Bad("blank-before-the-method", _head(b" GET / HTTP/1.1")),
    Bad("method-that-is-no-token", _head(b"G(T / HTTP/1.1")),
    Bad("lower-case-version", _head(b"GET / http/1.1")),
    Bad("version-without-a-dot", _head(b"GET / HTTP/11")),
    Bad("version-of-two-digits", _head(b"GET / HTTP/1.10")),
    Bad("bare-cr-in-the-request-line", _head(b"GET /\rX HTTP/1.1")),
    Bad("nul-in-the-target", _head(b"GET /\0 HTTP/1.1")),
    Bad("beyond-ascii-in-the-target", _head("GET /ä HTTP/1.1".encode())),
    Bad("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    Bad("http-2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Bad("http-3", _head(b"GET / HTTP/3.0"), 505),
    Bad("http-0", _head(b"GET / HTTP/0.9"), 505),
    # The target (§3.2): one of four forms.
    Bad("target-without-a-slash", _head(b"GET index.html HTTP/1.1")),
    Bad("target-with-a-fragment", _head(b"GET /#top HTTP/1.1")),
    Bad("asterisk-for-get", _head(b"GET * HTTP/1.1")),
    Bad("authority-for-get", _head(b"GET test:80 HTTP/1.1")),
    Bad("url-without-a-host", _head(b"GET http:///x HTTP/1.1")),
    Bad("path-for-connect", _head(b"CONNECT / HTTP/1.1")),
    Bad("over-long-target", _head(b"GET /" + b"x" * 20_000 + b" HTTP/1.1"), 414),
    Bad("target-without-an-end", b"GET /" + b"x" * 20_000, 414),
    # Host (§3.2, RFC 9110 §7.2).
    Bad("no-host", _head(host=None)),
    Bad("two-hosts", _head(b"GET / HTTP/1.1", b"Host: test")),
    Bad("two-equal-hosts-in-one", _head(host=b"Host: test, test")),
    Bad("empty-host", _head(host=b"Host:")),
    Bad("blank-host", _head(host=b"Host:   ")),
    Bad("host-with-a-blank", _head(host=b"Host: a b")),
    Bad("host-with-userinfo", _head(host=b"Host: user@test")),
    Bad("host-with-a-path", _head(host=b"Host: test/path")),
    Bad("host-with-a-query", _head(host=b"Host: test?x")),
    Bad("host-with-a-bad-port", _head(host=b"Host: test:80x")),
    Bad("host-with-too-high-a-port", _head(host=b"Host: test:65536")),
    Bad("host-with-an-open-bracket", _head(host=b"Host: [::1")),
    Bad("userinfo-in-the-target", _head(b"GET http://user@test/ HTTP/1.1")),
    # Fields (§5).
    Bad("blank-before-the-colon", _head(b"GET / HTTP/1.1", b"X-A : b")),
    Bad("no-colon", _head(b"GET / HTTP/1.1", b"X-A")),
    Bad("empty-name", _head(b"GET / HTTP/1.1", b": b")),
    Bad("name-that-is-no-token", _head(b"GET / HTTP/1.1", b"X(A: b")),
    Bad("name-beyond-ascii", _head(b"GET / HTTP/1.1", "X-ä: b".encode())),
    Bad("nul-in-a-value", _head(b"GET / HTTP/1.1", b"X-A: b\0c")),
    Bad("control-character-in-a-value", _head(b"GET / HTTP/1.1", b"X-A: b\x01c")),
    Bad("delete-in-a-value", _head(b"GET / HTTP/1.1", b"X-A: b\x7fc")),
    Bad("bare-cr-in-a-value", _head(b"GET / HTTP/1.1", b"X-A: b\rc")),
    Bad("folded-field", _head(b"GET / HTTP/1.1", b"X-A: b", b" c")),
    Bad("first-field-is-folded", b"GET / HTTP/1.1\r\n Host: test\r\n\r\n"),
    Bad("too-many-fields", _head(b"GET / HTTP/1.1", *[b"X-%d: y" % number for number in range(200)]), 431),
    Bad("over-long-head", _head(b"GET / HTTP/1.1", b"X-A: " + b"y" * 70_000), 431),
    Bad("head-without-an-end", b"GET / HTTP/1.1\r\nX-A: " + b"y" * 70_000, 431),
    Bad("nothing-but-empty-lines", b"\r\n" * 200),
    # How long the body is (§6).
    Bad("length-that-is-no-number", _head(b"POST /take HTTP/1.1", b"Content-Length: three")),
    Bad("negative-length", _head(b"POST /take HTTP/1.1", b"Content-Length: -1")),
    Bad("length-with-a-plus", _head(b"POST /take HTTP/1.1", b"Content-Length: +3")),
    Bad("length-in-hexadecimal", _head(b"POST /take HTTP/1.1", b"Content-Length: 0x3")),
    Bad("empty-length", _head(b"POST /take HTTP/1.1", b"Content-Length:")),
    Bad("length-beyond-64-bits", _head(b"POST /take HTTP/1.1", b"Content-Length: " + b"9" * 30)),
    Bad("two-lengths", _head(b"POST /take HTTP/1.1", b"Content-Length: 3", b"Content-Length: 4")),
    Bad("two-lengths-in-one", _head(b"POST /take HTTP/1.1", b"Content-Length: 3, 4")),
)

# Ways to have two servers read one request differently.
SMUGGLING: Final = (
    Bad("cl.te", _head(b"POST / HTTP/1.1", b"Content-Length: 6", b"Transfer-Encoding: chunked") + b"0\r\n\r\nG"),
    Bad("te.cl", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", b"Content-Length: 4") + b"5c\r\nG"),
    Bad("te-twice", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 501),
    Bad("te-unknown", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: xchunked"), 501),
    Bad("te-identity", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: identity"), 501),
    Bad("te-chunked-not-last", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, gzip"), 501),
    Bad("te-chunked-twice", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, chunked"), 501),
    Bad("te-quoted", _head(b"POST / HTTP/1.1", b'Transfer-Encoding: "chunked"'), 501),
    Bad("te-with-a-parameter", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked;q=1"), 501),
    Bad("te-with-a-vertical-tab", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: \x0bchunked")),
    Bad("te-blank-before-the-colon", _head(b"POST / HTTP/1.1", b"Transfer-Encoding : chunked")),
    Bad("te-with-a-bare-cr", _head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked\r")),
    Bad("te-behind-a-bare-cr", _head(b"POST / HTTP/1.1", b"X: y\rTransfer-Encoding: chunked")),
    Bad(
        "te-with-a-blank-name",
        _head(b"POST / HTTP/1.1", b" Transfer-Encoding: chunked", b"Content-Length: 4", host=None),
    ),
    Bad("te-in-http-1.0", _head(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked")),
    Bad("te-in-http-1.0-with-a-length", _head(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked", b"Content-Length: 3")),
    Bad("cl-twice", _head(b"POST / HTTP/1.1", b"Content-Length: 0", b"Content-Length: 44")),
    Bad("cl-list", _head(b"POST / HTTP/1.1", b"Content-Length: 0, 44")),
    Bad("cl-with-a-blank-inside", _head(b"POST / HTTP/1.1", b"Content-Length: 4 4")),
    Bad("cl-folded", _head(b"POST / HTTP/1.1", b"Content-Length: 4", b" 4")),
    Bad("cl-blank-before-the-colon", _head(b"POST / HTTP/1.1", b"Content-Length : 44")),
    Bad("cl-behind-a-nul", _head(b"POST / HTTP/1.1", b"\0Content-Length: 44")),
    Bad("cl-in-octal-looking-digits-beyond-ascii", _head(b"POST / HTTP/1.1", "Content-Length: ４".encode())),
)

# After a head that is as it should be. The first is short of `_chunked`'s end.
BAD_BODIES: Final = (
    Bad("no-size", _chunked(b"\r\nabc\r\n0\r\n\r\n")),
    Bad("size-that-is-no-number", _chunked(b"xyz\r\nabc\r\n0\r\n\r\n")),
    Bad("size-with-0x", _chunked(b"0x3\r\nabc\r\n0\r\n\r\n")),
    Bad("size-with-a-sign", _chunked(b"+3\r\nabc\r\n0\r\n\r\n")),
    Bad("negative-size", _chunked(b"-3\r\nabc\r\n0\r\n\r\n")),
    Bad("size-with-an-underscore", _chunked(b"1_0\r\nabc\r\n0\r\n\r\n")),
    Bad("blank-before-the-size", _chunked(b" 3\r\nabc\r\n0\r\n\r\n")),
    Bad("size-of-17-digits", _chunked(b"00000000000000003\r\nabc\r\n0\r\n\r\n")),
    Bad("size-that-overflows-64-bits", _chunked(b"fffffffffffffffff\r\nabc")),
    Bad("size-ended-by-a-bare-lf", _chunked(b"3\nabc\r\n0\r\n\r\n")),
    Bad("size-ended-by-a-bare-cr", _chunked(b"3\rabc\r\n0\r\n\r\n")),
    Bad("data-longer-than-its-size", _chunked(b"3\r\nabcd\r\n0\r\n\r\n")),
    Bad("data-ended-by-a-bare-lf", _chunked(b"3\r\nabc\n0\r\n\r\n")),
    Bad("extension-with-a-control-character", _chunked(b"3;a=\x01\r\nabc\r\n0\r\n\r\n")),
    Bad("extension-with-a-line-break", _chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n")),
    Bad("endless-extension", _chunked(b"3;" + b"a" * 10_000)),
    Bad("extensions-without-end", _chunked((b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 20)),
    Bad("trailer-that-is-no-field", _chunked(b"3\r\nabc\r\n0\r\nX\r\n\r\n")),
    Bad("trailer-with-a-blank-name", _chunked(b"3\r\nabc\r\n0\r\nX : y\r\n\r\n")),
    Bad("trailer-with-a-bare-lf", _chunked(b"3\r\nabc\r\n0\r\nX: y\n\r\n")),
    Bad("trailer-without-end", _chunked(b"3\r\nabc\r\n0\r\nX: " + b"y" * 70_000), 431),
)
