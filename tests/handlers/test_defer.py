"""SPEC 1, `res.defer` and `res.outcome`; SPEC 5, deferred work, as far as the core goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from typing_extensions import override

from heaven_core import App, Context, Deferred, Outcome, Request, Response, ResponseStarted
from heaven_core.protocol.events import When
from heaven_core.testing import Client, Clock
from tests.handlers.kit import app_of, ask, loose

WHENS: tuple[When, ...] = ("always", "complete", "failed")


def defer_all(res: Response, notes: list[str]) -> None:
    """A call of each kind, which notes its kind."""
    for when in WHENS:

        def call(app: App, kind: str = when) -> None:
            notes.append(kind)

        res.defer(call, when)


def test_runs_after_the_response_in_the_order_of_registration() -> None:
    notes: list[str] = []

    def act(res: Response) -> None:
        res.defer(lambda app: notes.append("first"))
        res.defer(lambda app: notes.append("second"))
        res.body = "sent"
        notes.append("handler")

    answer = ask(act)
    assert notes == ["handler", "first", "second"]
    assert [type(event).__name__ for event in answer.events] == ["Start", "Chunk", "End", "Deferred"]


def test_is_given_the_app() -> None:
    apps: list[App] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(apps.append)

    app = App()
    app.GET("/", handler)
    Client(app).get("/")
    assert apps == [app]


def test_an_async_one_is_awaited() -> None:
    notes: list[str] = []

    async def handler(req: Request, res: Response, ctx: Context) -> None:
        async def later(app: App) -> None:
            await asyncio.sleep(0)
            notes.append("later")

        res.defer(later)

    app = App()
    app.GET("/", handler)
    asyncio.run(Client(app).aget("/"))
    assert notes == ["later"]


def test_a_call_that_raises_is_reported_and_the_next_still_runs() -> None:
    notes: list[str] = []

    def broken(app: App) -> None:
        raise ZeroDivisionError

    def act(res: Response) -> None:
        res.defer(broken)
        res.defer(lambda app: notes.append("next"))

    answer = ask(act)
    assert notes == ["next"]
    ((error, where),) = answer.errors
    assert isinstance(error, ZeroDivisionError)
    assert "broken" in where


def test_is_named_by_its_function() -> None:
    class Sender:
        def __call__(self, app: App) -> None:
            """Send."""

    def act(res: Response) -> None:
        res.defer(print)
        res.defer(Sender())

    (deferred,) = [event for event in ask(act).events if type(event) is Deferred]
    assert [call.name for call in deferred.calls] == ["print", "test_is_named_by_its_function.<locals>.Sender"]


def test_without_any_there_is_no_such_event() -> None:
    assert not [event for event in ask(lambda res: None).events if type(event) is Deferred]


def test_of_a_complete_response_run_always_and_complete() -> None:
    notes: list[str] = []
    ask(lambda res: defer_all(res, notes))
    assert notes == ["always", "complete"]


def test_of_a_failed_handler_runs_failed_alone() -> None:
    """It has sent nothing of its own, although the 500 went out whole."""
    notes: list[str] = []

    def act(res: Response) -> None:
        defer_all(res, notes)
        raise ZeroDivisionError

    answer = ask(act)
    assert notes == ["failed"]
    assert answer.outcome is not None
    assert answer.outcome.kind == "failed"


def test_of_a_hook_that_finished_run_always_and_failed() -> None:
    """What the before-hooks that finished had set stays."""
    notes: list[str] = []

    def hook(req: Request, res: Response, ctx: Context) -> None:
        defer_all(res, notes)

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.defer(lambda app: notes.append("handler"))
        raise ZeroDivisionError

    app = App()
    app.GET("/", handler)
    app.before("*", hook)
    Client(app, raise_errors=False).get("/")
    assert notes == ["always", "failed"]


def test_of_a_broken_stream_run_always_and_failed() -> None:
    notes: list[str] = []

    def act(res: Response) -> None:
        def items() -> Iterator[str]:
            yield "first"
            raise ZeroDivisionError

        res.stream(items())
        defer_all(res, notes)

    assert not ask(act).ended
    assert notes == ["always", "failed"]


def test_of_a_client_that_left_runs_always_alone() -> None:
    notes: list[str] = []

    def handler(req: Request, res: Response, ctx: Context) -> None:
        defer_all(res, notes)
        res.body = "sent"

    app = App()
    app.GET("/", handler)
    answer = Client(app).request("GET", "/", leave_after=1)
    assert notes == ["always"]
    assert answer.outcome is not None
    assert answer.outcome.kind == "disconnected"


@pytest.mark.parametrize("status", [204, 205, 304])
def test_runs_where_nothing_has_content(status: int) -> None:
    notes: list[str] = []

    def act(res: Response) -> None:
        res.status = status
        defer_all(res, notes)

    ask(act)
    ask(act, "HEAD")
    assert notes == ["always", "complete"] * 2


@pytest.mark.parametrize("func", [None, 5, "print", ["call"]], ids=repr)
def test_an_object_that_cannot_be_called_is_refused(func: object) -> None:
    with pytest.raises(TypeError, match=rf"res\.defer\(\) takes a callable, not {type(func).__name__}"):
        loose(Response().defer)(func)


@pytest.mark.parametrize("when", ["never", "", None, "Always"], ids=repr)
def test_another_when_is_refused(when: object) -> None:
    with pytest.raises(ValueError, match='when= must be "always", "complete" or "failed"'):
        loose(Response().defer)(print, when)


def test_outcome_is_none_until_the_end() -> None:
    outcomes: list[Outcome | None] = []

    def act(res: Response) -> None:
        outcomes.append(res.outcome)
        res.defer(lambda app: outcomes.append(res.outcome))
        res.status = 201
        res.body = "12345"

    answer = ask(act)
    assert outcomes[0] is None
    assert outcomes[1] == answer.outcome == Outcome("complete", 201, 5, 0.0)


def test_outcome_says_how_long_it_took() -> None:
    """From the arrival of the request to the end, by the driver's clock."""
    clock = Clock()

    def handler(req: Request, res: Response, ctx: Context) -> None:
        clock.advance(1.5)

    app = App()
    app.GET("/", handler)
    answer = Client(app, clock=clock).get("/")
    assert answer.outcome == Outcome("complete", 200, 0, 1.5)
    assert clock.runtime().token() == "token1"


