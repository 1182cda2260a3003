"""SPEC 2, `app.errors`: the app's own page for whatever goes wrong, also where it is found out as the body is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from errno import EACCES, EMFILE
from io import BytesIO
from typing import TypeAlias

import pytest

from heaven_core import (
    App,
    BadRequest,
    ClientDisconnected,
    ClientError,
    Conflict,
    Context,
    Forbidden,
    NotFound,
    Request,
    Response,
    TooManyRequests,
    Unauthorized,
)
from heaven_core.testing import Client, Disk, Result
from tests.handlers.kit import loose

Act: TypeAlias = Callable[[Request, Response, Context], None]
DISK = {"/d/a.txt": b"hello", "/pages/404.html": b"<p>not here"}


class Page:
    """Says its name, the status and what was raised."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[BaseException | None] = []

    def __call__(self, req: Request, res: Response, ctx: Context) -> None:
        self.seen.append(res.error)
        res.json([self.name, res.status, ctx.peek("kept")])


def keep(req: Request, res: Response, ctx: Context) -> None:
    ctx.keep("kept", "by a hook")
    res.headers = "X-Hook", "1"


def ask(act: Act, page: object, *, key: int | type[Exception] = 404, disk: Disk | None = None, **given: str) -> Result:
    """What the client gets from a handler that does `act`, and an app that has this page."""
    app = App()
    app.before("*", keep)
    app.GET("/", act)
    loose(app.errors)(key, page)
    headers = {name.replace("_", "-"): value for name, value in given.items()}
    return Client(app, disk=disk or Disk(DISK), raise_errors=False).get("/", headers=headers)


def missing_file(req: Request, res: Response, ctx: Context) -> None:
    res.headers = "X-Handler", "1"
    res.cache(max_age=60)
    res.file("/d/none.txt")


def file(req: Request, res: Response, ctx: Context) -> None:
    res.file("/d/a.txt")


def tagged_stream(req: Request, res: Response, ctx: Context) -> None:
    res.etag = "v1"
    res.stream([b"a"])


def refused(status: int) -> Act:
    def act(req: Request, res: Response, ctx: Context) -> None:
        res.headers = "X-Handler", "1"
        res.status = status

    return act


def aborted(req: Request, res: Response, ctx: Context) -> None:
    res.status = 404
    res.abort()


def raising(error: BaseException) -> Act:
    """A stream whose first step raises it."""

    def act(req: Request, res: Response, ctx: Context) -> None:
        def rows() -> Iterator[bytes]:
            if req.path:
                raise error
            yield b""

        res.headers = "X-Handler", "1"
        res.stream(rows())

    return act


class TestWhatAPageIsFor:
    @pytest.mark.parametrize("act", [missing_file, refused(404), aborted])
    def test_a_status_that_nobody_has_raised(self, act: Act) -> None:
        page = Page("page")
        answer = ask(act, page)
        assert (answer.status, answer.json, page.seen) == (404, ["page", 404, "by a hook"], [None])
        assert answer.headers["X-Hook"] == "1"
        assert answer.errors == []

    def test_what_the_handler_has_set_beside_the_body_stays(self) -> None:
        for act in (missing_file, refused(404)):
            assert ask(act, Page("page")).headers["X-Handler"] == "1"

    def test_any_status_from_400_to_599(self) -> None:
        for status in (400, 402, 418, 451, 500, 507, 599):
            assert ask(refused(status), Page("page"), key=status).json == ["page", status, "by a hook"]

    def test_a_file_that_may_not_be_read(self) -> None:
        disk = Disk(DISK)
        disk.errors["/d/a.txt"] = PermissionError(EACCES, "no")
        assert ask(file, Page("page"), key=403, disk=disk).json == ["page", 403, "by a hook"]

    def test_a_condition_that_does_not_hold(self) -> None:
        for act in (file, tagged_stream):
            answer = ask(act, Page("page"), key=412, if_match='"another"')
            assert (answer.status, answer.json) == (412, ["page", 412, "by a hook"])

    def test_a_range_that_is_not_there(self) -> None:
        answer = ask(file, Page("page"), key=416, range="bytes=99-")
        assert (answer.status, answer.json) == (416, ["page", 416, "by a hook"])
        assert answer.headers["Content-Range"] == "bytes */5"

    def test_a_body_that_was_set_or_none_that_was_asked_for_keeps_it(self) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            res.status = 404
            res.body = "mine"

        assert ask(act, Page("page")).text == "mine"
        assert ask(refused(204), Page("page")).status == 204

    @pytest.mark.parametrize("path", ["/static/none.txt", "/static/.hidden", "/static/../x"])
    def test_a_path_that_app_files_does_not_serve(self, path: str) -> None:
        app = App()
        app.files("/static/*", "/d")
        app.errors(404, Page("page"))
        assert Client(app, disk=Disk(DISK)).get(path).json == ["page", 404, None]

    def test_a_class_of_exceptions_is_for_what_was_raised_alone(self) -> None:
        assert ask(missing_file, Page("page"), key=NotFound).text == "404 Not Found\n"
        assert ask(raising(NotFound("x")), Page("page"), key=NotFound).json == ["page", 404, "by a hook"]

    def test_a_missing_page_leaves_the_short_text(self) -> None:
        assert ask(missing_file, Page("page"), key=403).text == "404 Not Found\n"


