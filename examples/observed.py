"""An access log and Prometheus metrics, made of what an observer is told.

heaven-core serve examples.observed:app --no-access-log
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Final, TextIO

from heaven_core import App, Context, Event, Outcome, Request, Response, Start


def access_log(file: TextIO = sys.stderr) -> Callable[[Request, Event | Outcome], None]:
    """An observer that writes a line for each response: who asked for what, and what came of it."""

    def observe(req: Request, what: Event | Outcome) -> None:
        if type(what) is Outcome:
            client = req.client[0] if req.client is not None else "-"
            target = req.raw_path + (b"?" + req.query_string if req.query_string else b"")
            # What the client wrote must not end the line, nor look like another one.
            asked = f"{req.method} {target.decode('ascii', 'backslashreplace')}"
            asked = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in asked)
            milliseconds = what.duration * 1000
            file.write(f"{client} {asked} {what.status} {what.kind} {what.body_bytes} B {milliseconds:.1f} ms\n")

    return observe


class Metrics:
    """Counts, as Prometheus reads them. Labels are statuses and outcomes: no client makes new ones."""

    def __init__(self) -> None:
        self.responses: Final[dict[tuple[int, str], int]] = defaultdict(int)
        self.started = 0
        self.body_bytes = 0
        self.seconds = 0.0

    def observe(self, req: Request, what: Event | Outcome) -> None:
        """For `app.on_event`."""
        if type(what) is Start:
            self.started += 1
        elif type(what) is Outcome:
            self.responses[what.status, what.kind] += 1
            self.body_bytes += what.body_bytes
            self.seconds += what.duration

    def text(self) -> str:
        """The exposition format, version 0.0.4."""
        lines = ["# TYPE http_responses_total counter"]
        for (status, kind), count in sorted(self.responses.items()):
            lines.append(f'http_responses_total{{status="{status}",outcome="{kind}"}} {count}')
        for name, value in (
            ("http_responses_started_total", self.started),
            ("http_response_body_bytes_total", self.body_bytes),
            ("http_response_seconds_total", round(self.seconds, 6)),
        ):
            lines += [f"# TYPE {name} counter", f"{name} {value}"]
        return "\n".join(lines) + "\n"

    def show(self, req: Request, res: Response, ctx: Context) -> None:
        """A handler for `/metrics`."""
        res.headers = "Content-Type", "text/plain; version=0.0.4; charset=utf-8"
        res.body = self.text()


async def hello(req: Request, res: Response, ctx: Context) -> None:
    """Something to observe."""
    res.body = {"hello": req.params["name"]}


metrics: Final = Metrics()

app = App()
app.GET("/hello/:name", hello)
app.GET("/metrics", metrics.show)
app.on_event(access_log())
app.on_event(metrics.observe)
