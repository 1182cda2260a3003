"""The fast lane: a buffered response as one head and one body, without a machine.

Most responses are a few bytes that are there at once. For them the machine would hand out (Start, Chunk, End), be told
that it was delivered, and finish. This does the same with the same rules in one call. A property test holds both
together: the same bytes, outcome and deferred calls.
"""

from __future__ import annotations

from heaven_core.http.framing import frame
from heaven_core.http.headers import Field
from heaven_core.message.draft import NO_FIELDS, STARTED, Answer

__all__ = ["render"]


def render(response: Answer, method: str) -> tuple[list[Field], bytes] | None:
    """The field lines and the body of a response that has no file and no stream; it has started then.

    `None` where a `Machine` has to decide: a source, something to be closed, a body that is not encoded yet, an
    impossible head, conditions and ranges. Afterwards call `response.finish(kind, body_bytes, ended)` and run the calls
    that it returns.
    """
    data = response.encoded
    if data is None or response.source is not None or response.released is not None or response.gone:
        return None
    if response.sliceable or response.tagged:
        return None
    lines = response.lines
    given = NO_FIELDS if lines is None else lines.fields
    for name, _ in given:
        if name == b"etag" or name == b"last-modified":
            return None  # the request may have conditions
    try:
        fields, length = frame(method, response.code, given, len(data), response.content_type)
    except ValueError:
        return None
    response.refusal = STARTED
    if lines is not None:
        lines.refusal = STARTED
    return fields, data if length else b""