class TestFailures:
    def test_a_first_step_that_raises(self) -> None:
        error = LookupError("broken")
        for key in (500, LookupError, Exception):
            page = Page("page")
            answer = ask(raising(error), page, key=key)
            assert (answer.status, answer.json, page.seen) == (500, ["page", 500, "by a hook"], [error])
            assert answer.errors == [(error, "stream of GET '/'")]
            assert answer.headers["X-Hook"] == "1"
            assert "X-Handler" not in answer.headers

    def test_a_first_step_that_refuses_the_request_has_the_status_of_that(self) -> None:
        answer = ask(raising(Conflict("taken", headers={"X-Why": "1"})), Page("page"))
        assert (answer.status, answer.text, answer.errors) == (409, "409 Conflict: taken\n", [])
        assert answer.headers["X-Why"] == "1"
        assert "X-Handler" not in answer.headers

    def test_and_the_page_of_that(self) -> None:
        error = Conflict("taken", headers={"X-Why": "1"})
        page = Page("page")
        answer = ask(raising(error), page, key=409)
        assert (answer.status, answer.json, page.seen) == (409, ["page", 409, "by a hook"], [error])
        assert (answer.headers["X-Why"], answer.errors) == ("1", [])

    def test_a_refusal_of_an_impossible_status_is_a_failure(self) -> None:
        class Odd(ClientError):
            status = 200

        for page, key in ((Page("page"), 500), (Page("page"), 404)):
            answer = ask(raising(Odd("odd")), page, key=key)
            assert answer.status == 500
            assert "Odd.status must be from 400 to 499" in str(answer.errors[0][0])
            assert str(answer.errors[0][0].__context__) == "odd"

    def test_a_client_that_is_gone_has_no_page(self) -> None:
        page = Page("page")
        answer = ask(raising(ClientDisconnected("gone")), page, key=500)
        assert (answer.events, page.seen, answer.errors) == ([], [], [])
        assert answer.outcome is not None
        assert answer.outcome.kind == "disconnected"

    def test_an_open_that_fails(self) -> None:
        disk = Disk(DISK)
        disk.errors["/d/a.txt"] = OSError(EMFILE, "too many")
        assert ask(file, Page("page"), key=500, disk=disk).json == ["page", 500, "by a hook"]

    def test_a_head_that_is_impossible(self) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            res.headers = "Content-Length", 7
            res.file("/d/a.txt")

        assert ask(act, Page("page"), key=500).json == ["page", 500, "by a hook"]

    def test_a_page_below_500_says_that_it_was_handled(self) -> None:
        def page(req: Request, res: Response, ctx: Context) -> None:
            res.status = 409
            res.text("taken")

        answer = ask(raising(LookupError()), page, key=LookupError)
        assert (answer.status, answer.text, answer.errors) == (409, "taken", [])
        assert answer.outcome is not None
        assert answer.outcome.kind == "complete"


