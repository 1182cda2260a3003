"""SPEC 2, `app.around(pattern, hook)`: round all hooks, the handler and the error page, for every answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import pytest

from heaven_core import App, AroundHook, ClientDisconnected, Context, NotFound, Request, Response, Start
from heaven_core._typing import override
from heaven_core.testing import Client, Result
from tests.handlers.kit import loose


async def of_an_async_generator(req: Request, res: Response, ctx: Context) -> AsyncIterator[None]:
    res.headers = "X-Before", "1"
    yield
    res.headers = "X-After", str(res.status)


def of_a_generator(req: Request, res: Response, ctx: Context) -> Iterator[None]:
    res.headers = "X-Before", "1"
    yield
    res.headers = "X-After", str(res.status)


@asynccontextmanager
async def of_an_async_manager(req: Request, res: Response, ctx: Context) -> AsyncGenerator[None]:
    res.headers = "X-Before", "1"
    yield
    res.headers = "X-After", str(res.status)


@contextmanager
def of_a_manager(req: Request, res: Response, ctx: Context) -> Generator[None]:
    res.headers = "X-Before", "1"
    yield
    res.headers = "X-After", str(res.status)


def hello(req: Request, res: Response, ctx: Context) -> None:
    res.headers = "X-Handler", "1"
    res.body = {"hello": "world"}


def fails(req: Request, res: Response, ctx: Context) -> None:
    raise LookupError("broken")


def aborts(req: Request, res: Response, ctx: Context) -> None:
    res.status = 409
    res.abort("stop")


def missing(req: Request, res: Response, ctx: Context) -> None:
    raise NotFound("nobody")


def app_of(handler: Callable[[Request, Response, Context], None], *hooks: AroundHook) -> App:
    app = App()
    app.GET("/", handler)
    for hook in hooks:
        app.around("/*", hook)
    return app


@pytest.mark.parametrize("hook", [of_an_async_generator, of_a_generator, of_an_async_manager, of_a_manager])
class TestEveryAnswer:
    @pytest.mark.parametrize(("handler", "status"), [(hello, 200), (fails, 500), (aborts, 409), (missing, 404)])
    def test_what_it_sets_is_on_it(
        self, hook: AroundHook, handler: Callable[[Request, Response, Context], None], status: int
    ) -> None:
        answer = Client(app_of(handler, hook), raise_errors=False).get("/")
        assert answer.status == status
        assert (answer.headers["X-Before"], answer.headers["X-After"]) == ("1", str(status))

    def test_a_path_without_a_route_has_it_too(self, hook: AroundHook) -> None:
        client = Client(app_of(hello, hook))
        assert client.get("/none").headers["X-After"] == "404"
        assert client.post("/").headers["X-After"] == "405"
        assert client.request("OPTIONS", "/").headers["X-After"] == "204"


async def waits(req: Request, res: Response, ctx: Context) -> None:
    """Never runs."""


class Told:
    """Hooks and a handler that write down when they run."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def around(self, name: str) -> AroundHook:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            self.heard.append(f"{name} in")
            yield
            self.heard.append(f"{name} out")

        return hook

    def step(self, name: str) -> Callable[[Request, Response, Context], None]:
        def hook(req: Request, res: Response, ctx: Context) -> None:
            self.heard.append(name)

        return hook


