"""Turns: handlers that send the client elsewhere, stop, or fail."""

from __future__ import annotations

from heaven_core import Context, Request, Response


async def redirect(req: Request, res: Response, ctx: Context) -> None:
    """Any text is made a legal location, or refused."""
    res.redirect("/hello/Jürgen", local=True)


async def door(req: Request, res: Response, ctx: Context) -> None:
    """abort() leaves the handler at once: nothing below it runs."""
    if req.query.get("word") != "please":
        res.status = res.http.FORBIDDEN
        res.abort("The door stays closed: the word is missing.\n")
    res.body = "Come in.\n"


async def failure(req: Request, res: Response, ctx: Context) -> None:
    """A 500 without details. They go to the log, never to the client."""
    raise RuntimeError("the password of the database is 'swordfish'")