class TestWhatAPageMayDo:
    def test_it_is_a_file(self) -> None:
        def page(req: Request, res: Response, ctx: Context) -> None:
            res.file("/pages/404.html")

        for act in (missing_file, refused(404), raising(NotFound("x"))):
            answer = ask(act, page)
            assert (answer.status, answer.text) == (404, "<p>not here")

    def test_it_is_a_stream_or_an_open_file_which_is_closed(self) -> None:
        held = BytesIO(b"held")

        def page(req: Request, res: Response, ctx: Context) -> None:
            if req.headers.get("x-held") is None:
                res.stream(["not ", "here"])
            else:
                res.file(held)

        assert ask(missing_file, page).text == "not here"
        assert (ask(missing_file, page, x_held="1").text, held.closed) == ("held", True)

    def test_a_file_that_is_not_there_is_a_failure_and_not_another_404(self) -> None:
        def page(req: Request, res: Response, ctx: Context) -> None:
            res.file("/pages/none.html")

        for act, key in ((missing_file, 404), (refused(403), 403), (raising(LookupError()), 500)):
            answer = ask(act, page, key=key)
            assert (answer.status, answer.text) == (500, "500 Internal Server Error\n")
            assert isinstance(answer.errors[-1][0], FileNotFoundError)

    def test_one_that_fails_is_a_500(self) -> None:
        def page(req: Request, res: Response, ctx: Context) -> None:
            raise LookupError("in the page")

        for act in (missing_file, refused(404), aborted):
            answer = ask(act, page)
            assert (answer.status, answer.text) == (500, "500 Internal Server Error\n")
            assert [str(error) for error, _ in answer.errors] == ["in the page"]

    def test_it_aborts(self) -> None:
        def page(req: Request, res: Response, ctx: Context) -> None:
            res.status = 410
            res.abort("gone")

        for act in (missing_file, refused(404), aborted, raising(NotFound("x"))):
            assert (ask(act, page).status, ask(act, page).text) == (410, "gone")

    def test_it_leaves_the_short_text(self) -> None:
        def page(req: Request, res: Response, ctx: Context) -> None:
            res.headers = "X-Page", "1"

        answer = ask(missing_file, page)
        assert (answer.text, answer.headers["X-Page"]) == ("404 Not Found\n", "1")
        assert ask(refused(404), page).body == b""

    def test_the_answer_to_head_has_its_fields(self) -> None:
        app = App()
        app.GET("/", missing_file)
        app.errors(404, Page("page"))
        answer = Client(app, disk=Disk(DISK)).request("HEAD", "/")
        assert (answer.status, answer.headers["Content-Length"], answer.body) == (404, "17", b"")

    def test_what_it_makes_of_a_page_that_is_in_place_of_another_is_not_paged_again(self) -> None:
        """A page that takes a status of 2xx has conditions like any answer, but no page for them."""

        def page(req: Request, res: Response, ctx: Context) -> None:
            res.status = 200
            res.etag = "v2"
            res.text("all right")

        app = App()
        app.GET("/", file)
        app.errors(412, page)
        answer = Client(app, disk=Disk(DISK)).get("/", headers={"If-Match": '"v1"'})
        assert (answer.status, answer.text) == (412, "412 Precondition Failed\n")

    def test_nothing_of_it_goes_to_a_client_that_left_before_it_was_asked_for(self) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            res.status = 404
            raise ClientDisconnected("gone")

        page = Page("page")
        assert (ask(act, page).events, page.seen) == ([], [])

    def test_null_is_a_body(self) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            res.status = 404
            res.json(None)

        assert ask(act, Page("page")).body == b"null"

    def test_nothing_is_said_of_the_body_whose_place_it_takes(self) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            res.content_type = "application/pdf"
            res.disposition("a.pdf")
            res.etag = "v1"
            res.headers = "X-Handler", "1"
            res.status = 404

        answer = ask(act, Page("page"))
        assert answer.headers["Content-Type"] == "application/json"
        assert "Content-Disposition" not in answer.headers
        assert "ETag" not in answer.headers
        assert answer.headers["X-Handler"] == "1"

    def test_a_stream_has_its_own_charset(self) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            res.stream(iter(["€"]), "text/plain; charset=iso-8859-1")

        def page(req: Request, res: Response, ctx: Context) -> None:
            res.stream(["Größe"], "text/html; charset=utf-8")

        assert ask(act, page, key=500).body == "Größe".encode()


class Cancelled(BaseException):
    """A cancellation as an event loop would throw it in."""


class TestCancelledPages:
    def test_what_has_failed_is_reported_all_the_same(self) -> None:
        reported: list[str] = []

        def fails(req: Request, res: Response, ctx: Context) -> None:
            raise LookupError("broken")

        def page(req: Request, res: Response, ctx: Context) -> None:
            raise Cancelled

        for act in (fails, raising(LookupError("broken"))):
            app = App(on_error=lambda error, where: reported.append(str(error)))
            app.GET("/", act)
            app.errors(500, page)
            with pytest.raises(Cancelled):
                Client(app, raise_errors=False).get("/")
        assert reported == ["broken", "broken"]


class TestErrorsOfTheLibrary:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (BadRequest("no number"), "400 Bad Request: no number\n"),
            (Unauthorized("who are you?"), "401 Unauthorized: who are you?\n"),
            (Forbidden(), "403 Forbidden\n"),
            (NotFound("no order 9"), "404 Not Found: no order 9\n"),
            (Conflict("taken"), "409 Conflict: taken\n"),
            (TooManyRequests("slower"), "429 Too Many Requests: slower\n"),
        ],
    )
    def test_each_says_its_text(self, error: ClientError, text: str) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            raise error

        answer = ask(act, Page("page"), key=599)
        assert (answer.status, answer.text, answer.errors) == (error.status, text, [])

    def test_its_headers_survive_the_roll_back(self) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            res.headers = "X-Handler", "1"
            raise TooManyRequests(headers={"Retry-After": 30, "Vary": "Authorization"})

        answer = ask(act, Page("page"), key=599)
        assert (answer.headers["Retry-After"], answer.headers["Vary"]) == ("30", "Authorization")
        assert "X-Handler" not in answer.headers

    @pytest.mark.parametrize("name", ["Retry After", "Date"])
    def test_headers_that_can_not_be_sent_are_a_failure(self, name: str) -> None:
        def act(req: Request, res: Response, ctx: Context) -> None:
            raise TooManyRequests(headers={name: "1"})

        answer = ask(act, Page("page"), key=599)
        assert answer.status == 500
        assert isinstance(answer.errors[0][0], ValueError)

    def test_what_the_library_says_itself_is_not_said_twice(self) -> None:
        app = App()
        app.GET("/", file)
        client = Client(app)
        assert (client.get("/none").text, client.post("/").text) == ("404 Not Found\n", "405 Method Not Allowed\n")