def test_outcome_has_the_error() -> None:
    error = ZeroDivisionError()

    def act(res: Response) -> None:
        raise error

    answer = ask(act)
    assert answer.outcome is not None
    assert (answer.outcome.kind, answer.outcome.status) == ("failed", 500)
    assert answer.outcome.error is error


def test_outcomes_can_be_told_apart_and_kept_in_a_set() -> None:
    one, same, other = (
        Outcome("complete", 200, 5, 1.0),
        Outcome("complete", 200, 5, 1.0),
        Outcome("failed", 500, 0, 1.0),
    )
    assert len({one, same, other}) == 2
    assert repr(one) == "Outcome('complete', 200, 5, 1.0, None)"


def test_inside_of_it_the_response_can_be_read_and_not_changed() -> None:
    def act(res: Response) -> None:
        def later(app: App) -> None:
            assert (res.status, res.body) == (200, "sent")
            with pytest.raises(ResponseStarted):
                res.status = 500

        res.body = "sent"
        res.defer(later)

    assert ask(act).errors == []


def test_a_second_request_of_it_is_refused() -> None:
    """It can't defer more, for nobody would run that."""

    def act(res: Response) -> None:
        res.defer(lambda app: res.defer(print))

    assert [type(error) for error, _ in ask(act).errors] == [ResponseStarted]


class Detached:
    """An object of an ORM whose session is over: whatever it is asked, it raises."""

    def __getattr__(self, name: str) -> object:
        raise LookupError("no session")

    @override
    def __repr__(self) -> str:
        raise LookupError("no session")

    def __call__(self, app: App) -> None:
        raise ValueError("called")


def send_mail(password: str, app: App) -> None:
    raise ValueError("not sent")


@pytest.mark.parametrize(
    ("func", "name"),
    [
        (partial(send_mail, "secret"), "send_mail"),
        (partial(partial(send_mail), "secret"), "send_mail"),
        (Detached(), "Detached"),
        (partial(Detached()), "Detached"),
    ],
    ids=["partial", "partial of a partial", "object", "partial of an object"],
)
def test_a_call_is_called_by_its_functions_name_and_never_with_what_it_was_given(
    func: Callable[[App], object], name: str
) -> None:
    """A password, or four megabytes, would be in the log; and a `repr` may raise."""
    answer = Client(app_of(lambda res: res.defer(func)), raise_errors=False).get("/")
    assert [where for _, where in answer.errors] == [f"deferred call {name}"]
