"""A fast lane for plain heads, which are nearly all.

h11 judges what HTTP/1.1 is, but takes some 17 µs for a head of one field and 34 for one of ten (benchmarks/heads.py);
this takes a tenth of that. It reads only what leaves nothing to be judged: a target in origin-form, visible ASCII, one
Host that is a plain name, no Expect, no Upgrade, no Transfer-Encoding, at most one Content-Length. All else, and
whatever is wrong, it leaves to h11 with the same bytes. tests/socket/test_fast_lane.py has both read the same heads:
what this accepts, h11 accepts, with equal results.
"""

from __future__ import annotations

import re
from typing import Final, final

from heaven_core import Field
from heaven_socket.head import RequestHead, keeps_alive
from heaven_socket.limits import Limits

__all__ = ["read_plain_head"]

# Possessive, so that what does not match fails in one pass, whatever is in it.
_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,24}+) (/[!\"$-~]*+) HTTP/1\.([01])")
_BLOCK: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~]*+\r\n)++\r\n")
_FIELD: Final = re.compile(rb"([^:]++):[ \t]*+([\t -~]*+)\r\n")
# A name or an IPv4 address; h11's side looks closer at all others.
_PLAIN_HOST: Final = re.compile(rb"[0-9A-Za-z._~-]++(?::[1-5]?[0-9]{1,4}+)?+")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}+")
_NOT_PLAIN: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})
_METHODS: Final = {method.encode(): method for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}

# A client that asks again sends the same lines: what they say is looked up, for a third of what reading them takes
# (benchmarks/heads.py). Bounded in number and size; emptied where full, since who comes back is kept again at once.
_KEPT: Final[dict[bytes, _Block]] = {}
_MOST_KEPT: Final = 256
_LONGEST_KEPT: Final = 1024


@final
class _Block:
    """What the field lines of a plain head say."""

    __slots__ = ("fields", "keeps_alive", "keeps_alive_1_0", "length")

    def __init__(self, fields: tuple[Field, ...], length: int) -> None:
        self.fields: Final = fields
        self.length: Final = length
        self.keeps_alive: Final = keeps_alive(fields, "1.1")
        self.keeps_alive_1_0: Final = keeps_alive(fields, "1.0")


def read_plain_head(data: bytes, limits: Limits) -> RequestHead | None:
    """The head that `data` is, blank line included; `None` where h11 has to look at it."""
    end = data.find(b"\r\n")
    match = _REQUEST_LINE.fullmatch(data, 0, end)
    if match is None:
        return None
    method_bytes, target, minor = match.groups()
    method = _METHODS.get(method_bytes)
    lines = data[end + 2 :]
    block = _KEPT.get(lines)
    if block is None:
        block = _read_block(lines)
    if block is None or method is None or len(target) > limits.target_size or len(block.fields) > limits.fields:
        return None
    path, _, query = target.partition(b"?")
    if minor == b"1":
        return RequestHead(method, target, path, query, block.fields, "1.1", block.length, block.keeps_alive, False)
    return RequestHead(method, target, path, query, block.fields, "1.0", block.length, block.keeps_alive_1_0, False)


def _read_block(lines: bytes) -> _Block | None:
    if _BLOCK.fullmatch(lines) is None:
        return None
    fields: list[Field] = []
    hosts = 0
    length = -1
    for sent_name, sent_value in _FIELD.findall(lines):
        name = sent_name.lower()
        value = sent_value.rstrip(b" \t")
        if name == b"host":
            hosts += 1
            if _PLAIN_HOST.fullmatch(value) is None:
                return None
        elif name == b"content-length":
            if length >= 0 or _LENGTH.fullmatch(value) is None:
                return None
            length = int(value)
        elif name in _NOT_PLAIN:
            return None
        fields.append((name, value))
    if hosts != 1:
        return None
    block = _Block(tuple(fields), max(length, 0))
    if len(lines) <= _LONGEST_KEPT:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        _KEPT[lines] = block
    return block
