"""SPEC 3: validators of any body, and what the conditions of a request make of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from errno import EACCES
from typing import Final

import pytest

from heaven_core import AUTO, App, Context, Request, Response
from heaven_core.testing import Client, Disk, Result
from tests.handlers.kit import Act, ask, fields_of, given

DATE = "Tue, 28 Aug 2001 12:00:00 GMT"
SECONDS = 999_000_000


def tagged(res: Response) -> None:
    res.headers = "Cache-Control", "max-age=5"
    res.headers = "Content-Language", "en"
    res.cookie("a", "1")
    res.etag = "v1"
    res.last_modified = SECONDS
    res.body = "hello"


def served(act: Act, method: str = "GET", **lines: str) -> Result:
    disk = Disk({"/f.txt": b"hello", "/empty": b""})
    answer = ask(act, method, disk=disk, headers={name.replace("_", "-"): value for name, value in lines.items()})
    assert disk.open_files == []
    return answer


def test_validators_go_out_with_any_body() -> None:
    answer = served(tagged)
    assert (answer.status, answer.body) == (200, b"hello")
    assert (answer.headers["etag"], answer.headers["last-modified"]) == ('"v1"', DATE)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_304_has_the_fields_that_update_a_stored_response_and_no_others(method: str) -> None:
    """RFC 9110 §15.4.5."""
    answer = served(tagged, method, If_None_Match='"v1"')
    assert (answer.status, answer.body, answer.ended) == (304, b"", True)
    assert fields_of(answer) == {
        "cache-control": "max-age=5",
        "set-cookie": "a=1; Path=/; SameSite=Lax",
        "etag": '"v1"',
    }
    assert answer.outcome is not None
    assert (answer.outcome.kind, answer.outcome.status, answer.outcome.body_bytes) == ("complete", 304, 0)


def test_304_keeps_the_date_where_there_is_no_tag() -> None:
    def dated(res: Response) -> None:
        res.last_modified = datetime(2001, 8, 28, 12, tzinfo=UTC)
        res.body = "hello"

    answer = served(dated, If_Modified_Since=DATE)
    assert (answer.status, fields_of(answer)) == (304, {"last-modified": DATE})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_412_is_a_short_text_without_the_fields_of_the_body(method: str) -> None:
    answer = served(tagged, method, If_Match='"v2"')
    assert (answer.status, answer.body) == (412, b"" if method == "HEAD" else b"412 Precondition Failed\n")
    assert fields_of(answer) == {
        "set-cookie": "a=1; Path=/; SameSite=Lax",
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "content-length": "24",
    }


def missing(res: Response) -> None:
    res.file("/missing.txt")


def forbidden(res: Response) -> None:
    res.file("/forbidden.txt")


def unmet(res: Response) -> None:
    res.check(etag="v1")


def found(res: Response) -> None:
    res.file("/f.txt")


@pytest.mark.parametrize(
    ("status", "act", "lines"),
    [
        (404, missing, {}),
        (403, forbidden, {}),
        (412, unmet, {"If-Match": '"v2"'}),
        (412, found, {"If-Match": '"v2"'}),
        (416, found, {"Range": "bytes=5-"}),
    ],
)
def test_what_was_said_of_storing_a_representation_is_not_said_of_the_error_in_its_place(
    status: int, act: Act, lines: dict[str, str]
) -> None:
    """RFC 9111 §5.2.2: a 404 with `immutable` would be a 404 for a year, long after the file is there."""

    def cached(res: Response) -> None:
        res.cache(public=True, max_age=31_536_000, immutable=True)
        res.headers = "Expires", DATE
        res.vary("Accept")
        act(res)

    disk = Disk({"/f.txt": b"hello"})
    disk.errors["/forbidden.txt"] = PermissionError(EACCES, "no")
    answer = ask(cached, disk=disk, headers=lines)
    assert answer.status == status
    assert "cache-control" not in answer.headers
    assert "expires" not in answer.headers
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("status", [203, 299])
def test_conditions_hold_for_every_2xx(status: int) -> None:
    def act(res: Response) -> None:
        tagged(res)
        res.status = status

    assert served(act, If_None_Match='"v1"').status == 304


@pytest.mark.parametrize("status", [302, 404, 500])
def test_conditions_are_ignored_for_other_statuses(status: int) -> None:
    """RFC 9110 §13.2.1."""

    def act(res: Response) -> None:
        tagged(res)
        res.status = status

    assert served(act, If_None_Match='"v1"', If_Match='"v2"').status == status


def test_without_a_validator_conditions_are_ignored() -> None:
    assert served(lambda res: res.html("x"), If_Match='"v1"', If_None_Match="*").status == 200


def test_a_request_that_changes_state_is_never_judged_by_the_tag_of_its_answer() -> None:
    """SPEC 3: on POST the validators describe the new state."""
    assert served(tagged, "POST", If_Match='"v0"', If_None_Match='"v1"').status == 200


def test_a_file_has_conditions() -> None:
    whole = served(lambda res: res.file("/f.txt"))
    tag = whole.headers["etag"]
    assert served(lambda res: res.file("/f.txt"), If_None_Match=tag).status == 304
    assert served(lambda res: res.file("/f.txt"), If_Modified_Since=whole.headers["last-modified"]).status == 304
    assert served(lambda res: res.file("/f.txt"), If_Match='"x"').status == 412
    assert served(lambda res: res.file("/f.txt"), If_Match=tag).body == b"hello"


def test_a_file_takes_a_tag_of_its_own() -> None:
    assert served(lambda res: res.file("/f.txt", etag="v9"), If_None_Match='"v9"').status == 304


class Items:
    """Items that write down what is done with them."""

    def __init__(self, done: list[str]) -> None:
        self.done = done

    def __iter__(self) -> Iterator[bytes]:
        self.done.append("begun")
        return iter([b"x"])

    def close(self) -> None:
        self.done.append("closed")


def test_a_stream_with_a_tag_is_not_begun_but_closed() -> None:
    done: list[str] = []

    def act(res: Response) -> None:
        res.etag = "v1"
        res.stream(Items(done))

    assert served(act, If_None_Match='"v1"').status == 304
    assert done == ["closed"]
    assert served(act, If_Match='"v2"').status == 412
    assert done == ["closed", "closed"]
    assert served(act).body == b"x"
    assert done[2] == "begun"


def test_an_automatic_tag_is_made_of_the_body() -> None:
    def act(res: Response) -> None:
        res.etag = AUTO
        assert res.etag is AUTO
        res.body = {"a": 1}

    tag = served(act).headers["etag"]
    assert tag.startswith('W/"')
    assert served(act, If_None_Match=tag).status == 304
    assert served(act, "HEAD").headers["etag"] == tag


def test_a_tag_replaces_an_automatic_one_and_none_takes_it_away() -> None:
    def act(res: Response) -> None:
        res.etag = AUTO
        res.etag = "v1"
        res.body = "x"

    def none(res: Response) -> None:
        res.etag = "v1"
        res.etag = AUTO
        res.etag = None
        res.last_modified = 1.0
        res.last_modified = None
        res.body = "x"

    assert served(act).headers["etag"] == '"v1"'
    assert "etag" not in served(none).headers
    assert "last-modified" not in served(none).headers


def test_a_tag_set_by_hand_wins_over_an_automatic_one() -> None:
    def act(res: Response) -> None:
        res.etag = AUTO
        res.headers = "ETag", '"hand"'
        res.body = "x"

    assert served(act).headers["etag"] == '"hand"'


def test_a_stream_has_no_automatic_tag() -> None:
    def act(res: Response) -> None:
        res.etag = AUTO
        res.stream([b"x"])

    answer = served(act)
    assert (answer.status, "etag" in answer.headers) == (500, False)
    assert "AUTO" in str(answer.errors[0][0])


def test_a_failure_has_no_tag() -> None:
    def act(res: Response) -> None:
        res.etag = AUTO
        res.body = {"a": object()}

    answer = served(act, If_None_Match="*")
    assert (answer.status, "etag" in answer.headers) == (500, False)


def test_getters_give_what_was_set() -> None:
    response = Response()
    assert (response.etag, response.last_modified, response.fresh, response.ranges) == (None, None, False, False)
    response.etag = "v1"
    response.last_modified = SECONDS + 0.5
    assert (response.etag, response.last_modified) == ('"v1"', datetime(2001, 8, 28, 12, tzinfo=UTC))


REFUSED: Final[list[Act]] = [
    lambda res: setattr(res, "etag", "a b"),
    lambda res: setattr(res, "last_modified", "today"),
    lambda res: setattr(res, "max_ranges", -1),
    lambda res: res.vary("a b"),
    lambda res: res.check(etag="v1", exists=False),
    lambda res: res.check(last_modified=1, exists=False),
    lambda res: res.check(etag='"'),
    lambda res: res.file("/f.txt", etag='"'),
]


@pytest.mark.parametrize("act", REFUSED)
def test_a_wrong_value_is_refused_at_the_line(act: Act) -> None:
    answer = served(act)
    assert answer.status == 500
    assert isinstance(answer.errors[0][0], (TypeError, ValueError))


def test_fresh_says_before_the_work_that_a_304_will_do() -> None:
    worked: list[str] = []

    def act(res: Response) -> None:
        res.etag = "v1"
        if res.fresh:
            return
        worked.append("work")
        res.body = "costly"

    assert served(act, If_None_Match='"v1"').status == 304
    assert served(act, "POST", If_None_Match='"v1"').status == 200
    assert worked == ["work"]
    assert served(act, If_None_Match='"v2"').body == served(act).body == b"costly"
    assert served(act, If_Match='"v2"').status == 412


@pytest.mark.parametrize(
    ("method", "line", "status"),
    [
        ("PUT", ("If-Match", '"v1"'), 204),
        ("PUT", ("If-Match", '"v0"'), 412),
        ("PUT", ("If-None-Match", "*"), 412),
        ("PUT", ("If-Unmodified-Since", DATE), 204),
        ("PUT", ("If-Unmodified-Since", "Tue, 28 Aug 2001 11:59:59 GMT"), 412),
        ("PUT", ("X-Other", "1"), 204),
        ("GET", ("If-None-Match", '"v1"'), 304),
        ("GET", ("If-Match", '"v0"'), 412),
        ("OPTIONS", ("If-Match", '"v0"'), 204),
    ],
)
def test_check_decides_before_the_work(method: str, line: tuple[str, str], status: int) -> None:
    """RFC 9110 §13.2.2; OPTIONS has no conditions (§13.2.1)."""
    worked: list[str] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Mine", "1"
        res.check(etag="v1", last_modified=SECONDS)
        worked.append(req.method)
        res.status = 204

    app = App()
    app.GET("/", handler)
    app.PUT("/", handler)
    app.OPTIONS("/", handler)
    answer = Client(app).request(method, "/", headers=dict([line]))
    assert (answer.status, answer.headers["x-mine"]) == (status, "1")
    assert worked == ([method] if status == 204 else [])
    assert answer.errors == []
    if status == 304:
        assert answer.headers["etag"] == '"v1"'
        assert "last-modified" not in answer.headers
    if status == 412:
        assert answer.body == b"412 Precondition Failed\n"


@pytest.mark.parametrize(("line", "status"), [(("If-Match", "*"), 412), (("If-None-Match", "*"), 201)])
def test_check_of_what_is_not_there(line: tuple[str, str], status: int) -> None:
    def act(res: Response) -> None:
        res.check(exists=False)
        res.status = 201

    assert ask(act, "POST", headers=dict([line])).status == status


def test_a_304_of_check_has_the_date_where_there_is_no_tag() -> None:
    answer = served(lambda res: res.check(last_modified=SECONDS), If_Modified_Since=DATE)
    assert (answer.status, fields_of(answer)) == (304, {"last-modified": DATE})


def test_a_304_of_check_has_the_tag() -> None:
    answer = served(lambda res: res.check(etag="v1"), If_None_Match='"v1"')
    assert (answer.status, fields_of(answer)) == (304, {"etag": '"v1"'})


def test_check_needs_a_request() -> None:
    with pytest.raises(RuntimeError, match="no request"):
        given(lambda res: res.check(etag="v1"))


def test_notes_say_why() -> None:
    notes = [note.source for note in served(tagged, If_None_Match='"v1"').notes]
    assert notes[0] == "RFC 9110 §13.2.2"


def test_vary_names_each_field_once() -> None:
    response = given(lambda res: res.vary("Origin", "Accept-Encoding", "origin"))
    assert response.headers.get_all("Vary") == ["Origin", "Accept-Encoding"]


def test_any_body_can_be_given_a_name() -> None:
    def act(res: Response) -> None:
        res.body = b"a,b\n"
        res.disposition("table.csv")

    assert served(act).headers["content-disposition"] == 'attachment; filename="table.csv"'
    assert served(lambda res: res.disposition("a", inline=True)).headers["content-disposition"].startswith("inline")


def test_a_last_modified_beyond_what_a_date_can_say_is_none() -> None:
    """The leap second at the end of the year 9999, which a handler may have set as a header."""
    response = Response()
    response.headers = "Last-Modified", "Fri, 31 Dec 9999 23:59:60 GMT"
    assert response.last_modified is None


def test_a_304_of_check_goes_out_as_it_was_decided_whatever_the_body_before_it_was() -> None:
    """It is sealed like an abort: a body that can't be encoded is met once, as the 500 that it is, and reported."""
    went_on: list[str] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.body = {"bad": object()}
        try:
            res.check(etag="v1")
        except Exception:
            went_on.append("caught")
        res.body = "went on"

    app = App()
    app.GET("/", handler)
    answer = Client(app, raise_errors=False).get("/", headers={"If-None-Match": '"v1"'})
    assert (answer.status, went_on) == (500, [])
    assert [type(error) for error, _ in answer.errors] == [TypeError]


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": '"v1"'}, {"If-Match": '"v2"'}])
def test_a_stream_with_an_impossible_head_is_a_500_whatever_the_condition_says(headers: dict[str, str]) -> None:
    """RFC 9110 §7.8: Upgrade belongs to a 426, and neither a 304 nor a 412 may have it."""

    def act(res: Response) -> None:
        res.etag = "v1"
        res.headers.set("Upgrade", "h2c")
        res.stream([b"item"])

    answer = ask(act, headers=headers)
    assert answer.status == 500
    assert [type(error) for error, _ in answer.errors] == [ValueError]
