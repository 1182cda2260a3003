"""SPEC 3, `precompressed=True`: siblings of a file that were encoded beforehand."""

from __future__ import annotations

from errno import EACCES, EMFILE

import pytest

from heaven_core import FileInfo, Response
from heaven_core.machine.file_metadata import is_older
from heaven_core.testing import Disk, Result
from tests.handlers.kit import Act, ask, fields_of, loose

PLAIN = b"function f() {}\n"
MTIME = 999_000_000.0
DATE = "Tue, 28 Aug 2001 12:00:00 GMT"


def make_disk() -> Disk:
    return Disk({"/a.js": PLAIN, "/a.js.br": b"BR", "/a.js.gz": b"GZIP", "/b.js": PLAIN}, MTIME)


def script(res: Response) -> None:
    res.file("/a.js", precompressed=True)


def serve(act: Act = script, method: str = "GET", disk: Disk | None = None, **lines: str) -> Result:
    disk = disk or make_disk()
    answer = ask(act, method, disk=disk, headers={name.replace("_", "-"): value for name, value in lines.items()})
    assert disk.open_files == []
    return answer


def test_the_sibling_goes_out_with_the_type_of_the_file_and_its_own_length_and_tag() -> None:
    """RFC 9110 §8.4, §8.8.3.3."""
    plain, encoded = serve(), serve(Accept_Encoding="br")
    assert (encoded.status, encoded.body) == (200, b"BR")
    fields = fields_of(encoded)
    tag = fields.pop("etag")
    assert tag.endswith('-br"')
    assert tag != plain.headers["etag"]
    assert fields == {
        "vary": "Accept-Encoding",
        "content-encoding": "br",
        "last-modified": DATE,
        "accept-ranges": "bytes",
        "content-type": "text/javascript; charset=utf-8",
        "x-content-type-options": "nosniff",
        "content-length": "2",
    }


@pytest.mark.parametrize(
    ("accepted", "body"),
    [
        ("gzip, br", b"BR"),
        ("gzip, br;q=0.5", b"GZIP"),
        ("zstd, gzip;q=0.1", b"GZIP"),
        ("zstd", PLAIN),
        ("deflate", PLAIN),
        ("identity, br;q=0.5", PLAIN),
        ("*", b"BR"),
    ],
)
def test_the_client_says_which(accepted: str, body: bytes) -> None:
    """RFC 9110 §12.5.3."""
    assert serve(Accept_Encoding=accepted).body == body


def test_where_the_file_as_it_is_is_excluded_and_no_sibling_there_it_goes_out_all_the_same() -> None:
    answer = serve(lambda res: res.file("/b.js", precompressed=True), Accept_Encoding="identity;q=0, gzip")
    assert (answer.status, answer.body) == (200, PLAIN)
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ({}, 200),
        ({"Accept_Encoding": "br"}, 200),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": "*", "Accept_Encoding": "br"}, 304),
        ({"If_Match": '"other"', "Accept_Encoding": "br"}, 412),
        ({"Range": "bytes=99-"}, 416),
        ({"Range": "bytes=0-0"}, 206),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_answer_says_that_it_varies(method: str, lines: dict[str, str], status: int) -> None:
    """RFC 9110 §12.5.5: a cache must not give the plain file to one who asks otherwise, nor the other way round."""
    answer = serve(script, method, None, **lines)
    assert answer.status == (200 if method == "HEAD" and "Range" in lines else status)
    assert answer.headers.get_all("vary") == ["Accept-Encoding"]


def test_accept_encoding_in_vary_is_not_said_twice() -> None:
    def act(res: Response) -> None:
        res.vary("Origin", "accept-encoding")
        res.file("/a.js", precompressed=True)

    assert serve(act).headers.get_all("vary") == ["Origin", "accept-encoding"]


def test_the_tag_of_a_sibling_is_compared_with_its_own() -> None:
    plain, encoded = serve().headers["etag"], serve(Accept_Encoding="br").headers["etag"]
    assert serve(Accept_Encoding="br", If_None_Match=encoded).status == 304
    assert serve(Accept_Encoding="br", If_None_Match=plain).status == 200
    assert serve(If_None_Match=encoded).status == 200


