"""The loop over needs, for drivers that do one thing at a time: a generator of what is to be performed and awaited.

It does by itself what takes no waiting on anybody but the disk, which it is given: opening, listing and closing files,
and telling the machine. What is left for the driver is to perform events, and to step and close streams, in whatever
way it waits for them. `heaven_driver.blocking` and `heaven_core.testing` are such drivers.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Final, Protocol, TypeAlias, TypeVar, assert_never, final

from heaven_core._record import Record
from heaven_core.errors import ClientDisconnected
from heaven_core.machine.machine import Machine
from heaven_core.protocol.events import Event
from heaven_core.protocol.needs import (
    CloseFile,
    CloseStream,
    Deliver,
    Entry,
    FileInfo,
    Finished,
    ListDirectory,
    MakePage,
    NextItem,
    OpenFile,
    UseFile,
)
from heaven_core.protocol.outcome import Outcome

__all__ = ["Disk", "Elapsed", "Gone", "Interrupted", "OpenedFile", "Sent", "Step", "steps_of"]


class OpenedFile(Protocol):
    """A file that the machine was told to be open."""

    @property
    def info(self) -> FileInfo:
        """The file's size, and when it was changed."""
        ...

    def close(self) -> None:
        """Close the file; one of the application's own is only read no more."""
        ...


S = TypeVar("S")
F = TypeVar("F", bound=OpenedFile)
F_co = TypeVar("F_co", bound=OpenedFile, covariant=True)


class Disk(Protocol[F_co]):
    """The files that a driver can open."""

    def open(self, need: OpenFile | UseFile, /) -> F_co:
        """Open the file that is needed. Raises what goes into `Machine.open_failed`."""
        ...

    def entries(self, need: ListDirectory, /) -> Iterable[Entry]:
        """The entries of the directory. Raises `OSError`."""
        ...


@final
class Sent(Record):
    """The answer to a `FileRange`: `count` bytes of it have left; `error`, if reading the file has failed."""

    __slots__ = ("count", "error")
    __match_args__ = ("count", "error")

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        self.count: Final = count
        self.error: Final = error


@final
class Gone(Record):
    """The answer to an event that can't be sent, since the client has left; `count` bytes of a `FileRange` had gone."""

    __slots__ = ("count",)
    __match_args__ = ("count",)

    def __init__(self, count: int = 0) -> None:
        self.count: Final = count


@final
class Elapsed(Exception):
    """Sent or thrown in at a `NextItem`, or raised by a stream: its timeout is over, the same item is still awaited."""


@final
class Interrupted(Exception):
    """Thrown in at a `NextItem`, or raised by a stream: the server shuts down, and the item is no longer awaited."""


Step: TypeAlias = Event | NextItem[S] | MakePage | CloseStream[S]
"""What the driver is asked to do. Answers go in by `send`:

- an event: `None` when it is performed, for a `FileRange` a `Sent`; `Gone` if it can't be;
- `NextItem`: the item, or an `Elapsed` while the step goes on; what else came of it is thrown in: the end
  (`StopIteration`, `StopAsyncIteration`), `Elapsed`, `Interrupted`, `ClientDisconnected`, or what it raised;
- `MakePage`: nothing, once its `make` was awaited; `Gone` where it was ended from outside;
- `CloseStream`: what closing raised, or `None`.
"""


def steps_of(  # noqa: C901, PLR0912  # an arm for each need
    machine: Machine[S], disk: Disk[F], files: list[F]
) -> Generator[Step[S], object, Outcome]:
    """Drive `machine` to its end, and return the outcome. `files` are those that are open: the last one is in use.

    What opening or a stream raises that is no `Exception` is a failure, too; whoever has raised it passes it on at the
    end. Raises `LocalProtocolError` for answers out of turn.
    """
    events = machine.start()
    while True:
        sent = Sent(0)
        leaving: tuple[Event, ...] = ()
        for event in events:
            answer = yield event
            if type(answer) is Sent:
                sent = answer
            elif type(answer) is Gone:
                leaving = machine.disconnected(answer.count)
                break
        if leaving:
            events = leaving
            continue
        # What was known before is stale: ask again.
        need = machine.need
        match need:
            case NextItem():
                events = yield from _next_item(machine, need)
            case OpenFile() | UseFile():
                try:
                    files.append(disk.open(need))
                except BaseException as error:  # of an open file that is the application's own it can be any
                    events = machine.open_failed(error)
                else:
                    events = machine.opened(files[-1].info)
            case ListDirectory():
                try:
                    events = machine.listed(need.page(disk.entries(need)))
                except OSError as error:
                    events = machine.open_failed(error)
            case MakePage():
                answer = yield need
                if type(answer) is Gone:
                    machine.disconnected()
                events = machine.page_made()
            case Deliver():
                events = machine.delivered(sent.count, sent.error)
            case CloseStream():
                raised = yield need
                events = machine.closed(raised if isinstance(raised, BaseException) else None)
            case CloseFile():
                events = machine.closed(_error_of_closing(files.pop()))
            case Finished():
                return need.outcome
            case _:
                assert_never(need)


def _next_item(machine: Machine[S], need: NextItem[S]) -> Generator[Step[S], object, tuple[Event, ...]]:
    try:
        item = yield need
    except (StopIteration, StopAsyncIteration):
        return machine.exhausted()
    except Elapsed:
        return machine.elapsed()
    except Interrupted:
        return machine.interrupted()
    except ClientDisconnected:  # the generator was reading the request
        return machine.disconnected()
    except GeneratorExit:  # nobody drives this any more
        raise
    except BaseException as error:
        return machine.stream_failed(error)
    return machine.elapsed() if type(item) is Elapsed else machine.produced(item)


def _error_of_closing(file: OpenedFile) -> Exception | None:
    try:
        file.close()
    except Exception as error:
        return error
    return None
