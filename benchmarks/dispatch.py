"""What a small answer costs in process: CPU time between the server's call and its `send`, as ratios in one run.

    python -m benchmarks.dispatch [--rounds 200] [--requests 200] [--only text]

Each round gives every application the same number of requests, one application after the other, beginning with
another one each time; a ratio is the median over the rounds of (its CPU time / the bare callable's in that round),
so that what slows the machine down for a while slows both. Nothing is gated.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median, quantiles
from time import process_time_ns

from benchmarks.asgi_apps import (
    ASGI,
    BARE,
    BODIES,
    OURS,
    WRAPPED,
    Content,
    Hooks,
    Message,
    Scope,
    contenders,
    missing,
)
from benchmarks.request_fields import REQUEST_FIELDS

SCOPE = "putting the scope together"

# What each row shows, and the most that it may cost: times the bare callable that does the same.
JOBS: list[tuple[str, Content, Hooks, float | None]] = [
    ("text", "text", "none", 5.0),
    ("text, two async hooks", "text", "async", 3.2),
    ("text, two def hooks", "text", "def", None),
    ("text without a header", "text alone", "none", None),
    ("JSON", "json", "none", 1.2),
    ("JSON, two async hooks", "json", "async", None),
    ("JSON, two def hooks", "json", "def", None),
]


def make_parts() -> tuple[dict[str, object], list[tuple[bytes, bytes]]]:
    """Scope and header lines as uvicorn makes them: the texts are new objects, whose hash nobody has asked for."""
    fields = [(name.lower(), bytes(bytearray(value))) for name, value in REQUEST_FIELDS]
    scope: dict[str, object] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 51324),
        "scheme": "http",
        "root_path": "",
        "headers": fields,
        "state": {},
        "method": b"GET".decode("ascii"),
        "path": b"/hello".decode("ascii"),
        "raw_path": bytes(bytearray(b"/hello")),
        "query_string": b"",
    }
    return scope, fields


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """What the server does with it is the same for all, and not counted."""


async def check(name: str, app: ASGI, content: Content) -> None:
    """Each application gives the answer that it is to give, or its figures mean nothing."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    await app(make_parts()[0], receive, keep)
    body = b"".join([message.get("body", b"") for message in sent]).decode()
    given: object = json.loads(body) if content == "json" else body
    if sent[0]["status"] != 200 or given != BODIES[content]:
        raise SystemExit(f"{name} answered {sent}")


@asynccontextmanager
async def running(name: str, app: ASGI) -> AsyncGenerator[None]:
    """The lifespan, in whose startup frameworks finish what they have registered."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    started: asyncio.Future[Message] = loop.create_future()

    async def note(message: Message) -> None:
        if not started.done():
            started.set_result(message)

    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

    async def live() -> None:
        await app(scope, inbox.get, note)

    task = loop.create_task(live())
    inbox.put_nowait({"type": "lifespan.startup"})
    message = await started
    if message["type"] != "lifespan.startup.complete":
        raise SystemExit(f"{name} does not start: {message}")
    yield
    inbox.put_nowait({"type": "lifespan.shutdown"})
    await task


async def batch(app: ASGI | None, requests: int) -> float:
    """CPU time of one request in nanoseconds, with its scope being put together. Without an app, that alone.

    What is in the scope is made before the clock runs.
    """
    parts = [make_parts() for _ in range(requests)]
    began = process_time_ns()
    if app is None:
        for scope, fields in parts:
            _ = {**scope, "headers": fields.copy()}
    else:
        for scope, fields in parts:
            await app({**scope, "headers": fields.copy()}, receive, send)
    return (process_time_ns() - began) / requests


async def measure(apps: dict[str, ASGI | None], rounds: int, requests: int) -> dict[str, list[float]]:
    """For each application, what a request cost in each round."""
    names = list(apps)
    costs: dict[str, list[float]] = {name: [] for name in names}
    for name in names:  # a first time for caches and the specializing interpreter
        await batch(apps[name], requests)
    for turn in range(rounds):
        gc.collect()
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            costs[name].append(await batch(apps[name], requests))
    return costs


async def run(rounds: int, requests: int, only: str) -> None:
    print(f"CPU time of one request, {rounds} rounds of {requests}; what x means is in benchmarks/README.md")
    for name in missing():
        print(f"({name} is not installed, and left out: pip install --group bench)")
    for title, content, hooks, aim in JOBS:
        if only not in title:
            continue
        apps = contenders(content, hooks)
        async with AsyncExitStack() as stack:
            for name, app in apps.items():
                if name not in (BARE, WRAPPED):
                    await stack.enter_async_context(running(name, app))
                await check(name, app, content)
            report(title, await measure({SCOPE: None, **apps}, rounds, requests), aim)


def report(title: str, costs: dict[str, list[float]], aim: float | None) -> None:
    scopes, floors, wrapped = costs.pop(SCOPE), costs[BARE], costs.get(WRAPPED)
    around = f"{'x around':>10}" if wrapped else ""
    print(f"\n{title:<26}{'µs':>6}{'x':>8}{'half of the rounds':>20}{'x net':>8}{around}{'aim':>9}")
    for name, values in costs.items():
        ratios = [value / floor for value, floor in zip(values, floors, strict=True)]
        low, _, high = quantiles(ratios, n=4)
        net = median(
            [(value - scope) / (floor - scope) for value, floor, scope in zip(values, floors, scopes, strict=True)]
        )
        line = f"  {name:<24}{median(values) / 1000:>6.2f}{median(ratios):>8.2f}{low:>10.2f} to {high:>5.2f}{net:>9.2f}"
        if wrapped:
            line += f"{median([value / floor for value, floor in zip(values, wrapped, strict=True)]):>10.2f}"
        if name == OURS and aim is not None:
            line += f"{'<= ' + format(aim, 'g'):>9}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a small answer costs in process.")
    parser.add_argument("--rounds", type=int, default=200, help="how often everyone has its turn")
    parser.add_argument("--requests", type=int, default=200, help="how many requests a turn has")
    parser.add_argument("--only", default="", help="only the blocks whose title has this in it, as in: JSON")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.rounds, arguments.requests, arguments.only))


if __name__ == "__main__":
    main()
