"""SPEC 1, `res.file`, and what section 3 says of whole files, as far as the core decides it."""

from __future__ import annotations

from errno import EACCES, EILSEQ, EIO, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM
from pathlib import PurePosixPath

import pytest
from typing_extensions import override

from heaven_core import FileRange, Response
from heaven_core.machine.file_metadata import etag_of, last_modified_of, status_of_open_error
from heaven_core.testing import Client, Clock, Disk, Result
from tests.handlers.kit import Act, app_of, ask, fields_of, loose

DISK_FILES = {"/www/a.txt": b"hello", "/www/empty.bin": b"", "/www/sub/b.tar.gz": b"\x1f\x8b"}


def serve(act: Act, method: str = "GET", disk: Disk | None = None) -> Result:
    disk = disk or Disk(DISK_FILES)
    answer = ask(act, method, disk=disk)
    assert disk.open_files == []
    return answer


def test_is_sent_whole_and_inline() -> None:
    answer = serve(lambda res: res.file("/www/a.txt"))
    assert (answer.status, answer.body, answer.ended) == (200, b"hello", True)
    assert [event for event in answer.events if type(event) is FileRange] == [FileRange(0, 5)]
    fields = fields_of(answer)
    assert fields.pop("etag").startswith('"')
    assert fields == {
        "last-modified": "Tue, 28 Aug 2001 12:00:00 GMT",
        "accept-ranges": "bytes",
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "content-length": "5",
    }


def test_takes_a_path_object() -> None:
    assert serve(lambda res: res.file(PurePosixPath("/www") / "a.txt")).body == b"hello"


def test_a_filename_makes_it_an_attachment() -> None:
    """RFC 6266 §4."""
    answer = serve(lambda res: res.file("/www/a.txt", "größe.txt"))
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"große.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"
    ) or answer.headers["content-disposition"].endswith("filename*=UTF-8''gr%C3%B6%C3%9Fe.txt")


def test_a_disposition_of_the_handler_wins() -> None:
    def act(res: Response) -> None:
        res.headers = "Content-Disposition", "inline"
        res.file("/www/a.txt", "b.txt")

    assert serve(act).headers.get_all("content-disposition") == ["inline"]


def test_within_is_where_the_path_is_relative_to() -> None:
    assert serve(lambda res: res.file("a.txt", within="/www")).body == b"hello"


@pytest.mark.parametrize("path", ["/www/a.txt", "../www/a.txt", "sub/../../etc/passwd"])
def test_within_cannot_be_left(path: str) -> None:
    assert serve(lambda res: res.file(path, within=PurePosixPath("/www"))).status == 404


def test_the_type_comes_from_the_extension_and_says_nothing_of_encoding() -> None:
    """A name never sets Content-Encoding."""
    answer = serve(lambda res: res.file("/www/sub/b.tar.gz"))
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers


def test_the_type_can_be_given() -> None:
    assert serve(lambda res: res.file("/www/a.txt", content_type="text/csv")).headers["content-type"] == "text/csv"


def test_the_charset_can_be_another_or_none() -> None:
    assert serve(lambda res: res.file("/www/a.txt", charset=None)).headers["content-type"] == "text/plain"
    assert serve(lambda res: res.file("/www/a.txt", charset="ascii")).headers["content-type"].endswith("charset=ascii")


def test_the_encoding_can_be_given() -> None:
    """RFC 9110 §8.4."""
    answer = serve(lambda res: res.file("/www/a.txt", content_encoding="gzip"))
    assert answer.headers["content-encoding"] == "gzip"


def test_fields_of_the_handler_win() -> None:
    def act(res: Response) -> None:
        res.headers = "Content-Encoding", "br"
        res.headers = "ETag", '"own"'
        res.headers = "Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"
        res.file("/www/a.txt", content_encoding="gzip")

    headers = serve(act).headers
    assert headers.get_all("content-encoding") == ["br"]
    assert headers.get_all("etag") == ['"own"']
    assert headers.get_all("last-modified") == ["Thu, 01 Jan 1970 00:00:00 GMT"]


def test_a_head_has_the_fields_of_the_get() -> None:
    """RFC 9110 §9.3.2."""
    get, head = serve(lambda res: res.file("/www/a.txt")), serve(lambda res: res.file("/www/a.txt"), "HEAD")
    assert (head.status, head.headers.fields, head.body) == (200, get.headers.fields, b"")


def test_an_empty_file_has_a_head_alone() -> None:
    answer = serve(lambda res: res.file("/www/empty.bin"))
    assert (answer.headers["content-length"], answer.body, answer.ended) == ("0", b"", True)
    assert not [event for event in answer.events if type(event) is FileRange]


@pytest.mark.parametrize("status", [204, 205, 304])
def test_is_not_even_opened_where_there_is_no_content(status: int) -> None:
    def act(res: Response) -> None:
        res.file("/www/not-there")
        res.status = status

    assert serve(act).status == status


def test_a_later_body_takes_its_place() -> None:
    def act(res: Response) -> None:
        res.file("/www/not-there")
        res.body = "instead"

    assert serve(act).text == "instead"


def test_takes_the_place_of_an_earlier_body() -> None:
    def act(res: Response) -> None:
        res.html("<p>")
        res.file("/www/a.txt")

    answer = serve(act)
    assert (answer.body, answer.headers["content-type"]) == (b"hello", "text/plain; charset=utf-8")


def missing(error: OSError) -> Result:
    disk = Disk()
    disk.errors["/f"] = error

    def act(res: Response) -> None:
        res.headers = "X-Kept", "1"
        res.headers = "Cache-Control", "max-age=60"
        res.headers = "ETag", '"1"'
        res.headers = "Content-Language", "de"
        res.cookie("kept", "1")
        res.file("/f", "download.txt")

    return serve(act, disk=disk)


