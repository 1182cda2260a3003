"""`with Client(app)` and `async with Client(app)`: the app's lifespan, round a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client
from tests.handlers.kit import loose


class Witness:
    """An app with a lifespan of either kind, and what that has seen."""

    def __init__(self, *, waits: bool = False) -> None:
        self.seen: list[str] = []
        self.waits = waits
        self.is_forgiving = False

    @contextmanager
    def sync(self, app: App) -> Generator[None]:
        app.keep("pool", "open")
        try:
            yield
        except AssertionError as error:
            self.seen.append(f"failed: {error}")
            if not self.is_forgiving:
                raise
        finally:
            self.seen.append("closed")

    @asynccontextmanager
    async def asynchronous(self, app: App) -> AsyncGenerator[None]:
        if self.waits:
            await asyncio.sleep(0)
        with self.sync(app):
            yield

    def app(self, *, is_async: bool) -> App:
        def handler(req: Request, res: Response, ctx: Context) -> None:
            res.body = req.app.need("pool")

        app = App(lifespan=self.asynchronous if is_async else self.sync)
        app.GET("/", handler)
        return app


@pytest.mark.parametrize("is_async", [False, True])
def test_it_is_entered_before_and_left_after(is_async: bool) -> None:
    witness = Witness()
    with Client(witness.app(is_async=is_async)) as client:
        assert client.get("/").text == "open"
        assert witness.seen == []
    assert witness.seen == ["closed"]


@pytest.mark.anyio
@pytest.mark.parametrize("is_async", [False, True])
async def test_also_on_a_loop(is_async: bool) -> None:
    witness = Witness()
    async with Client(witness.app(is_async=is_async)) as client:
        assert (await client.aget("/")).text == "open"
    assert witness.seen == ["closed"]


@pytest.mark.parametrize("is_async", [False, True])
def test_it_is_left_with_the_error_of_the_block(is_async: bool) -> None:
    witness = Witness()
    with pytest.raises(AssertionError, match="oh"), Client(witness.app(is_async=is_async)):
        raise AssertionError("oh")
    assert witness.seen == ["failed: oh", "closed"]


@pytest.mark.parametrize("is_async", [False, True])
def test_it_cannot_make_a_failed_test_pass(is_async: bool) -> None:
    witness = Witness()
    witness.is_forgiving = True
    with pytest.raises(AssertionError, match="oh"), Client(witness.app(is_async=is_async)):
        raise AssertionError("oh")
    assert witness.seen == ["failed: oh", "closed"]


def test_one_that_waits_is_told_to_be_entered_on_a_loop() -> None:
    client = Client(Witness(waits=True).app(is_async=True))
    with pytest.raises(RuntimeError, match="async with"):
        client.__enter__()


def test_without_with_none_runs() -> None:
    witness = Witness()
    client = Client(witness.app(is_async=False), raise_errors=False)
    assert client.get("/").status == 500
    assert witness.seen == []


def test_an_app_without_one_may_be_entered() -> None:
    with Client(App()) as client:
        assert client.get("/").status == 404


def test_it_may_be_entered_again_when_it_has_been_left() -> None:
    witness = Witness()
    client = Client(witness.app(is_async=False))
    for _ in range(2):
        with client:
            pass
    assert witness.seen == ["closed", "closed"]


def test_but_not_twice_at_a_time() -> None:
    client = Client(Witness().app(is_async=False))
    with client, pytest.raises(RuntimeError, match="already"):
        client.__enter__()


def test_a_startup_that_fails_comes_out_of_the_with() -> None:
    @contextmanager
    def lifespan(app: App) -> Generator[None]:
        app.need("database")
        yield

    client = Client(App(lifespan=lifespan))
    with pytest.raises(LookupError, match="database"):
        client.__enter__()


def test_what_is_no_context_manager_is_refused() -> None:
    app = App()
    client = Client(app)
    loose(setattr)(app, "lifespan", str)
    with pytest.raises(TypeError, match="str, which is no context manager"):
        client.__enter__()