class TestOrder:
    def test_it_is_outside_of_hooks_handler_and_page_the_broadest_outermost(self) -> None:
        told = Told()
        app = App()
        app.GET("/a/b", told.step("handler"))
        app.before("*", told.step("before"))
        app.after("*", told.step("after"))
        app.around("/a/b", told.around("narrow"))
        app.around("*", told.around("broad"))
        app.around("*", told.around("second"))
        Client(app).get("/a/b")
        assert told.heard == [
            "broad in", "second in", "narrow in", "before", "handler", "after", "narrow out", "second out", "broad out",
        ]  # fmt: skip

    def test_the_error_page_is_made_inside(self) -> None:
        told = Told()
        app = app_of(fails, told.around("around"))
        app.errors(500, told.step("page"))
        Client(app, raise_errors=False).get("/")
        assert told.heard == ["around in", "page", "around out"]

    def test_methods_choose_whom_it_is_for(self) -> None:
        told = Told()
        app = App()
        app.GET("/", told.step("get"))
        app.POST("/", told.step("post"))
        app.around("/", told.around("around"), methods=["GET"])
        Client(app).post("/")
        Client(app).request("HEAD", "/")
        assert told.heard == ["post", "around in", "get", "around out"]

    def test_a_pattern_that_may_not_match_is_asked_for_each_path(self) -> None:
        told = Told()
        app = App()
        app.GET("/:name", told.step("handler"))
        app.around("/a", told.around("around"))
        Client(app).get("/b")
        assert told.heard == ["handler"]
        Client(app).get("/a")
        assert told.heard == ["handler", "around in", "handler", "around out"]

    def test_one_hook_for_two_patterns_runs_once(self) -> None:
        told = Told()
        hook = told.around("around")
        app = App()
        app.GET("/a", told.step("handler"))
        app.around("/*", hook)
        app.around("/a", hook)
        Client(app).get("/a")
        assert told.heard == ["around in", "handler", "around out"]

    def test_a_second_time_for_one_pattern_is_refused(self) -> None:
        app = app_of(hello, of_a_generator)
        with pytest.raises(ValueError, match="is registered for '/\\*' already"):
            app.around("/*", of_a_generator)

    def test_an_included_apps_is_for_its_prefix(self) -> None:
        app = App()
        app.include("/api", app_of(hello, of_a_generator))
        assert "X-After" in Client(app).get("/api/").headers
        assert "X-After" not in Client(app).get("/").headers


class TestWhatItMayDoAfterwards:
    def test_it_changes_body_status_and_headers(self) -> None:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            assert isinstance(res.error, LookupError) or res.error is None
            res.status = 202
            res.headers.remove("X-Handler")
            res.body = {"wrapped": res.body}

        answer = Client(app_of(hello, hook)).get("/")
        assert (answer.status, answer.json) == (202, {"wrapped": {"hello": "world"}})
        assert "X-Handler" not in answer.headers

    def test_it_changes_what_an_abort_has_sealed(self) -> None:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.body = f"{res.body}, said kindly"

        assert Client(app_of(aborts, hook)).get("/").text == "stop, said kindly"

    def test_what_an_abort_has_sealed_stays_as_it_was_then(self) -> None:
        body = {"a": 1}

        def handler(req: Request, res: Response, ctx: Context) -> None:
            try:
                res.abort(body)
            finally:
                body["a"] = 2

        assert Client(app_of(handler, of_a_generator)).get("/").json == {"a": 1}

    def test_an_object_that_it_changes_in_place_goes_out_changed(self) -> None:
        body = {"a": 1}

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.body = body

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            body["b"] = 2

        assert Client(app_of(handler, hook)).get("/").json == {"a": 1, "b": 2}

    def test_an_aborted_body_of_another_status_passes_the_schema_when_it_becomes_a_2xx(self) -> None:
        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.status = 409
            res.abort({"name": "Ann", "secret": 1})

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.status = 200

        app = App()
        app.GET("/", handler, returns=dict[str, str])
        app.around("/", hook)
        assert Client(app, raise_errors=False).get("/").status == 500

    def test_it_aborts(self) -> None:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.status = 503
            res.abort("later")

        answer = Client(app_of(hello, hook, of_an_async_generator)).get("/")
        assert (answer.status, answer.text, answer.headers["X-After"], answer.errors) == (503, "later", "200", [])

    def test_nothing_goes_to_a_client_that_left_in_its_upload(self) -> None:
        left: list[str] = []

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.headers = "X-After", "1"
            left.append("after")

        app = App()
        app.POST("/", hello)
        app.around("/", hook)
        answer = Client(app).request("POST", "/", b"half", leave_in_upload=True)
        assert (answer.events, left) == ([], ["after"])