@pytest.mark.parametrize("code", [ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EILSEQ, ENXIO])
def test_a_path_that_leads_to_no_file_is_a_404(code: int) -> None:
    """It loses the fields about the body and its storing, and keeps all others."""
    answer = missing(OSError(code, "secret"))
    assert (answer.status, answer.text) == (404, "404 Not Found\n")
    assert fields_of(answer) == {
        "x-kept": "1",
        "set-cookie": "kept=1; Path=/; SameSite=Lax",
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "content-length": "14",
    }
    assert answer.errors == []


@pytest.mark.parametrize("code", [EACCES, EPERM])
def test_no_permission_is_a_403(code: int) -> None:
    answer = missing(PermissionError(code, "secret"))
    assert (answer.status, answer.text, answer.errors) == (403, "403 Forbidden\n", [])
    assert answer.headers["x-kept"] == "1"


@pytest.mark.parametrize("code", [EMFILE, EIO])
def test_any_other_error_is_a_failure(code: int) -> None:
    """Too many open files, say: the fault is ours."""
    answer = missing(OSError(code, "secret"))
    assert (answer.status, answer.text) == (500, "500 Internal Server Error\n")
    assert "x-kept" not in answer.headers
    ((error, where),) = answer.errors
    assert isinstance(error, OSError)
    assert where == "file of GET '/'"


def test_an_error_without_a_number_is_told_by_its_class() -> None:
    assert status_of_open_error(FileNotFoundError()) == 404
    assert status_of_open_error(NotADirectoryError()) == 404
    assert status_of_open_error(ValueError("NUL")) == 500


@pytest.mark.parametrize("path", [None, 5, ["/f"], b"/f"], ids=repr)
def test_a_path_that_is_no_str_or_pathlike_is_refused(path: object) -> None:
    response = Response()
    response.body = "before"
    with pytest.raises(
        TypeError,
        match=f"the path of a file must be str or PathLike, or an open binary file, not {type(path).__name__}",
    ):
        loose(response.file)(path)
    with (
        pytest.raises(TypeError, match="within= of a file must be str or PathLike")
        if path is not None
        else (pytest.raises(TypeError, match="must be str or PathLike"))
    ):
        loose(response.file)("a.txt" if path is not None else None, within=path)
    assert response.body == "before"


def test_a_path_object_of_bytes_is_refused() -> None:
    class Octets:
        def __fspath__(self) -> bytes:
            return b"/f"

    with pytest.raises(TypeError, match=r"must be text, not bytes: .*os\.fsdecode"):
        loose(Response().file)(Octets())


@pytest.mark.parametrize("options", [{"content_type": "text/plain\r\n"}, {"content_encoding": "gzip\n"}], ids=repr)
def test_a_control_character_in_type_or_encoding_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="control character"):
        loose(Response().file)("/f", **options)


def test_the_tag_is_weak_while_the_file_is_young() -> None:
    """RFC 9110 §8.8.1: it could change again and keep its time."""
    strong = etag_of(5, 1_000_000_000_000_000_000, 1_000_000_001.0)
    assert strong.startswith(b'"')
    assert etag_of(5, 1_000_000_000_000_000_000, 1_000_000_000.5) == b"W/" + strong


def test_the_tag_tells_size_and_nanosecond_apart() -> None:
    tags = {etag_of(size, time, 2e9) for size in (1, 2, 3) for time in (10**18, 10**18 + 1)}
    assert len(tags) == 6


def test_a_date_in_the_future_is_the_time_of_the_answer() -> None:
    """RFC 9110 §8.8.2.1: not later than Date, which may lag behind."""
    changed = 2_000_000_000_000_000_000
    assert last_modified_of(changed, 1_000_000_000.5, 0.0) == b"Sun, 09 Sep 2001 01:46:40 GMT"
    assert last_modified_of(changed, 1_000_000_000.5, 2.0) == b"Sun, 09 Sep 2001 01:46:38 GMT"


def test_a_date_that_cannot_be_written_is_left_off() -> None:
    """No HTTP-date has a year of five digits, or none."""
    clock = Clock(1e15)
    answer = Client(app_of(lambda res: res.file("/f")), clock=clock, disk=Disk({"/f": b"x"}, 1e14)).get("/")
    assert answer.status == 200
    assert "last-modified" not in answer.headers
    assert "etag" in answer.headers


def test_a_file_that_shrinks_while_it_is_sent_breaks_off() -> None:
    """A short body never looks whole."""

    class Shrinking(dict[str, bytes]):
        reads = 0

        @override
        def __getitem__(self, path: str) -> bytes:
            self.reads += 1
            return b"hello" if self.reads == 1 else b"he"

    disk = Disk()
    files = Shrinking({"/f": b"hello"})
    object.__setattr__(disk, "files", files)
    answer = ask(lambda res: res.file("/f"), disk=disk)
    assert (answer.headers["content-length"], answer.body, answer.ended) == ("5", b"he", False)
    assert [type(error) for error, _ in answer.errors] == [EOFError]
    assert answer.outcome is not None
    assert (answer.outcome.kind, answer.outcome.body_bytes) == ("failed", 2)
    assert disk.open_files == []


def test_a_client_that_leaves_has_the_file_closed() -> None:
    disk = Disk(DISK_FILES)
    client = Client(app_of(lambda res: res.file("/www/a.txt")), disk=disk)
    answer = client.request("GET", "/", leave_after=1)
    assert answer.outcome is not None
    assert (answer.outcome.kind, disk.open_files) == ("disconnected", [])
