"""Driving where a call may block: for servers with a thread for each request or connection, and for WSGI.

Nothing here needs an event loop, nor anything beside the standard library. `serve` is all that a server of one's own
needs; the rest are its parts. docs/drivers.md shows a whole server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Final, TypeAlias, TypeVar, final, overload

from heaven_core import (
    AnyIterable,
    App,
    Chunk,
    CloseStream,
    Deferred,
    DeferredCall,
    End,
    Entry,
    Event,
    FileRange,
    ListDirectory,
    Machine,
    MakePage,
    NextItem,
    OpenFile,
    Outcome,
    Request,
    Reset,
    Response,
    Runtime,
    Start,
    UseFile,
)
from heaven_core._checks import is_awaitable
from heaven_core.machine.loop import Elapsed, Gone, Interrupted, Sent, Step, steps_of
from heaven_driver.given import lifespan_of
from heaven_io.blocking import BlockingFile, open_blocking
from heaven_io.blocking_streams import BlockingStream, Stream, ThreadStream, run_here, wait_for
from heaven_io.listing import list_directory
from heaven_io.reporting import Report, hand_over, log_all_lost
from heaven_io.runtime import system_runtime

__all__ = [
    "AnyStream",
    "BlockingFile",
    "BlockingStream",
    "Elapsed",
    "FileToSend",
    "Interrupted",
    "Run",
    "SendFile",
    "Stream",
    "ThreadStream",
    "WireEvent",
    "drive",
    "enter_lifespan",
    "respond",
    "run_deferred",
    "serve",
    "system_runtime",
]

R = TypeVar("R")

# Bytes that are read of a file at a time.
_READ_SIZE: Final = 128 * 1024
WireEvent: TypeAlias = Start | Chunk | End | Reset
"""What is left to be performed: `Start Chunk* (End | Reset)`."""

SendFile: TypeAlias = Callable[[BlockingFile, int, int], int | None]
"""Sends some of `count` bytes of a file that has a descriptor, from `offset` on, and says how many have left.