class TestFailures:
    def test_one_before_the_yield_is_a_500_and_nothing_inside_runs(self) -> None:
        told = Told()

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            fails(req, res, ctx)
            yield

        answer = Client(
            app_of(told.step("handler"), of_a_generator, hook, told.around("inner")), raise_errors=False
        ).get("/")
        assert (answer.status, told.heard, answer.headers["X-After"]) == (500, [], "500")

    def test_one_after_the_yield_is_a_500_with_what_others_have_set(self) -> None:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            raise LookupError("after")

        answer = Client(app_of(hello, of_a_generator, hook, of_an_async_generator), raise_errors=False).get("/")
        assert (answer.status, answer.text) == (500, "500 Internal Server Error\n")
        assert answer.headers.get_all("X-After") == ["200", "500"]
        assert "X-Handler" not in answer.headers
        assert [str(error) for error, _ in answer.errors] == ["after"]

    def test_what_it_has_set_is_on_a_500_that_is_found_out_when_the_body_is_sent(self) -> None:
        def streams(req: Request, res: Response, ctx: Context) -> None:
            def rows() -> Iterator[str]:
                fails(req, res, ctx)
                yield ""

            res.headers = "X-Handler", "1"
            res.stream(rows())

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            res.headers["Cache-Control"] = "no-cache"
            yield
            res.headers = "X-After", "1"
            res.headers["X-Frame-Options"] = "DENY"
            del res.headers["X-Handler"]

        app = app_of(streams, hook)

        def frame(req: Request, res: Response, ctx: Context) -> None:
            res.headers["X-Frame-Options"] = "SAMEORIGIN"
            res.headers["X-Handler"] = "0"

        app.before("/*", frame)
        answer = Client(app, raise_errors=False).get("/")
        assert (answer.status, answer.headers["X-After"]) == (500, "1")
        assert answer.headers.get_all("X-Frame-Options") == ["DENY"]
        assert "X-Handler" not in answer.headers

    def test_a_body_that_it_makes_impossible_is_a_500(self) -> None:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.body = {"a": object()}

        assert Client(app_of(hello, hook), raise_errors=False).get("/").status == 500

    def test_an_abort_before_the_yield_answers_at_once(self) -> None:
        told = Told()

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            if req.path == "/":
                res.status = 403
                res.abort("no")
            yield

        answer = Client(app_of(told.step("handler"), of_a_generator, hook)).get("/")
        assert (answer.status, answer.text, told.heard, answer.headers["X-After"]) == (403, "no", [], "403")

    def test_an_abort_that_it_swallows_before_the_yield_answers_too(self) -> None:
        told = Told()

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            try:
                res.abort("no")
            except BaseException:
                told.heard.append("swallowed")
            yield

        assert Client(app_of(told.step("handler"), hook)).get("/").text == "no"
        assert told.heard == ["swallowed"]

    def test_a_client_that_leaves_while_it_reads_the_body_is_sent_nothing(self) -> None:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            raise ClientDisconnected("gone")

        assert Client(app_of(hello, hook)).get("/").events == []

    @pytest.mark.parametrize("times", [0, 2])
    def test_it_yields_once(self, times: int) -> None:
        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            for _ in range(times):
                yield

        answer = Client(app_of(hello, hook), raise_errors=False).get("/")
        assert answer.status == 500
        assert isinstance(answer.errors[0][0], RuntimeError)

    def test_what_gives_no_manager_is_told_so(self) -> None:
        app = App()
        with pytest.raises(TypeError, match="an around-hook has one yield, which divides before from after, and"):
            loose(app.around)("/*", waits)
        app.GET("/", hello)
        loose(app.around)("/*", hello)
        answer = Client(app, raise_errors=False).get("/")
        assert answer.status == 500
        assert "gave NoneType: it needs one yield, or to give a context manager" in str(answer.errors[0][0])


class Cancelled(BaseException):
    """A cancellation as an event loop would throw it in."""


