"""What adapters are given is checked when it is given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_core import App
from heaven_core.app.app import Lifespan
from heaven_driver.blocking import enter_lifespan
from heaven_driver.engine import Engine
from heaven_socket import SocketAdapter
from tests.handlers.kit import loose

ADAPTERS = pytest.mark.parametrize("adapter", [ASGIAdapter, SocketAdapter, Engine])


@ADAPTERS
@pytest.mark.parametrize("app", [42, App, ASGIAdapter(App())], ids=["number", "class", "adapter"])
def test_an_adapter_takes_an_app(adapter: Callable[..., object], app: object) -> None:
    with pytest.raises(TypeError, match=r"takes a heaven_core\.App, not (int|the class App|ASGIAdapter)"):
        loose(adapter)(app)


@pytest.mark.parametrize("name", ["deferred_deadline", "closing_limit", "stream_deadline"])
@pytest.mark.parametrize("value", ["1", None, True, -1, float("nan")])
def test_seconds_are_a_number_0_or_more(name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=f"{name}= must be "):
        loose(Engine)(App(), **{name: value})


@ADAPTERS
@pytest.mark.parametrize("name", ["max_handler_threads", "max_stream_threads", "max_deferred_threads"])
@pytest.mark.parametrize("value", ["1", None, True, 0, -1, 1.5])
def test_a_number_of_threads_is_1_or_more(adapter: Callable[..., object], name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=f"{name}= must be "):
        loose(adapter)(App(), **{name: value})


@ADAPTERS
@pytest.mark.parametrize("value", ["1", True, 0, -1, float("nan")])
def test_a_timeout_is_a_number_more_than_0_or_none(adapter: Callable[..., object], value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="send_timeout= must be "):
        loose(adapter)(App(), send_timeout=value)


@ADAPTERS
@pytest.mark.parametrize("value", [None, float("inf"), 0.5, 60])
def test_there_may_be_no_timeout(adapter: Callable[..., object], value: float | None) -> None:
    loose(adapter)(App(), send_timeout=value)


def test_a_time_without_end_is_one() -> None:
    Engine(App(), deferred_deadline=float("inf"), stream_deadline=float("inf"))


async def undecorated(app: App) -> AsyncGenerator[None]:
    """One that should have been decorated."""
    yield


async def nothing() -> None:
    raise AssertionError("nothing is served")


def returning_it(app: App) -> object:
    """What nobody can know before it is called."""
    return undecorated(app)


WITHOUT: Lifespan = returning_it  # type: ignore[assignment]  # the mistake that is meant


def test_a_lifespan_that_is_no_context_manager_says_what_it_lacks() -> None:
    said = "gave async_generator, which is no context manager.*@asynccontextmanager"
    with pytest.raises(TypeError, match=said):
        anyio.run(Engine(App(lifespan=WITHOUT)).live, nothing)
    with pytest.raises(TypeError, match=said), enter_lifespan(App(lifespan=WITHOUT)):
        raise AssertionError("it was not entered")