It is called until all of them have left, so that one `os.sendfile` will do; 0 says that the file has become shorter,
and `None` that it can't: then they are read. Raises `OSError` where nothing can be sent any more.
"""


Run: TypeAlias = Callable[[Coroutine[object, object, None]], None]
"""Runs a coroutine to its end."""

AnyStream: TypeAlias = Callable[[AnyIterable], Stream]
"""Makes of a body what is stepped, without running any of its code."""


@final
class FileToSend:
    """A range of an open file that somebody else sends: `count` bytes from `offset` on. See `drive`.

    Whoever sends it says in `sent` how many bytes have left, whatever comes, and in `error` what reading has raised.
    """

    __slots__ = ("count", "error", "file", "offset", "sent")

    def __init__(self, file: BlockingFile, offset: int, count: int) -> None:
        self.file: Final = file
        self.offset: Final = offset
        self.count: Final = count
        self.sent: int = 0
        self.error: Exception | None = None


def serve(
    app: App,
    request: Request[object],
    runtime: Runtime,
    *,
    send_file: SendFile | None = None,
    adopt: AnyStream = BlockingStream,
    defer: Callable[[Sequence[DeferredCall]], None] | None = None,
) -> Generator[WireEvent, None, Outcome]:
    """Have `app` answer `request`: perform what this yields, one after the other, on your wire.

    Asking for the next event says that the last one is performed. Closing the generator, or throwing an `OSError` into
    it, says that the client has left: then everything is closed, and nothing more is yielded (`throw` raises
    `StopIteration` with the outcome). Whatever comes, deferred work is handed over last.

    - `send_file` sends files without reading them; without it they are yielded as chunks;
    - `adopt` makes of a body what is stepped: `BlockingStream`, or `ThreadStream`, which knows timeouts;
    - `defer` takes the deferred calls, in place of `app.defer_runner`; without either they run here, at the end.
    """
    response = app.response(runtime)
    report = partial(app.report, runtime=runtime)
    take = partial(_run_or_hand_over, app=app, report=report) if defer is None else defer
    tell = partial(app.observers.tell, request, runtime=runtime) if app.observers.any else None
    try:
        respond(app, request, response, runtime)
    except BaseException:  # the end of the process: nothing goes out, and what the response holds is closed
        ended = Machine[Stream](response, request, runtime, adopt)
        ended.disconnected()
        yield from drive(ended, take, tell=tell)
        raise
    return (yield from drive(Machine(response, request, runtime, adopt), take, send_file=send_file, tell=tell))


@overload
def drive(
    machine: Machine[Stream],
    defer: Callable[[Sequence[DeferredCall]], None],
    *,
    send_file: SendFile | None = None,
    tell: Callable[[Event | Outcome], None] | None = None,
    run: Run = run_here,
) -> Generator[WireEvent, None, Outcome]: ...


@overload
def drive(
    machine: Machine[Stream],
    defer: Callable[[Sequence[DeferredCall]], None],
    *,
    hand_out: Callable[[BlockingFile, int, int], bool],
    tell: Callable[[Event | Outcome], None] | None = None,
    run: Run = run_here,
) -> Generator[WireEvent | FileToSend, None, Outcome]: ...


def drive(
    machine: Machine[Stream],
    defer: Callable[[Sequence[DeferredCall]], None],
    *,
    send_file: SendFile | None = None,
    hand_out: Callable[[BlockingFile, int, int], bool] | None = None,
    tell: Callable[[Event | Outcome], None] | None = None,
    run: Run = run_here,
) -> Generator[WireEvent | FileToSend, None, Outcome]:
    """Drive a machine from its start to its end. See `serve`; `tell` hears of each event when it has been performed.

    `hand_out(file, offset, count)` says which ranges of files that have a descriptor are to be yielded, each as a
    `FileToSend`, since somebody else sends them. `run` runs the application's own error pages to their end, where what
    they wait for needs more than this thread.
    """
    files: list[BlockingFile] = []
    passing = _Passing()
    steps = steps_of(machine, _SystemDisk(passing), files)
    try:
        step: Step[Stream] = next(steps)
        while True:
            if type(step) is NextItem or type(step) is MakePage or type(step) is CloseStream:
                step = _do(steps, step, run, passing)
                continue
            answer: Sent | Gone | None = None
            passing.sent = 0
            try:
                if type(step) is Deferred:
                    _defer_calls(step.calls, defer, passing)
                elif passing.error is not None:
                    answer = Gone()  # all of it ends: a 500 in the place of the response is not sent
                elif type(step) is FileRange:
                    answer = yield from _send_range(files[-1], step, send_file, hand_out, passing)
                else:
                    yield step
            except BaseException as raised:
                answer = Gone(passing.sent)
                passing.take(raised)
            if tell is not None and type(answer) is not Gone:
                try:
                    tell(step)
                except BaseException as raised:  # of an observer, no `Exception`: it ends the process
                    answer = Gone(passing.sent)
                    passing.take(raised)
            step = steps.send(answer)
    except StopIteration as ended:
        outcome: Outcome = ended.value
        if tell is not None:
            tell(outcome)
        if passing.error is not None:
            raise passing.error from None
        return outcome


@final
class _Passing:
    """How far a `FileRange` under way has got: `sent` bytes have gone, should the wire fail.

    `error` passes through, once everything is closed: the end of the process, or what the server has thrown in.
    """

    __slots__ = ("error", "sent")

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.sent = 0

    def take(self, raised: BaseException) -> None:
        """Keep the error, unless it says no more than that the client has left."""
        if not isinstance(raised, (GeneratorExit, OSError)):
            self.error = raised


def _do(
    steps: Generator[Step[Stream], object, Outcome],
    need: NextItem[Stream] | MakePage | CloseStream[Stream],
    run: Run,
    passing: _Passing,
) -> Step[Stream]:
    """Do what runs the application's code, and answer."""
    if type(need) is NextItem:
        return _take_item(steps, need, passing)
    return steps.send(_make_page(need, run, passing) if type(need) is MakePage else _close(need.stream, passing))


def _take_item(
    steps: Generator[Step[Stream], object, Outcome], need: NextItem[Stream], passing: _Passing
) -> Step[Stream]:
    try:
        item = need.stream.next(need.timeout)
    except Exception as raised:
        return steps.throw(raised)
    except GeneratorExit as raised:  # to throw it in would end the steps themselves
        return steps.throw(RuntimeError(f"the stream raised {raised!r}"))
    except BaseException as raised:
        passing.take(raised)
        return steps.throw(raised)
    return steps.send(item)


def _close(stream: Stream, passing: _Passing) -> BaseException | None:
    try:
        stream.close()
    except BaseException as raised:
        if not isinstance(raised, Exception):
            passing.take(raised)
        return raised
    return None


def _make_page(need: MakePage, run: Run, passing: _Passing) -> Gone | None:
    try:
        run(need.make())
    except BaseException as raised:  # the end of the process
        passing.take(raised)
        return Gone()
    return None


