"""Server-sent events: WHATWG HTML §9.2 (parsing: §9.2.5; interpreting: §9.2.6)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core.http.event_stream import HEARTBEAT, ServerSentEvent, encode_event

# A browser, after §9.2.5 and §9.2.6, written apart from the module under test.


@dataclass
class Dispatched:
    """What one `message` event would carry in a browser."""

    type: str
    data: str
    last_id: str


class Browser:
    """Reads a whole event stream: what it dispatched, its last event ID and its reconnection time."""

    def __init__(self, stream: bytes) -> None:
        self.events: list[Dispatched] = []
        self.last_id = ""
        self.retry: int | None = None
        self._id = self._type = self._data = ""
        text = stream.decode("utf-8").removeprefix("\ufeff")
        lines = re.split("\r\n|\n|\r", text)
        assert lines.pop() == "", "an event must end with a line end"
        for line in lines:
            if line == "":
                self._dispatch()
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                self._field(name, value.removeprefix(" "))

    def _field(self, name: str, value: str) -> None:
        if name == "event":
            self._type = value
        elif name == "data":
            self._data += value + "\n"
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry = int(value)

    def _dispatch(self) -> None:
        self.last_id = self._id
        if self._data != "":
            event = Dispatched(self._type or "message", self._data.removesuffix("\n"), self.last_id)
            self.events.append(event)
        self._data = self._type = ""


def lines_joined(text: str) -> str:
    """How text comes out: each of the three line ends is a line feed then."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


# Texts full of what the format gives a meaning to.
TEXTS = st.lists(
    st.sampled_from(
        ["\r", "\n", "\r\n", ":", " ", "data", "data: x", "event: x", "id: 1", "\0", "\ufeff", "é", "\u2028"]
    ),
    max_size=6,
).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
LINES = TEXTS.map(lambda text: re.sub("[\r\n\0]", "", text))
EVENTS = st.builds(
    ServerSentEvent,
    data=st.none() | TEXTS | TEXTS.map(str.encode) | JSON,
    event=st.none() | LINES,
    id=st.none() | LINES,
    retry=st.none() | st.integers(0, 10**9),
    comment=st.none() | TEXTS,
)


# Items


def test_a_str_is_data() -> None:
    assert encode_event("hello") == b"data: hello\n\n"


def test_bytes_are_data_in_utf_8_and_never_raw_lines() -> None:
    assert encode_event(b"id: 1\n\nevent: forged") == b"data: id: 1\ndata: \ndata: event: forged\n\n"
    assert encode_event("é".encode()) == "data: é\n\n".encode()


def test_a_dict_or_list_is_json() -> None:
    assert encode_event({"a": 1}) == b'data: {"a":1}\n\n'
    assert encode_event([1, "é"]) == 'data: [1,"é"]\n\n'.encode()


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\r\nb"])
def test_each_of_the_three_line_ends_starts_another_data_line(text: str) -> None:
    """§9.2.5: lines end with CRLF, LF or CR."""
    assert encode_event(text) == b"data: a\ndata: b\n\n"


def test_no_other_character_ends_a_line() -> None:
    """§9.2.5: U+2028, form feed and the like, which str.splitlines knows, are text."""
    text = "a\u2028b\x0bc\x0cd\x85e"
    assert encode_event(text) == f"data: {text}\n\n".encode()


@pytest.mark.parametrize("text", ["", "\n", " leading", "a\n", "\n\n", ":", "\r\n\r\n"])
def test_data_comes_out_as_it_went_in(text: str) -> None:
    """§9.2.6: one blank after the colon and the last line feed are removed, an empty string is data too."""
    assert Browser(encode_event(text)).events == [Dispatched("message", lines_joined(text), "")]


@pytest.mark.parametrize("item", [None, 1, 1.5, True, object(), (1,), {1}, bytearray(b"x")])
def test_an_item_of_another_type_is_refused_by_name(item: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(item).__name__};"):
        encode_event(item)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    """§9.2.5: event streams are always decoded as UTF-8."""
    with pytest.raises(ValueError, match="byte 1 of these 3 is not"):
        encode_event(b"a\xffb")


def test_a_lone_surrogate_is_refused() -> None:
    """RFC 3629 §3."""
    with pytest.raises(TypeError, match="surrogate"):
        encode_event("\udcff")


def test_data_that_json_cannot_write_is_refused() -> None:
    with pytest.raises(TypeError):
        encode_event({"a": object()})


def test_another_encoder_writes_what_is_no_text() -> None:
    """The encoder of a schema may take more types, and its line breaks forge nothing either."""

    def encode(value: object) -> bytes:
        return f"<{value!r}>\nevent: forged".encode()

    assert encode_event(5, encode) == b"data: <5>\ndata: event: forged\n\n"
    assert encode_event(ServerSentEvent(5, "tick"), encode) == b"event: tick\ndata: <5>\ndata: event: forged\n\n"
    assert encode_event("text", encode) == b"data: text\n\n"


# ServerSentEvent


def test_every_field_has_its_line() -> None:
    """§9.2.6."""
    event = ServerSentEvent("d1\nd2", event="news", id="7", retry=1500, comment="c1\nc2")
    assert encode_event(event) == b": c1\n: c2\nevent: news\nid: 7\nretry: 1500\ndata: d1\ndata: d2\n\n"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("text", b"text"),
        (b"bytes", b"bytes"),
        ({"a": None}, b'{"a":null}'),
        (3, b"3"),
        (False, b"false"),
        ("", b""),
    ],
)
def test_data_of_an_event_may_be_whatever_json_can_write(data: object, line: bytes) -> None:
    assert encode_event(ServerSentEvent(data)) == b"data: " + line + b"\n\n"


