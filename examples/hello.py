"""The first app: heaven-core serve examples.hello:app."""

from __future__ import annotations

from collections.abc import Iterator

from heaven_core import App, Context, Request, Response


async def hello(req: Request, res: Response, ctx: Context) -> None:
    """JSON, because the body is a dict."""
    res.body = {"hello": req.params["name"]}


def source(req: Request, res: Response, ctx: Context) -> None:
    """A file of this directory, and nothing outside of it."""
    res.file(req.params.str("*"), within="examples")


def count(req: Request, res: Response, ctx: Context) -> None:
    """A stream, pulled as fast as the client reads."""
    res.stream(numbers())
    res.defer(lambda app: print("sent:", res.outcome))


def numbers() -> Iterator[str]:
    """Three lines."""
    for number in range(3):
        yield f"{number}\n"


app = App()
app.GET("/hello/:name", hello)
app.GET("/source/*", source)
app.GET("/count", count)
