"""`steps_of`, the loop over needs: what it does by itself, without its driver."""

from __future__ import annotations

from heaven_core import App, Entry, FileInfo, FileRange, ListDirectory, Machine, OpenFile, Request, UseFile
from heaven_core.machine.loop import Sent, steps_of
from heaven_core.testing import Clock


class File:
    """A file of one byte, which can't be closed."""

    info = FileInfo(1, 0)

    def close(self) -> None:
        raise OSError("the disk")


class Disk:
    def open(self, need: OpenFile | UseFile) -> File:
        return File()

    def entries(self, need: ListDirectory) -> list[Entry]:
        return []


def test_a_file_that_can_not_be_closed_is_reported_and_the_response_is_complete() -> None:
    errors: list[str] = []
    outcomes: list[object] = []
    app = App(on_error=lambda error, where: errors.append(f"{error} in {where}"))
    app.GET("/", lambda req, res, ctx: res.file("x"))
    runtime = Clock().runtime()
    request: Request[object] = Request("GET", "/")
    response = app.response(runtime)
    responding = app.respond(request, response, runtime).__await__()
    assert next(responding, None) is None
    steps = steps_of(Machine[object](response, request, runtime, lambda body: body), Disk(), [])
    try:
        step = next(steps)
        while True:
            step = steps.send(Sent(1) if type(step) is FileRange else None)
    except StopIteration as ended:
        outcomes.append(ended.value)
    assert errors == ["the disk in closing of GET '/'"]
    assert outcomes == [response.outcome]
    assert response.outcome is not None
    assert response.outcome.kind == "complete"