def test_a_name_without_data_sends_empty_data() -> None:
    """§9.2.6: with an empty data buffer a browser drops the event."""
    assert encode_event(ServerSentEvent(event="ping")) == b"event: ping\ndata:\n\n"
    assert Browser(encode_event(ServerSentEvent(event="ping"))).events == [Dispatched("ping", "", "")]


@pytest.mark.parametrize(
    ("event", "wire"),
    [
        (ServerSentEvent(id="7"), b"id: 7\n\n"),
        (ServerSentEvent(id=""), b"id: \n\n"),
        (ServerSentEvent(retry=0), b"retry: 0\n\n"),
        (ServerSentEvent(comment="hi"), b": hi\n\n"),
        (ServerSentEvent(comment=""), b": \n\n"),
        (ServerSentEvent(), b"\n"),
    ],
)
def test_without_name_and_data_nothing_is_dispatched(event: ServerSentEvent, wire: bytes) -> None:
    """§9.2.6: an id or a retry time counts all the same."""
    assert encode_event(event) == wire
    assert Browser(wire).events == []


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\r\nb", "\n"])
def test_a_line_break_in_event_or_id_is_refused(text: str) -> None:
    """§9.2.5: it would start another field."""
    with pytest.raises(ValueError, match="in the event of"):
        ServerSentEvent("x", event=text)
    with pytest.raises(ValueError, match="in the id of"):
        ServerSentEvent("x", id=text)


def test_nul_in_an_id_is_refused() -> None:
    """§9.2.6: a browser ignores such an id."""
    with pytest.raises(ValueError, match="in the id of"):
        ServerSentEvent("x", id="a\0")
    assert ServerSentEvent("x", event="a\0").event == "a\0"


def test_a_negative_retry_is_refused() -> None:
    """§9.2.6: retry is of ASCII digits only."""
    with pytest.raises(ValueError, match="retry must be 0"):
        ServerSentEvent(retry=-1)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: ServerSentEvent(event=cast(str, 1)), "event of a server-sent event must be str, not int"),
        (lambda: ServerSentEvent(id=cast(str, 1)), "id of a server-sent event must be str, not int"),
        (
            lambda: ServerSentEvent(comment=cast(str, b"x")),
            "comment of a server-sent event must be str, not bytes",
        ),
        (lambda: ServerSentEvent(retry=cast(int, 1.5)), "retry, in milliseconds, must be int, not float"),
        (lambda: ServerSentEvent(retry=True), "retry, in milliseconds, must be int, not bool"),
        (lambda: ServerSentEvent(id="\ud800"), "surrogate"),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(make: Callable[[], ServerSentEvent], what: str) -> None:
    with pytest.raises(TypeError, match=what):
        make()


@pytest.mark.parametrize("name", ["event", "id"])
def test_a_field_changed_behind_the_types_back_forges_nothing_either(name: str) -> None:
    event = ServerSentEvent("x")
    setattr(event, name, "a\ndata: forged\n\n")
    with pytest.raises(ValueError, match=f"in the {name} of"):
        encode_event(event)


def test_events_are_equal_by_their_fields_and_say_what_they_hold() -> None:
    event = ServerSentEvent("x", id="1")
    assert event == ServerSentEvent("x", None, "1")
    assert event != ServerSentEvent("x", id="2")
    assert repr(event) == "ServerSentEvent('x', None, '1', None, None)"


def test_a_heartbeat_dispatches_nothing() -> None:
    """§9.2.7: a comment line keeps legacy proxies from closing the connection."""
    assert Browser(HEARTBEAT).events == []
    assert HEARTBEAT.startswith(b":")


# No item can forge another


def expected_of(items: list[object]) -> Browser:
    """What a browser must have seen, from the items themselves and not from the wire."""
    browser = Browser(b"")
    for item in items:
        event = item if isinstance(item, ServerSentEvent) else ServerSentEvent(item)
        if event.id is not None:
            browser.last_id = event.id
        if event.retry is not None:
            browser.retry = event.retry
        if event.data is None and event.event is None:
            continue
        if isinstance(event.data, (str, bytes)):
            text = lines_joined(event.data if isinstance(event.data, str) else event.data.decode())
        else:
            compact = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"))
            text = "" if event.data is None else compact
        browser.events.append(Dispatched(event.event or "message", text, browser.last_id))
    return browser


@given(st.lists(TEXTS | TEXTS.map(str.encode) | st.lists(JSON, max_size=3) | EVENTS, max_size=5))
def test_a_stream_dispatches_its_items_and_nothing_else(items: list[object]) -> None:
    """§9.2.6, with a heartbeat after each item."""
    browser = Browser(b"".join(encode_event(item) + HEARTBEAT for item in items))
    expected = expected_of(items)
    assert browser.events == expected.events
    assert (browser.last_id, browser.retry) == (expected.last_id, expected.retry)


def test_events_are_equal_by_what_they_hold() -> None:
    event = ServerSentEvent("x", "tick", "7", 5, "hello")
    assert event == ServerSentEvent("x", "tick", "7", 5, "hello")
    assert event != ServerSentEvent("x", "tick", "8", 5, "hello")
    assert event != "x"
    assert len({event, ServerSentEvent("x", "tick", "7", 5, "hello")}) == 1
    assert repr(event) == "ServerSentEvent('x', 'tick', '7', 5, 'hello')"
