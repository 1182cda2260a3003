"""The fast path: a buffered response as one head and one body, without a machine.

Most responses are a few bytes that are there at once. For them the machine would hand out (Start, Chunk, End), be told
that it was delivered, and finish. This does the same with the same rules in one call. A property test holds both
together: the same bytes, outcome and deferred calls.
"""

from __future__ import annotations

from heaven_core.http.framing import frame
from heaven_core.http.headers import Field
from heaven_core.message.draft import STARTED, Draft

__all__ = ["render"]


def render(draft: Draft, method: str) -> tuple[list[Field], bytes] | None:
    """The field lines and the body of a response that has no file and no stream; it has started then.

    `None` where a `Machine` has to decide: a source, something to be closed, a body that is not encoded yet, an
    impossible head, conditions and ranges. Afterwards call `draft.finish(kind, body_bytes, ended)` and run the calls
    that it returns.
    """
    data = draft.encoded
    if data is None or not draft.is_plain:
        return None
    try:
        fields, length = frame(method, draft.status, draft.fields, len(data), draft.default_type)
    except ValueError:
        return None
    draft.refusal = STARTED
    return fields, data if length else b""
