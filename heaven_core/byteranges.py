"""A partial response (RFC 9110 §15.3.7): its fields, and its body as a sequence of spans and what stands between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from heaven_core.headers import Field
from heaven_core.ranges import Span
from heaven_core.record import Record

__all__ = ["Partial", "partial_fields", "partial_of"]

# The whole's length is not the part's, and Content-Digest is of what is sent (RFC 9530 §2).
_OF_THE_WHOLE: Final = frozenset({b"content-length", b"content-digest", b"content-range"})


@final
class Partial(Record):
    """`pieces` in order: bytes as they are, and spans of the representation; `length` of all of them in bytes.

    `content_range` is for the head of a single part, `content_type` for that of several (RFC 9110 §15.3.7.1, .2).
    """

    __slots__ = ("pieces", "length", "content_range", "content_type")

    def __init__(
        self,
        pieces: tuple[bytes | Span, ...],
        length: int,
        content_range: bytes | None = None,
        content_type: bytes | None = None,
    ) -> None:
        self.pieces: Final = pieces
        self.length: Final = length
        self.content_range: Final = content_range
        self.content_type: Final = content_type


def partial_of(spans: Sequence[Span], size: int, content_type: bytes | None, boundary: str) -> Partial:
    """The body that answers a request for `spans` (one at least) of a representation of `size` bytes.

    `boundary` is random, so that nobody can write a body in which it occurs.
    """
    if len(spans) == 1:
        return Partial((spans[0],), spans[0][1] - spans[0][0], _content_range(spans[0], size))
    delimiter = b"--" + boundary.encode("ascii")
    typed = b"" if content_type is None else b"Content-Type: " + content_type + b"\r\n"
    pieces: list[bytes | Span] = []
    length = 0
    before = b""
    for span in spans:
        # RFC 2046 §5.1.1: the line break before a delimiter belongs to it, and not to the part.
        head = before + delimiter + b"\r\n" + typed + b"Content-Range: " + _content_range(span, size) + b"\r\n\r\n"
        before = b"\r\n"
        pieces += (head, span)
        length += len(head) + span[1] - span[0]
    pieces.append(b"\r\n" + delimiter + b"--\r\n")
    return Partial(
        tuple(pieces),
        length + len(delimiter) + 6,
        content_type=b"multipart/byteranges; boundary=" + boundary.encode("ascii"),
    )


def partial_fields(fields: Sequence[Field], partial: Partial) -> list[Field]:
    """The lines of the whole's head as they are for the part.

    All of them stay, also where If-Range was used and RFC 9110 §15.3.7 would have fewer: players and caches look for
    the type in each answer.
    """
    chosen = [
        line
        for line in fields
        if line[0] not in _OF_THE_WHOLE and (partial.content_type is None or line[0] != b"content-type")
    ]
    if partial.content_range is not None:
        chosen.append((b"content-range", partial.content_range))
    return chosen


def _content_range(span: Span, size: int) -> bytes:
    return b"bytes %d-%d/%d" % (span[0], span[1] - 1, size)
