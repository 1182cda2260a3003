"""Drivers: an `adopt` that forgets a kind of body, and events that nobody can perform."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from functools import partial

from heaven_core import App, Machine, Request, Response, Runtime
from heaven_driver.blocking import BlockingStream, Stream, serve


def only_sync(iterable: Iterable[object]) -> BlockingStream:
    return BlockingStream(iterable)


def only_async(iterable: AsyncIterable[object]) -> BlockingStream:
    return BlockingStream(iterable)


def forgets_the_async_kind(app: App, request: Request[object], response: Response, runtime: Runtime) -> None:
    serve(app, request, runtime, adopt=only_sync)  # type: ignore[arg-type]
    serve(app, request, runtime, adopt=only_async)  # type: ignore[arg-type]
    Machine[Stream](response, request, runtime, only_sync)  # type: ignore[arg-type]
    partial(Machine[Stream], response, request, runtime)(only_sync)  # type: ignore[arg-type]