def _send_range(
    file: BlockingFile,
    event: FileRange,
    send_file: SendFile | None,
    hand_out: Callable[[BlockingFile, int, int], bool] | None,
    passing: _Passing,
) -> Generator[Chunk | FileToSend, None, Sent]:
    """Have the range sent without reading it, or read it. `passing.sent` says meanwhile how many bytes have left."""
    if hand_out is not None and _has_descriptor(file) and hand_out(file, event.offset, event.count):
        handed_out = FileToSend(file, event.offset, event.count)
        try:
            yield handed_out
        finally:
            passing.sent = handed_out.sent
        return Sent(passing.sent, handed_out.error)
    if send_file is not None and _has_descriptor(file):
        while passing.sent < event.count:
            left = send_file(file, event.offset + passing.sent, event.count - passing.sent)
            if left is None:
                break
            if not 0 <= left <= event.count - passing.sent:
                raise ValueError(f"send_file= says that {left} bytes have left, of {event.count - passing.sent}")
            if not left:
                return Sent(passing.sent)
            passing.sent += left
    while data := _read(file, event.offset + passing.sent, event.count - passing.sent, passing):
        if not isinstance(data, bytes):
            return Sent(passing.sent, data)
        yield Chunk(data)
        passing.sent += len(data)
    return Sent(passing.sent)


def respond(app: App, request: Request[object], response: Response, runtime: Runtime) -> None:
    """Run hooks and handler. An `async def` that awaits nothing runs to its end; one that waits has failed: a 500."""
    run_here(app.respond(request, response, runtime))


def run_deferred(
    calls: Iterable[DeferredCall],
    app: App,
    report: Report,
    wait: Callable[[Awaitable[object]], object] | None = None,
) -> None:
    """Run `calls` one after the other, here. `wait` is for what is async, which else has an event loop of its own.

    `report(error, where)` is told what a call raises, and the next one runs: `partial(app.report, runtime=runtime)`
    tells the application and the log. Raises `KeyboardInterrupt`; then it logs the calls that are left as lost.
    """
    waiting = list(calls)
    while waiting:
        call = waiting.pop(0)
        try:
            result = call.run(app)
            if is_awaitable(result):
                (wait or _run_in_a_loop)(result)
        except KeyboardInterrupt:
            log_all_lost(waiting, "the process is being ended")
            raise
        except BaseException as error:  # SystemExit, too: the end of a command line's main is not the server's
            report(error, f"deferred call {call.name}")


def _run_in_a_loop(awaitable: Awaitable[object]) -> None:
    from asyncio import run  # noqa: PLC0415  (where nothing is async nobody needs to have it)

    run(wait_for(awaitable))


@contextmanager
def enter_lifespan(app: App) -> Generator[None]:
    """Enter the lifespan of `app`, if it has one, and leave it at the end.

    Raises what it raises, `RuntimeError` for an async one that waits for something, and `ValueError` where
    `app.check()` does.
    """
    app.check()
    manager = lifespan_of(app)
    if manager is None:
        yield
    elif isinstance(manager, AbstractAsyncContextManager):
        run_here(manager.__aenter__())
        try:
            yield
        except BaseException as error:
            if not run_here(manager.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            run_here(manager.__aexit__(None, None, None))
    else:
        with manager:
            yield


@final
class _SystemDisk:
    __slots__ = ("_passing",)

    def __init__(self, passing: _Passing) -> None:
        self._passing: Final = passing

    def open(self, need: OpenFile | UseFile) -> BlockingFile:
        try:
            return open_blocking(need)
        except Exception:
            raise
        except BaseException as raised:
            self._passing.take(raised)
            raise

    def entries(self, need: ListDirectory) -> list[Entry]:
        return list_directory(need.path, need.within)


def _defer_calls(
    calls: Sequence[DeferredCall], defer: Callable[[Sequence[DeferredCall]], None], passing: _Passing
) -> None:
    try:
        defer(calls)
    except BaseException as raised:
        passing.error = raised  # also an `OSError`: it is the server's own, and no client's leaving


def _has_descriptor(file: BlockingFile) -> bool:
    try:
        file.fileno()
    except OSError:
        return False
    return True


def _read(file: BlockingFile, offset: int, count: int, passing: _Passing) -> bytes | BaseException:
    """Read at most so many bytes, none at the end of the file or of the range; and what reading raised."""
    try:
        return file.read_at(offset, min(count, _READ_SIZE)) if count else b""
    except BaseException as error:  # of an open file that is the application's own it can be any
        if not isinstance(error, Exception):
            passing.take(error)
        return error


def _run_or_hand_over(calls: Sequence[DeferredCall], app: App, report: Callable[[BaseException, str], None]) -> None:
    if app.defer_runner is None:
        run_deferred(calls, app, report)
    else:
        hand_over(calls, app, app.defer_runner, report)
