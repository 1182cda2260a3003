"""SPEC 3: 206 and 416, of files and of buffered bodies, and that the bytes are those of the whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaven_core import Chunk, End, FileInfo, FileRange, Finished, Machine, Request, Reset, Response, Start
from heaven_core.http.ranges import parse_ranges
from heaven_core.testing import Clock, Disk, Result
from tests.handlers.kit import Act, ask, fields_of

TEN: Final = b"0123456789"


def as_file(content: bytes = TEN) -> Act:
    return lambda res: res.file("/f.txt", etag="v1")


def as_body(content: bytes = TEN) -> Act:
    def act(res: Response) -> None:
        res.body = content
        res.headers = "Content-Type", "text/plain; charset=utf-8"
        res.etag = "v1"
        res.last_modified = 999_000_000
        res.ranges = True

    return act


def served(act: Act, asked: str | None, method: str = "GET", content: bytes = TEN, **lines: str) -> Result:
    disk = Disk({"/f.txt": content})
    headers = {name.replace("_", "-"): value for name, value in lines.items()}
    if asked is not None:
        headers["Range"] = asked
    answer = ask(act, method, disk=disk, headers=headers)
    assert disk.open_files == []
    return answer


both = pytest.mark.parametrize("kind", [as_file, as_body])


@both
def test_one_range_is_a_plain_206(kind: Callable[[], Act]) -> None:
    """RFC 9110 §15.3.7.1."""
    answer = served(kind(), "bytes=2-4")
    assert (answer.status, answer.body, answer.ended) == (206, b"234", True)
    fields = fields_of(answer)
    fields.pop("x-content-type-options", None)
    assert fields == {
        "etag": '"v1"',
        "last-modified": "Tue, 28 Aug 2001 12:00:00 GMT",
        "accept-ranges": "bytes",
        "content-type": "text/plain; charset=utf-8",
        "content-range": "bytes 2-4/10",
        "content-length": "3",
    }
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.body_bytes) == (206, 3)


@both
def test_several_ranges_are_one_multipart(kind: Callable[[], Act]) -> None:
    """RFC 9110 §15.3.7.2 and §14.6: the order asked for, no Content-Range in the head, a true Content-Length."""
    answer = served(kind(), "bytes=8-,0-1,4-4")
    assert answer.status == 206
    assert answer.headers["content-type"] == "multipart/byteranges; boundary=token1"
    assert "content-range" not in answer.headers
    assert answer.headers["content-length"] == str(len(answer.body))
    part = "--token1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes %s/10\r\n\r\n%s\r\n"
    assert answer.text == part % ("8-9", "89") + part % ("0-1", "01") + part % ("4-4", "4") + "--token1--\r\n"
    assert answer.outcome is not None
    assert answer.outcome.body_bytes == len(answer.body)


def test_parts_of_a_file_are_chunks_and_file_ranges_in_turn() -> None:
    answer = served(as_file(), "bytes=0-0,2-3")
    assert [type(event) for event in answer.events] == [Start, Chunk, FileRange, Chunk, FileRange, Chunk, End]
    assert [event for event in answer.events if type(event) is FileRange] == [FileRange(0, 1), FileRange(2, 2)]


@both
def test_a_range_that_cannot_be_satisfied_is_a_416(kind: Callable[[], Act]) -> None:
    """RFC 9110 §15.5.17."""
    answer = served(kind(), "bytes=10-")
    assert (answer.status, answer.text) == (416, "416 Range Not Satisfiable\n")
    assert fields_of(answer) == {
        "content-range": "bytes */10",
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "content-length": "26",
    }
    assert "RFC 9110 §15.5.17" in [note.source for note in answer.notes]


@both
@pytest.mark.parametrize("asked", [None, "items=0-0", "bytes=5-4", "bytes=0-0,x", "bytes=0-9,0-9"])
def test_without_a_range_to_honour_the_whole_goes_out(kind: Callable[[], Act], asked: str | None) -> None:
    answer = served(kind(), asked)
    assert (answer.status, answer.body, answer.headers["accept-ranges"]) == (200, TEN, "bytes")
    assert "content-range" not in answer.headers


@both
def test_head_has_the_fields_of_the_whole(kind: Callable[[], Act]) -> None:
    """RFC 9110 §14.2: Range is defined for GET only."""
    for asked in ("bytes=0-0", "bytes=99-"):
        answer = served(kind(), asked, "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert (answer.headers["content-length"], answer.headers["accept-ranges"]) == ("10", "bytes")


def test_post_has_no_ranges() -> None:
    assert served(as_body(), "bytes=0-0", "POST").status == 200


@pytest.mark.parametrize("status", [201, 203, 404])
def test_only_a_200_has_ranges(status: int) -> None:
    def act(res: Response) -> None:
        as_file()(res)
        res.status = status

    answer = served(act, "bytes=0-0")
    assert (answer.status, answer.body, "accept-ranges" in answer.headers) == (status, TEN, False)


def test_a_buffered_body_has_no_ranges_unless_it_says_so() -> None:
    def act(res: Response) -> None:
        res.body = "hello"
        res.etag = "v1"

    answer = served(act, "bytes=0-0")
    assert (answer.status, answer.body, "accept-ranges" in answer.headers) == (200, b"hello", False)


def test_an_empty_file_answers_200() -> None:
    answer = served(as_file(), "bytes=0-", content=b"")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


@both
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"v1"', 206),
        ('"v2"', 200),
        ('W/"v1"', 200),
        ("Tue, 28 Aug 2001 12:00:00 GMT", 206),
        ("Tue, 28 Aug 2001 12:00:01 GMT", 200),
        ("nonsense", 200),
    ],
)
def test_if_range(kind: Callable[[], Act], condition: str, status: int) -> None:
    """RFC 9110 §13.1.5."""
    answer = served(kind(), "bytes=0-0", If_Range=condition)
    assert (answer.status, answer.body) == (status, b"0" if status == 206 else TEN)


@both
def test_an_if_range_that_fails_saves_from_416(kind: Callable[[], Act]) -> None:
    assert served(kind(), "bytes=99-", If_Range='"v2"').status == 200
    assert served(kind(), "bytes=99-", If_Range='"v1"').status == 416


@both
def test_preconditions_come_before_ranges(kind: Callable[[], Act]) -> None:
    """RFC 9110 §13.2.2, step 5."""
    assert served(kind(), "bytes=0-0", If_None_Match='"v1"').status == 304
    assert served(kind(), "bytes=99-", If_None_Match='"v1"').status == 304
    assert served(kind(), "bytes=99-", If_Match='"v2"').status == 412
    assert served(kind(), "bytes=0-0", If_Match='"v1"').status == 206


@both
def test_an_encoded_body_has_one_range_at_most(kind: Callable[[], Act]) -> None:
    def act(res: Response) -> None:
        kind()(res)
        res.headers = "Content-Encoding", "gzip"

    one = served(act, "bytes=0-0")
    assert (one.status, one.headers["content-encoding"]) == (206, "gzip")
    assert served(act, "bytes=0-0,5-5").status == 200


@both
def test_the_most_ranges_are_the_handlers_to_set(kind: Callable[[], Act]) -> None:
    def at_most(most: int) -> Act:
        def act(res: Response) -> None:
            kind()(res)
            res.max_ranges = most
            assert res.max_ranges == most

        return act

    assert served(at_most(2), "bytes=0-0,5-5").status == 206
    assert served(at_most(1), "bytes=0-0,5-5").status == 200
    none = served(at_most(0), "bytes=0-0")
    assert (none.status, "accept-ranges" in none.headers) == (200, False)


def test_a_handler_may_refuse_ranges_by_the_field() -> None:
    """RFC 9110 §14.3."""

    def act(res: Response) -> None:
        as_file()(res)
        res.headers = "Accept-Ranges", "none"

    answer = served(act, "bytes=0-0")
    assert (answer.status, answer.headers.get_all("accept-ranges")) == (200, ["none"])


def test_a_true_content_length_of_the_whole_gives_way_to_that_of_the_part() -> None:
    def act(res: Response) -> None:
        as_file()(res)
        res.headers = "Content-Length", 10
        res.headers = "Content-Digest", "sha-256=:AAAA:"

    answer = served(act, "bytes=0-1")
    assert (answer.status, answer.headers.get_all("content-length"), answer.body) == (206, ["2"], b"01")
    assert "content-digest" not in answer.headers


def test_a_false_content_length_is_a_500_for_a_part_too() -> None:
    def act(res: Response) -> None:
        as_file()(res)
        res.headers = "Content-Length", 2

    assert served(act, "bytes=0-1").status == 500


def test_a_file_that_shrinks_between_its_parts_is_broken_off() -> None:
    """RFC 9112 §8: the ledger knows each part, so that a short one never looks whole."""
    response = Response()
    response.file("/f.txt")
    request = Request[object]("GET", "/", fields=[(b"range", b"bytes=0-0,5-6")])
    machine = Machine[object](response, request, Clock().runtime(), lambda body: body)
    assert machine.start() == ()
    start, head, first = machine.opened(FileInfo(10, 0))
    assert type(start) is Start
    assert (type(head), first) == (Chunk, FileRange(0, 1))
    another, second = machine.delivered(1)
    assert (type(another), second) == (Chunk, FileRange(5, 2))
    assert machine.delivered(1) == (Reset(),)
    machine.delivered()
    machine.closed()
    assert type(machine.need) is Finished
    assert type(head) is Chunk
    assert type(another) is Chunk
    outcome = machine.need.outcome
    assert (outcome.kind, outcome.body_bytes) == ("failed", len(head.data) + 1 + len(another.data) + 1)


_PART: Final = re.compile(rb"--token1\r\nContent-Type: [^\r]*\r\nContent-Range: bytes (\d+)-(\d+)/(\d+)\r\n\r\n")


def parts_of(answer: Result) -> list[tuple[int, bytes]]:
    """First byte and content of each part, read as a client would."""
    if "content-range" in answer.headers:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers["content-range"])
        assert found is not None
        assert int(found[2]) - int(found[1]) + 1 == len(answer.body)
        return [(int(found[1]), answer.body)]
    parts: list[tuple[int, bytes]] = []
    place = 0
    while (head := _PART.match(answer.body, place)) is not None:
        end = head.end() + int(head[2]) - int(head[1]) + 1
        parts.append((int(head[1]), answer.body[head.end() : end]))
        assert answer.body[end : end + 2] == b"\r\n"
        place = end + 2
    assert answer.body[place:] == b"--token1--\r\n"
    return parts


TAGS: Final = st.sampled_from(['"v1"', 'W/"v1"', '"v2"', "*", "x", '"v2", "v1"'])
DATES: Final = st.sampled_from(
    ["Tue, 28 Aug 2001 12:00:00 GMT", "Tue, 28 Aug 2001 11:00:00 GMT", "Tue, 28 Aug 2001 13:00:00 GMT", "x"]
)
CONDITIONS: Final = st.fixed_dictionaries(
    {},
    optional={
        "If_Match": TAGS,
        "If_None_Match": TAGS,
        "If_Modified_Since": DATES,
        "If_Unmodified_Since": DATES,
        "If_Range": st.one_of(TAGS, DATES),
    },
)
ONE: Final = st.one_of(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    st.integers(0, 40).map(lambda number: f"-{number}"),
    st.integers(0, 40).map(lambda number: f"{number}-"),
    st.sampled_from(["", " ", "x", "-"]),
)
ASKED: Final = st.one_of(
    st.none(),
    st.lists(ONE, max_size=6).map(lambda parts: "bytes=" + ",".join(parts)),
    st.text("bytes=0-9, ", max_size=12),
)


@given(content=st.binary(max_size=40), asked=ASKED, conditions=CONDITIONS, kind=st.booleans())
def test_every_answer_is_one_that_the_rfc_allows(
    content: bytes, asked: str | None, conditions: dict[str, str], kind: bool
) -> None:
    """Whatever is asked: the bytes are those of the whole at the places named, or the answer has none of them."""
    answer = served(as_file() if kind else as_body(content), asked, content=content, **conditions)
    assert answer.ended
    assert answer.errors == []
    if answer.status == 200:
        assert answer.body == content
    elif answer.status == 206:
        spans = parse_ranges([asked or ""], len(content))
        assert spans
        assert parts_of(answer) == [(start, content[start:end]) for start, end in spans]
        assert "If_Range" not in conditions or conditions["If_Range"] in ('"v1"', "Tue, 28 Aug 2001 12:00:00 GMT")
    elif answer.status == 416:
        assert parse_ranges([asked or ""], len(content)) == []
        assert answer.headers["content-range"] == f"bytes */{len(content)}"
    elif answer.status == 304:
        assert answer.body == b""
        assert conditions.keys() & {"If_None_Match", "If_Modified_Since"}
    else:
        assert answer.status == 412
        assert conditions.keys() & {"If_Match", "If_Unmodified_Since"}
    if answer.status != 304:
        assert answer.headers["content-length"] == str(len(answer.body))
