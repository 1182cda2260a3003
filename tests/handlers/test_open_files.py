"""SPEC 3: an open binary file, or a `BytesIO`, as the body."""

from __future__ import annotations

import gzip
import os
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import BinaryIO, Final

import pytest
from typing_extensions import override

from heaven_core import Response
from heaven_core.message.bodies import HeldFile
from heaven_core.testing import Disk, Result
from tests.handlers.kit import Act, ask, fields_of, given, loose

DATE: Final = "Tue, 28 Aug 2001 12:00:00 GMT"


class Counted(BytesIO):
    """Counts how often it is closed, and can be made to fail."""

    def __init__(self, data: bytes = b"hello", *, fails_to_seek: bool = False) -> None:
        super().__init__(data)
        self.closings = 0
        self.fails_to_seek = fails_to_seek

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self.fails_to_seek:
            raise RuntimeError("seek")
        return super().seek(offset, whence)

    @override
    def close(self) -> None:
        self.closings += 1
        super().close()


def serve(act: Act, method: str = "GET", **lines: str) -> Result:
    disk = Disk()
    answer = ask(act, method, disk=disk, headers={name.replace("_", "-"): value for name, value in lines.items()})
    assert disk.open_files == []
    return answer


def test_is_sent_from_its_beginning_wherever_its_position_is_and_closed_once() -> None:
    file = Counted()
    file.seek(3)
    answer = serve(lambda res: res.file(file))
    assert (answer.status, answer.body, answer.ended) == (200, b"hello", True)
    assert file.closings == 1


def test_a_file_in_memory_has_no_time_and_so_no_validators() -> None:
    assert fields_of(serve(lambda res: res.file(BytesIO(b"hello")))) == {
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "x-content-type-options": "nosniff",
        "content-length": "5",
    }


def test_validators_can_be_given() -> None:
    def act(res: Response) -> None:
        res.file(BytesIO(b"hello"), etag="v1", last_modified=999_000_000)

    fields = fields_of(serve(act))
    assert (fields["etag"], fields["last-modified"]) == ('"v1"', DATE)
    assert serve(act, If_None_Match='"v1"').status == 304
    assert serve(act, If_Modified_Since=DATE).status == 304


def test_a_date_that_is_given_takes_the_place_of_the_files() -> None:
    disk = Disk({"/f": b"x"}, 1_000_000_000.0)
    answer = ask(lambda res: res.file("/f", last_modified=999_000_000), disk=disk)
    assert answer.headers["last-modified"] == DATE


def test_a_date_in_the_future_is_replaced() -> None:
    """RFC 9110 §8.8.2.1."""
    answer = serve(lambda res: res.file(BytesIO(b"x"), last_modified=4_000_000_000))
    assert answer.headers["last-modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"name": "report.csv"}, "text/csv; charset=utf-8"),
        ({"name": "report.csv", "charset": None}, "text/csv"),
        ({"filename": "report.csv"}, "text/csv; charset=utf-8"),
        ({"filename": "report.csv", "name": "x.pdf"}, "application/pdf"),
        ({"name": "report.csv", "content_type": "text/x-own"}, "text/x-own"),
        ({}, "application/octet-stream"),
    ],
    ids=repr,
)
def test_the_type_comes_from_the_name(options: dict[str, object], kind: str) -> None:
    answer = serve(lambda res: loose(res.file)(BytesIO(b"x"), **options))
    assert answer.headers["content-type"] == kind


def test_the_type_of_a_file_of_the_disk_comes_from_the_name_it_was_opened_by(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(b"<p>")
    answer = serve(lambda res: res.file(path.open("rb")))
    assert (answer.headers["content-type"], answer.body) == ("text/html; charset=utf-8", b"<p>")


def test_the_name_of_a_descriptor_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"<p>")
    answer = serve(lambda res: res.file(os.fdopen(os.open(tmp_path / "a.html", os.O_RDONLY), "rb")))
    assert (answer.headers["content-type"], answer.body) == ("application/octet-stream", b"<p>")


