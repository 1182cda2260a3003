"""SPEC 4: a sync iterable that has to be iterated in one thread, as a cursor of sqlite3 does."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from contextvars import ContextVar

import anyio
import pytest

from heaven_core import Response
from heaven_core.message.bodies import AnyIterable, InOneThread, StreamSource
from heaven_core.message.response import draft_of
from heaven_core.testing import Client
from heaven_io.streams import Stream
from heaven_io.worker_threads import WorkerThreads
from tests.handlers.kit import app_of, loose

pytestmark = pytest.mark.anyio

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


def adopted(source: AnyIterable) -> Stream:
    """What an adapter makes of `res.stream(source, thread="own")`."""
    response = Response()
    response.stream(source, thread="own")
    stream = draft_of(response).source
    assert type(stream) is StreamSource
    return Stream(stream.iterable, WorkerThreads(1))


async def everything(stream: Stream) -> list[object]:
    items: list[object] = []
    with anyio.fail_after(20):
        while True:
            try:
                items.append(await stream.next())
            except StopAsyncIteration:
                await stream.aclose()
                return items


async def test_a_cursor_of_sqlite3_is_read_to_its_end() -> None:
    """It refuses every thread but the one that made it."""

    def rows() -> Iterator[str]:
        with closing(sqlite3.connect(":memory:")) as connection:
            numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n"
            for (number,) in connection.execute(numbers):
                yield f"{number}\n"

    assert await everything(adopted(rows())) == [f"{number}\n" for number in range(1, 501)]


async def test_all_steps_and_the_closing_run_in_one_thread_of_its_own() -> None:
    seen: set[int] = set()

    def items() -> Iterator[int]:
        try:
            for number in range(100):
                seen.add(threading.get_ident())
                yield number
        finally:
            seen.add(threading.get_ident())

    one, other = adopted(items()), adopted(items())
    with anyio.fail_after(20):
        for _ in range(20):
            await one.next()
            await other.next()
        await one.aclose()
        await other.aclose()
    assert len(seen) == 2
    assert threading.get_ident() not in seen


async def test_the_thread_of_a_stream_ends_with_it() -> None:
    before = {thread for thread in threading.enumerate() if "heaven-core stream" in thread.name}
    stream = adopted(iter("abc"))
    await stream.next()
    assert {thread for thread in threading.enumerate() if "heaven-core stream" in thread.name} != before
    await stream.aclose()
    with anyio.fail_after(20):
        while {thread for thread in threading.enumerate() if "heaven-core stream" in thread.name} - before:
            await anyio.sleep(0.001)


async def test_a_stream_that_never_began_is_closed() -> None:
    closed: list[str] = []

    class Source:
        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            raise AssertionError("never asked for")

        def close(self) -> None:
            closed.append("closed")

    await adopted(Source()).aclose()
    assert closed == ["closed"]


async def test_context_variables_of_the_request_are_seen() -> None:
    VARIABLE.set("of the request")
    assert await everything(adopted(VARIABLE.get() for _ in range(3))) == ["of the request"] * 3


def test_in_memory_it_runs_where_the_test_is_and_is_closed() -> None:
    closed: list[str] = []

    def items() -> Iterator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            closed.append("closed")

    answer = Client(app_of(lambda res: res.stream(items(), thread="own"))).get("/")
    assert (answer.body, closed) == (b"onetwo", ["closed"])


def test_set_aside_it_is_closed_in_memory_too() -> None:
    source = iter("abc")
    InOneThread(source).close()  # which has nothing to be closed by
    closed: list[str] = []

    class Source:
        def __iter__(self) -> Iterator[str]:
            return iter(())

        def close(self) -> None:
            closed.append("closed")

    def act(res: Response) -> None:
        held = Source()
        res.stream(held, thread="own")
        res.stream(held, thread="own")  # in use again: closed once
        res.body = "other"

    assert Client(app_of(act)).get("/").body == b"other"
    assert closed == ["closed"]


def test_an_async_one_has_no_thread() -> None:
    class Source:
        def __aiter__(self) -> Source:
            return self

        async def __anext__(self) -> str:
            raise StopAsyncIteration

    with pytest.raises(ValueError, match="sync iterables"):
        Response().stream(Source(), thread="own")


def test_another_word_for_the_thread_is_refused() -> None:
    with pytest.raises(ValueError, match='"any" or "own"'):
        loose(Response().stream)(["a"], thread="mine")
