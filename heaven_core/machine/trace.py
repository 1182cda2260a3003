"""The trace says why a response looks as it does: each decision is a note with the section that decides it.

A machine that was given no recorder never comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, final

from heaven_core._record import Record
from heaven_core.message.draft import Draft
from heaven_core.protocol.events import Start

__all__ = ["Note", "Recorder", "explain_coding", "explain_head", "explain_refusal"]


@final
class Note(Record):
    """One decision in words, and where it is written, as in "RFC 9110 §15.3.5"."""

    __slots__ = ("decision", "source")
    __match_args__ = ("decision", "source")

    def __init__(self, decision: str, source: str) -> None:
        self.decision: Final = decision
        self.source: Final = source


Recorder: TypeAlias = Callable[[Note], None]


def explain_head(method: str, draft: Draft, start: Start, record: Recorder) -> None:
    """Compare what the handler set with the head that goes out, and record what was decided in between."""
    if method == "HEAD":
        record(Note("the answer to HEAD has the fields of the GET and no body", "RFC 9110 §9.3.2"))
    if start.status in (204, 205, 304):
        record(Note(f"status {start.status} has no content, so a body is dropped", "RFC 9110 §6.4.1"))
    given = {name for name, _ in draft.fields}
    sent = {name for name, _ in start.fields}
    for name in sorted(given - sent):
        record(Note(f"{name.decode()} was left off: it speaks of content that is not sent", "RFC 9110 §15"))
    for name, value in start.fields:
        if name not in given:
            record(Note(f"{name.decode()} was defaulted to {value.decode('latin-1')}", _SOURCES.get(name, _OURS)))
    if start.length is None:
        record(Note("nobody knows the length, so the wire has to mark the end", "RFC 9112 §6.3"))
    if start.close:
        record(Note("the connection ends after this response, as res.close asks", "RFC 9112 §9.6"))


def explain_refusal(status: int, record: Recorder) -> None:
    """Record that the request's conditions or ranges make a `status` of the response: 304, 412 or 416."""
    record(Note(*_REFUSALS[status]))


def explain_coding(coding: str, record: Recorder) -> None:
    """Record that a file that was encoded beforehand goes out in place of the one asked for."""
    record(Note(f"the client takes {coding}, and a file so encoded lies beside the one asked for", "RFC 9110 §12.5.3"))


_REFUSALS: Final = {
    304: ("the client has this representation already: If-None-Match or If-Modified-Since", "RFC 9110 §13.2.2"),
    412: ("the client expects another representation: If-Match or If-Unmodified-Since", "RFC 9110 §13.2.2"),
    416: ("none of the ranges asked for lies in the representation", "RFC 9110 §15.5.17"),
}
_OURS: Final = "SPEC 1, Encoding"
_SOURCES: Final = {
    b"content-length": "RFC 9110 §8.6",
    b"content-type": "RFC 9110 §8.3",
    b"x-content-type-options": "Fetch, X-Content-Type-Options",
    b"etag": "RFC 9110 §8.8.3",
    b"last-modified": "RFC 9110 §8.8.2",
    b"accept-ranges": "RFC 9110 §14.3",
    b"content-range": "RFC 9110 §14.4",
    b"cache-control": "RFC 9111 §5.2",
    b"content-disposition": "RFC 6266 §4",
    b"content-encoding": "RFC 9110 §8.4",
    b"vary": "RFC 9110 §12.5.5",
}