def test_name_gives_a_path_another_type() -> None:
    answer = ask(lambda res: res.file("/f", name="a.css"), disk=Disk({"/f": b""}))
    assert answer.headers["content-type"] == "text/css; charset=utf-8"


def test_ranges_are_of_the_whole_file() -> None:
    answer = serve(lambda res: res.file(BytesIO(b"hello")), Range="bytes=1-1,3-")
    assert answer.status == 206
    assert b"\r\n\r\ne\r\n" in answer.body
    assert b"\r\n\r\nlo\r\n" in answer.body


def test_a_file_that_can_be_read_anywhere_will_do(tmp_path: Path) -> None:
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(b"0123456789"))
    answer = serve(lambda res: res.file(gzip.GzipFile(packed), name="a.txt"), Range="bytes=4-6")
    assert (answer.status, answer.body) == (206, b"456")


NEVER_SENT: Final[dict[str, tuple[Act, str, dict[str, str]]]] = {
    "HEAD": (lambda res: None, "HEAD", {}),
    "a 304": (lambda res: setattr(res, "etag", "v1"), "GET", {"If_None_Match": '"v1"'}),
    "a 416": (lambda res: None, "GET", {"Range": "bytes=9-"}),
    "a 204": (lambda res: setattr(res, "status", 204), "GET", {}),
    "a body in its place": (lambda res: setattr(res, "body", "other"), "GET", {}),
    "a file in its place": (lambda res: res.file("/none"), "GET", {}),
    "a redirect": (lambda res: res.redirect("/other"), "GET", {}),
    "an abort with another body": (lambda res: res.abort("other"), "GET", {}),
    "a handler that fails": (lambda res: loose(res.cookie)(), "GET", {}),
}


@pytest.mark.parametrize(("then", "method", "lines"), NEVER_SENT.values(), ids=NEVER_SENT)
def test_is_closed_once_also_where_it_is_not_sent(then: Act, method: str, lines: dict[str, str]) -> None:
    file = Counted()

    def act(res: Response) -> None:
        res.file(file)
        then(res)

    serve(act, method, **lines)
    assert file.closings == 1


def test_a_held_file_has_no_items_of_its_own() -> None:
    """Drivers close what they can iterate."""
    held = HeldFile(BytesIO(b"x"))
    assert list(held) == []


def test_set_twice_it_is_closed_once() -> None:
    file = Counted()

    def act(res: Response) -> None:
        res.file(file)
        res.body = "other"
        res.file(file, name="a.txt")

    answer = serve(act)
    assert (answer.body, file.closings) == (b"hello", 1)


def test_a_file_that_fails_when_its_size_is_asked_for_is_a_500_and_closed() -> None:
    file = Counted(fails_to_seek=True)
    answer = serve(lambda res: res.file(file))
    assert (answer.status, file.closings) == (500, 1)
    assert [type(error) for error, _ in answer.errors] == [RuntimeError]


def test_a_text_file_is_refused() -> None:
    for text in (StringIO("x"), TextIOWrapper(BytesIO(b"x"))):
        with pytest.raises(TypeError, match="binary mode"):
            loose(Response().file)(text)


def test_a_closed_file_is_refused() -> None:
    file = BytesIO(b"x")
    file.close()
    with pytest.raises(ValueError, match="closed already"):
        Response().file(file)


def test_a_file_that_cannot_be_read_or_positioned_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as written, pytest.raises(ValueError, match="not readable"):
        loose(Response().file)(written)

    class Pipe(BytesIO):
        @override
        def seekable(self) -> bool:
            return False

    with pytest.raises(ValueError, match=r"not seekable.*res.stream"):
        Response().file(Pipe())


def test_within_has_no_say_in_it() -> None:
    with pytest.raises(ValueError, match="within="):
        Response().file(BytesIO(), within="/")


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="name="):
        loose(Response().file)(BytesIO(), name=b"a.txt")


def test_a_refused_one_changes_nothing() -> None:
    file: BinaryIO = BytesIO()
    response = given(lambda res: setattr(res, "body", "kept"))
    with pytest.raises(ValueError, match="within="):
        response.file(file, within="/")
    assert response.body == "kept"