@pytest.mark.parametrize("tag", ['"v1"', 'W/"v1"'])
def test_a_tag_of_the_handlers_is_made_another_for_the_sibling(tag: str) -> None:
    """RFC 9110 §8.8.3.3: two encodings of one version are two representations."""

    def as_argument(res: Response) -> None:
        res.file("/a.js", etag=tag, precompressed=True)

    def as_field(res: Response) -> None:
        res.etag = tag
        res.file("/a.js", precompressed=True)

    for act in (as_argument, as_field):
        assert serve(act).headers["etag"] == tag
        assert serve(act, Accept_Encoding="gzip").headers["etag"] == tag[:-1] + '-gzip"'


def test_one_range_is_of_the_encoded_bytes() -> None:
    answer = serve(Accept_Encoding="gzip", Range="bytes=1-2")
    assert (answer.status, answer.body) == (206, b"ZI")
    assert answer.headers["content-range"] == "bytes 1-2/4"
    assert answer.headers["content-encoding"] == "gzip"


def test_of_an_encoded_file_several_ranges_are_the_whole() -> None:
    answer = serve(Accept_Encoding="gzip", Range="bytes=0-0,2-2")
    assert (answer.status, answer.body) == (200, b"GZIP")


def test_a_sibling_older_than_its_file_is_passed_over() -> None:
    disk = make_disk()
    disk.mtimes["/a.js.br"] = MTIME - 0.001
    assert serve(disk=disk, Accept_Encoding="br, gzip").body == b"GZIP"
    disk.mtimes["/a.js.gz"] = MTIME - 100
    assert serve(disk=disk, Accept_Encoding="br, gzip").body == PLAIN


def test_a_sibling_that_has_its_files_time_without_the_fraction_is_not_older() -> None:
    """What a compressor that copies whole seconds leaves."""
    disk = make_disk()
    disk.mtimes["/a.js"] = MTIME + 0.75
    assert serve(disk=disk, Accept_Encoding="br").body == b"BR"


def test_a_sibling_that_must_not_be_read_is_passed_over() -> None:
    disk = make_disk()
    disk.errors["/a.js.br"] = PermissionError(EACCES, "no")
    assert serve(disk=disk, Accept_Encoding="br, gzip").body == b"GZIP"


def test_a_sibling_that_fails_otherwise_is_a_failure() -> None:
    """SPEC 1: too many open files, say."""
    disk = make_disk()
    disk.errors["/a.js.br"] = OSError(EMFILE, "too many")
    answer = serve(disk=disk, Accept_Encoding="br, gzip")
    assert (answer.status, [type(error) for error, _ in answer.errors]) == (500, [OSError])


@pytest.mark.parametrize(
    ("sibling", "file", "older"),
    [
        (5, 5, False),
        (6, 5, False),
        (4, 5, True),
        (None, 5, True),
        (5, None, True),
        (3_000_000_000, 3_000_000_001, False),
    ],
)
def test_a_sibling_is_older_if_its_time_is_earlier_or_a_time_is_missing(
    sibling: int | None, file: int | None, older: bool
) -> None:
    """One without a time could be of any age."""
    assert is_older(FileInfo(1, sibling), FileInfo(1, file)) is older


def test_a_missing_file_is_missing_whatever_lies_beside_it() -> None:
    disk = make_disk()
    del disk.files["/a.js"]
    answer = serve(disk=disk, Accept_Encoding="br")
    assert answer.status == 404
    assert "vary" not in answer.headers


def test_siblings_are_confined_as_the_file_is() -> None:
    answer = serve(lambda res: res.file("a.js", within="/", precompressed=True), Accept_Encoding="br")
    assert answer.body == b"BR"


def test_a_content_encoding_of_the_handlers_excludes_it() -> None:
    with pytest.raises(ValueError, match="leave out one"):
        Response().file("/a.js", precompressed=True, content_encoding="gzip")

    def act(res: Response) -> None:
        res.headers = "Content-Encoding", "gzip"
        res.file("/a.js", precompressed=True)

    answer = serve(act)
    assert answer.status == 500
    assert "leave out one" in str(answer.errors[0][0])


def test_an_open_file_has_no_siblings() -> None:
    with open(__file__, "rb") as file, pytest.raises(ValueError, match="open already"):
        loose(Response().file)(file, precompressed=True)


def test_a_date_does_not_say_which_of_the_two_a_client_has() -> None:
    """RFC 9110 §8.8.2.2, §13.1.5: a compressor keeps the date, so a range of the one would be joined to the other."""
    part = serve(Range="bytes=0-1", If_Range=DATE, Accept_Encoding="br")
    assert (part.status, part.body) == (200, b"BR")
    tag = serve(Accept_Encoding="br").headers["etag"]
    assert serve(Range="bytes=0-0", If_Range=tag, Accept_Encoding="br").status == 206
