"""The items of a stream as bytes."""

from __future__ import annotations

from heaven_core.answer import Answer
from heaven_core.checks import is_bytes_like
from heaven_core.encoding import encode_text
from heaven_core.schema import Schema
from heaven_core.sse import ServerSentEvent, encode_event

__all__ = ["encode_item"]


def encode_item(item: object, sse: bool, response: Answer) -> bytes:
    """What goes on the wire for `item`: `str` and bytes as they are, or a server-sent event.

    Where the route has a schema, the data of each event of a 2xx response passes its filter. Raises `TypeError` for
    an item of another type, and `ValueError` or `TypeError` for an event that would forge another one.
    """
    if sse:
        schema = response.schema
        if schema is None or schema.returns is None or not 200 <= response.code < 300:
            return encode_event(item)
        return encode_event(_filtered(item, schema))
    if isinstance(item, str):
        return encode_text(item)
    if is_bytes_like(item):
        return bytes(item)
    raise TypeError(f"a stream must yield bytes or str, not {type(item).__name__}; for anything else use sse=True")


def _filtered(item: object, schema: Schema) -> bytes | ServerSentEvent:
    if not isinstance(item, ServerSentEvent):
        return schema.encode(item)
    if item.data is None:
        return item
    return ServerSentEvent(schema.encode(item.data), item.event, item.id, item.retry, item.comment)
