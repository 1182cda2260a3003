"""The machine does what `TRANSITIONS` says: each pair of the square, each state that may follow, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from errno import EISDIR, EMFILE
from io import BytesIO
from typing import Final

import pytest

from heaven_core import (
    ClientDisconnected,
    Context,
    FileInfo,
    LocalProtocolError,
    Machine,
    PageMaker,
    Request,
    Response,
)
from heaven_core.machine.states import INPUTS, NAMES, STATES, TRANSITIONS
from heaven_core.message.bodies import AnyIterable, DirectorySource, FileSource
from heaven_core.message.response import draft_of
from heaven_core.protocol.needs import CloseFile, CloseStream, Finished, MakePage, NextItem
from heaven_core.testing import Clock
from heaven_io.blocking_streams import run_here

Body = Callable[[Response], None]
Input = Callable[[Machine[AnyIterable]], object]


def _buffered(res: Response) -> None:
    res.body = b"hello"


def _impossible(res: Response) -> None:
    res.headers = "Content-Length", 99
    res.body = b"hello"


def _no_content(res: Response) -> None:
    res.status = 204
    res.stream([b"a"])


def _file(res: Response) -> None:
    res.file("/f")


def _file_with_promise(res: Response) -> None:
    res.headers = "Content-Length", 99
    res.file("/f")


def _stream(res: Response) -> None:
    res.stream([b"a"])


def _promised_stream(res: Response) -> None:
    res.stream([b"a"], length=4)


def _upgrade_stream(res: Response) -> None:
    res.headers = "Upgrade", "h3"
    res.stream([b"a"])


def _events(res: Response) -> None:
    res.stream([b"a"], sse=True)


def _replaced(res: Response) -> None:
    res.stream([b"a"])
    res.body = b"hello"
    res.defer(print)


def _replaced_by_stream(res: Response) -> None:
    res.stream([b"a"])
    res.stream([b"b"])


def _replaced_by_file(res: Response) -> None:
    res.stream([b"a"])
    res.file("/f")


def _precompressed_file(res: Response) -> None:
    res.file("/f", precompressed=True)


def _encoded_already(res: Response) -> None:
    res.headers = "Content-Encoding", "gzip"
    res.file("/f", precompressed=True)


def _directory(res: Response) -> None:
    fallback = FileSource("/fallback")
    listing = DirectorySource("d", "/", lambda entries: "page", fallback)
    draft_of(res).set_source(FileSource("d/index.html", within="/", directory_location=b"./d/", otherwise=listing))


def _file_with_fallback(res: Response) -> None:
    draft_of(res).set_source(FileSource("/f", otherwise=FileSource("/fallback")))


def _held_file(res: Response) -> None:
    res.file(BytesIO(b"hello"))


class _Pages:
    """An application whose page for everything is this one."""

    def __init__(self, response: Response, page: Body) -> None:
        self._response = response
        self._page = page

    @property
    def context(self) -> Context:
        return Context()

    def find(self, error: Exception | None, status: int, what: str) -> PageMaker | None:
        return self._make

    async def _make(self) -> None:
        self._page(self._response)


def _with_page(body: Body, page: Body) -> Body:
    def set_both(res: Response) -> None:
        body(res)
        draft_of(res).pages = _Pages(res, page)

    return set_both


def _precompressed_with_promise(res: Response) -> None:
    res.headers = "Content-Length", 99
    res.file("/f", precompressed=True)


def _text_page(res: Response) -> None:
    res.headers.remove("Content-Length")
    res.body = "page"


def _file_page(res: Response) -> None:
    res.headers.remove("Content-Length")
    res.file("/page")


def _stream_page(res: Response) -> None:
    res.headers.remove("Content-Length")
    res.stream([b"page"])


BODIES: Final[dict[str, Body]] = {
    "buffered": _buffered,
    "impossible": _impossible,
    "no content": _no_content,
    "file": _file,
    "file with a promise": _file_with_promise,
    "stream": _stream,
    "promised stream": _promised_stream,
    "upgrade stream": _upgrade_stream,
    "events": _events,
    "replaced": _replaced,
    "replaced by a stream": _replaced_by_stream,
    "replaced by a file": _replaced_by_file,
    "precompressed file": _precompressed_file,
    "encoded already": _encoded_already,
    "directory": _directory,
    "file with a fallback": _file_with_fallback,
    "held file": _held_file,
    "impossible, with a page": _with_page(_impossible, _text_page),
    "impossible, with a page that is too": _with_page(_impossible, _impossible),
    "impossible, with a file as page": _with_page(_impossible, _file_page),
    "impossible, with a stream as page": _with_page(_impossible, _stream_page),
    "impossible file, with a page": _with_page(_file_with_promise, _file_page),
    "impossible precompressed file, with a page": _with_page(_precompressed_with_promise, _text_page),
    "directory, with a page": _with_page(_directory, _text_page),
    "promised stream, with a page": _with_page(_promised_stream, _stream_page),
    "upgrade stream, with a page": _with_page(_upgrade_stream, _text_page),
}

# Two parts of a file of five bytes, each sent by itself. A file of no bytes has none, and other bodies have no ranges.
RANGES: Final = (b"range", b"bytes=0-0,2-3")
CODINGS: Final = (b"accept-encoding", b"br, gzip")


def _page_made(machine: Machine[AnyIterable]) -> object:
    if machine.state.startswith("PAGING") and type(machine.need) is MakePage:
        run_here(machine.need.make())
    return machine.page_made()


# Each input with the arguments that make a difference.
CALLS: Final[dict[str, list[Input]]] = {
    "start": [lambda machine: machine.start()],
    "page_made": [_page_made],
    "opened": [
        lambda machine: machine.opened(FileInfo(5, 0)),
        lambda machine: machine.opened(FileInfo(0, 0)),
        lambda machine: machine.opened(FileInfo(5, 2_000_000_000)),
        lambda machine: machine.opened(FileInfo(0, 2_000_000_000)),
    ],
    "open_failed": [
        lambda machine: machine.open_failed(FileNotFoundError(2, "gone")),
        lambda machine: machine.open_failed(PermissionError(13, "no")),
        lambda machine: machine.open_failed(IsADirectoryError(EISDIR, "directory")),
        lambda machine: machine.open_failed(OSError(EMFILE, "too many")),
    ],
    "listed": [lambda machine: machine.listed("page")],
    "produced": [
        lambda machine: machine.produced(b"ab"),
        lambda machine: machine.produced(b"abcd"),
        lambda machine: machine.produced(""),
        lambda machine: machine.produced(object()),
        lambda machine: machine.produced(b"too long for the promise"),
    ],
    "exhausted": [lambda machine: machine.exhausted()],
    "stream_failed": [
        lambda machine: machine.stream_failed(ValueError("stream")),
        lambda machine: machine.stream_failed(ClientDisconnected("in a step")),
        lambda machine: machine.stream_failed(ExceptionGroup("group", [ClientDisconnected("in a task")])),
    ],
    "interrupted": [lambda machine: machine.interrupted()],
    "elapsed": [lambda machine: machine.elapsed()],
    "delivered": [
        lambda machine: machine.delivered(),
        lambda machine: machine.delivered(1),
        lambda machine: machine.delivered(2),
        lambda machine: machine.delivered(1, OSError("disk")),
        lambda machine: machine.delivered(0, OSError("wire")),
    ],
    "closed": [lambda machine: machine.closed(), lambda machine: machine.closed(ValueError("closing"))],
    "disconnected": [lambda machine: machine.disconnected()],
}


def _machine(body: Body, method: str, path: Iterable[Input]) -> Machine[AnyIterable]:
    response = Response()
    body(response)
    machine: Machine[AnyIterable] = Machine(
        response, Request[object](method, "/", fields=[RANGES, CODINGS]), Clock().runtime(), lambda it: it
    )
    for call in path:
        call(machine)
    return machine


def _signature(machine: Machine[AnyIterable], path: tuple[Input, ...]) -> str:
    """What makes one machine behave as another. Of a sibling that also is what the file itself was like."""
    way = str(path) if machine.state in ("OPENING_SIBLING", "PASSING_OVER") else ""
    return f"{machine.state} {'' if machine.state.startswith('IDLE') else machine.need!r} {way}"


def _walk() -> dict[tuple[str, str], dict[str, str]]:
    """Every (state, input) that can be reached, with the states that followed; "raises" where the call was refused."""
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for name, body in BODIES.items():
        for method in ("GET", "HEAD"):
            paths: list[tuple[Input, ...]] = [()]
            known: set[str] = set()
            while paths:
                path = paths.pop()
                machine = _machine(body, method, path)
                signature = _signature(machine, path)
                if signature in known:
                    continue
                known.add(signature)
                before = machine.state
                for input_name, calls in CALLS.items():
                    for call in calls:
                        machine = _machine(body, method, path)
                        try:
                            call(machine)
                        except LocalProtocolError:
                            assert machine.state == "BROKEN"
                            seen.setdefault((before, input_name), {})["raises"] = name
                        else:
                            seen.setdefault((before, input_name), {})[machine.state] = name
                            paths.append((*path, call))
    return seen


WALKED: Final = _walk()


@pytest.mark.parametrize("state", [state for state in STATES if NAMES[state] != "BROKEN"])
@pytest.mark.parametrize("name", INPUTS)
def test_each_pair_moves_as_the_table_says_or_raises(state: int, name: str) -> None:
    allowed = {NAMES[target] for target in TRANSITIONS.get((state, name), {})}
    followed = set(WALKED[NAMES[state], name])
    # A driver that gives an impossible number is refused in any state.
    followed -= {"raises"} if name == "delivered" and allowed else set()
    assert followed == (allowed or {"raises"})


def test_every_state_can_be_reached() -> None:
    assert {state for state, _ in WALKED} == set(NAMES) - {"BROKEN"}


def test_table_names_only_states_and_inputs_that_exist() -> None:
    for (state, name), targets in TRANSITIONS.items():
        assert state in STATES
        assert name in INPUTS
        assert targets
        assert set(targets) <= set(STATES)
        assert all(targets.values())


@pytest.mark.parametrize("name", [name for name in INPUTS if name not in ("closed", "disconnected")])
def test_a_broken_machine_refuses_everything_but_closing_and_leaving(name: str) -> None:
    machine = _machine(_stream, "GET", [CALLS["start"][0]])
    with pytest.raises(LocalProtocolError):
        machine.start()
    assert machine.state == "BROKEN"
    for call in CALLS[name]:
        with pytest.raises(LocalProtocolError):
            call(machine)
    assert machine.disconnected() == ()
    assert machine.state == "BROKEN"


def test_a_broken_machine_asks_for_what_is_open_to_be_closed_and_nothing_else() -> None:
    def body(res: Response) -> None:
        res.stream([b"replaced"])
        res.file("/f")

    machine = _machine(body, "GET", [CALLS["start"][0], CALLS["opened"][0]])
    with pytest.raises(LocalProtocolError):
        machine.exhausted()
    asked: list[type] = []
    while type(machine.need) is not Finished:
        asked.append(type(machine.need))
        assert machine.closed(ValueError("late")) == ()
    assert asked == [CloseFile, CloseStream]
    assert machine.need.outcome.kind == "failed"
    with pytest.raises(LocalProtocolError):
        machine.closed()


def test_a_call_out_of_turn_names_the_call_the_state_and_the_need() -> None:
    machine = _machine(_stream, "GET", [CALLS["start"][0]])
    with pytest.raises(LocalProtocolError, match=r"opened was called in state HEADING.*NextItem"):
        machine.opened(FileInfo(1, 0))


def test_a_second_call_out_of_turn_does_not_repeat_the_message_of_the_first() -> None:
    machine = _machine(_stream, "GET", [CALLS["start"][0]])
    messages: list[str] = []
    for _ in range(4):
        with pytest.raises(LocalProtocolError) as raised:
            machine.opened(FileInfo(1, 0))
        messages.append(str(raised.value))
        if type(machine.need) is CloseStream:
            machine.closed()
    assert "in state BROKEN, when the machine waits for Finished;" in messages[-1]
    assert max(map(len, messages)) < 150


def test_the_need_before_start_is_start_itself() -> None:
    """Reading it is no answer out of turn: the machine goes on."""
    machine = _machine(_stream, "GET", [])
    with pytest.raises(LocalProtocolError, match=r"need was read before start\(\)"):
        _ = machine.need
    machine.start()
    assert type(machine.need) is NextItem


def test_a_call_before_start_says_that_start_is_missing() -> None:
    machine = _machine(_stream, "GET", [])
    with pytest.raises(LocalProtocolError, match=r"produced was called in state IDLE.*start\(\)"):
        machine.produced(b"a")
    assert type(machine.need) is Finished


def test_more_bytes_sent_than_the_file_range_holds_is_refused() -> None:
    machine = _machine(_file, "GET", [CALLS["start"][0], CALLS["opened"][0]])
    with pytest.raises(LocalProtocolError, match=r"delivered\(2\), of 1 bytes"):
        machine.delivered(2)