class TestCancellation:
    def test_it_comes_out_of_the_yield_and_passes_on(self) -> None:
        heard: list[str] = []

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            try:
                yield
            finally:
                heard.append("finally")

        def cancelled(req: Request, res: Response, ctx: Context) -> None:
            raise Cancelled

        with pytest.raises(Cancelled):
            Client(app_of(cancelled, hook)).get("/")
        assert heard == ["finally"]

    def test_what_is_raised_instead_is_reported_and_it_passes_on(self) -> None:
        reported: list[str] = []

        def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            try:
                yield
            finally:
                raise LookupError("in finally")

        def cancelled(req: Request, res: Response, ctx: Context) -> None:
            raise Cancelled

        app = App(on_error=lambda error, where: reported.append(f"{error} {where}"))
        app.GET("/", cancelled)
        app.around("/", hook)
        with pytest.raises(Cancelled):
            Client(app).get("/")
        assert reported == ["in finally an around-hook of GET '/'"]


class TestWhatIsLeftOfItInALaterFailure:
    def test_cookies_that_the_handler_has_set_are_not(self) -> None:
        def renews(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.cookie("session", "renewed")

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.cookie("auth", "secret")
            fails_at_first_step(req, res, ctx)

        app = app_of(handler, renews)
        app.before("/*", lambda req, res, ctx: res.cookie("session", "old"))
        answer = failing(app)
        assert [line.partition(";")[0] for line in answer.headers.get_all("Set-Cookie")] == ["session=renewed"]

    def test_what_it_has_deferred_and_asked_for_is(self) -> None:
        ran: list[str] = []

        def logs(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.defer(lambda app: ran.append("hook"))
            res.close = True

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.defer(lambda app: ran.append("handler"))
            res.max_ranges = 7
            fails_at_first_step(req, res, ctx)

        answer = failing(app_of(handler, logs))
        assert ran == ["hook"]
        start = answer.events[0]
        assert isinstance(start, Start)
        assert start.close

    def test_nothing_of_a_failure_is_in_what_an_outer_one_makes_of_it(self) -> None:
        def outer(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            raise NotFound("in place of it")

        def inner(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            raise LookupError("after")

        app = App()
        app.GET("/a", hello)
        app.around("/*", outer)
        app.around("/a", inner)
        answer = Client(app, raise_errors=False).get("/a")
        assert (answer.status, answer.headers.get("Cache-Control")) == (404, None)
        assert [str(error) for error, _ in answer.errors] == ["after"]


class TestPages:
    def test_what_it_aborts_with_has_a_page(self) -> None:
        def refuses(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            if req.path == "/":
                res.status = 403
                res.abort()
            yield

        def later(req: Request, res: Response, ctx: Context) -> Iterator[None]:
            yield
            res.status = 404
            res.body = None

        for hook, status in ((refuses, 403), (later, 404)):
            app = app_of(hello, hook)
            app.errors(status, lambda req, res, ctx: res.text(f"page {res.status}"))
            assert Client(app).get("/").text == f"page {status}"

    def test_the_limit_of_a_body_holds_in_it(self) -> None:
        async def reads(req: Request, res: Response, ctx: Context) -> AsyncIterator[None]:
            assert len([piece async for piece in req.stream()]) == 1
            yield

        app = App(max_body_size=10)
        app.POST("/", hello, stream=True)
        app.around("/", reads)
        assert Client(app).post("/", b"x" * 11).status == 413
        assert Client(app).post("/", b"x" * 10).status == 200

    def test_the_body_is_encoded_twice_however_many_there_are(self) -> None:
        counted: list[int] = []

        class Counting(Mapping[str, int]):
            @override
            def __getitem__(self, name: str) -> int:
                return 1

            @override
            def __iter__(self) -> Iterator[str]:
                counted.append(1)
                return iter(["a"])

            @override
            def __len__(self) -> int:
                return 1

        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.body = {"rows": [Counting()]}

        hooks = [timed(number) for number in range(4)]
        assert Client(app_of(handler, *hooks)).get("/").json == {"rows": [{"a": 1}]}
        assert len(counted) <= 2


def timed(number: int) -> AroundHook:
    def hook(req: Request, res: Response, ctx: Context) -> Iterator[None]:
        yield

    return hook


def failing(app: App) -> Result:
    return Client(app, raise_errors=False).get("/")


def fails_at_first_step(req: Request, res: Response, ctx: Context) -> None:
    def rows() -> Iterator[str]:
        fails(req, res, ctx)
        yield ""

    res.stream(rows())
