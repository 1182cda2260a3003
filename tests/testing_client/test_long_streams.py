"""What a long stream costs the tests of it: so much for each item, however many there are."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from time import process_time

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client

ROW = b"x" * 100


def seconds_for(rows: int) -> float:
    def stream() -> Iterator[bytes]:
        for _ in range(rows):
            yield ROW

    def handler(req: Request, res: Response, ctx: Context) -> None:
        res.stream(stream())

    app = App()
    app.GET("/", handler)
    client = Client(app)
    gc.collect()
    began = process_time()
    answer = client.get("/")
    assert len(answer.body) == rows * len(ROW)
    return process_time() - began


@pytest.mark.slow
def test_eight_times_the_rows_take_no_more_than_some_eight_times_as_long() -> None:
    """Where the body was put together anew for each of them it was sixty times, and more."""
    few, many = (min(seconds_for(rows) for _ in range(3)) for rows in (5_000, 40_000))
    assert many < 25 * few
