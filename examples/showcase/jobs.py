"""Deferred work: begun when the answer is out."""

from __future__ import annotations

from itertools import count
from typing import Final

import anyio

from heaven_core import App, Context, Request, Response

numbers: Final = count(1)
jobs: Final[dict[int, Job]] = {}


class Job:
    """Something that takes longer than anybody wants to wait."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = "waiting"

    async def run(self, app: App) -> None:
        """What `res.defer` calls."""
        self.state = "running"
        await anyio.sleep(1.5)
        self.state = "done"


async def start(req: Request, res: Response, ctx: Context) -> None:
    """The answer goes out first, whole. Then the job runs."""
    job = Job(next(numbers))
    jobs[job.number] = job
    jobs.pop(job.number - 100, None)  # the oldest are forgotten
    res.defer(job.run)
    res.status = res.http.ACCEPTED
    res.headers = "Location", f"/jobs/{job.number}"
    res.body = {"job": job.number, "state": job.state}


async def look(req: Request, res: Response, ctx: Context) -> None:
    """How far a job is."""
    job = jobs.get(req.params.int("number"))
    if job is None:
        res.status = res.http.NOT_FOUND
        res.abort("There is no such job.\n")
    res.body = {"job": job.number, "state": job.state}
