"""The driver of the tests: it performs the events of a machine in memory."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final, assert_never, final

from heaven_core.app.app import App
from heaven_core.app.callbacks import split_exceptions
from heaven_core.errors import ClientDisconnected
from heaven_core.http.headers import Headers
from heaven_core.machine.loop import Elapsed, Gone, Interrupted, Sent, Step, steps_of
from heaven_core.machine.machine import Machine
from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, End, Event, FileRange, Reset, Start
from heaven_core.protocol.needs import CloseStream, MakePage, NextItem
from heaven_core.protocol.outcome import Outcome
from heaven_core.runtime import Runtime
from heaven_core.testing.clock import Clock
from heaven_core.testing.disk import Disk, OpenedFile
from heaven_core.testing.pulled import Pulled
from heaven_core.testing.result import Result
from heaven_core.testing.waiting import WaitingStep

__all__ = ["Driver", "Plot"]


@final
class Plot:
    """What the test wants to happen to one response.

    The client leaves when `leave_after` events have been performed, or when a stream has kept it waiting for `patience`
    seconds; the server shuts down when `shut_down_after` events have been performed. `has_loop` says whether anybody
    can wake what waits.
    """

    __slots__ = ("has_loop", "leave_after", "patience", "shut_down_after")

    def __init__(
        self,
        leave_after: int | None = None,
        shut_down_after: int | None = None,
        patience: float | None = None,
        *,
        has_loop: bool = True,
    ) -> None:
        self.leave_after: Final = leave_after
        self.shut_down_after: Final = shut_down_after
        self.patience: Final = patience
        self.has_loop: Final = has_loop


@final
class Driver:
    """Performs the events of one machine, in memory, and tells the machine what the test wants to happen."""

    __slots__ = (
        "_app", "_clock", "_disk", "_files", "_has_left", "_is_endless", "_is_ending", "_machine", "_moved_on", "_plot",
        "_result", "_runtime", "_step", "_steps", "_tell", "deadline",
    )  # fmt: skip

    def __init__(
        self,
        app: App,
        runtime: Runtime,
        machine: Machine[Pulled],
        result: Result,
        *,
        clock: Clock,
        disk: Disk,
        tell: Callable[[Event | Outcome], None],
        plot: Plot,
    ) -> None:
        self._app: Final = app
        self._runtime: Final = runtime
        self._clock: Final = clock
        self._disk: Final = disk
        self._tell: Final = tell
        self._machine: Final = machine
        self._result: Final = result
        self._plot: Final = plot
        self._files: Final[list[OpenedFile]] = []  # a file, and a precompressed sibling that goes out in its place
        self._steps: Final = steps_of(machine, disk, self._files)
        # Of the step of the stream that is under way: whether it is to end, and what the machine wants instead of its
        # item, where a timeout has ended the stream.
        self._step: WaitingStep | None = None
        self._is_endless = False
        self._is_ending = False
        self._has_left = False
        self._moved_on: Step[Pulled] | None = None
        self.deadline: float = math.inf  # of the heartbeat, as `Timed` has it

    async def run(self) -> None:
        """Drive the machine to its end."""
        try:
            step = next(self._steps)
            while True:
                if type(step) is NextItem:
                    step = await self._take_item(step)
                elif type(step) is MakePage:
                    await step.make()
                    step = self._steps.send(None)
                elif type(step) is CloseStream:
                    step = self._steps.send(await step.stream.close())
                elif type(step) is Deferred:
                    await self._run_all(step)
                    step = self._steps.send(None)
                else:
                    step = self._steps.send(self._perform(step))
        except StopIteration as ended:
            self._tell(ended.value)

    async def _take_item(self, need: NextItem[Pulled]) -> Step[Pulled]:
        if need.endless and self._is_due(self._plot.shut_down_after):
            return self._steps.throw(Interrupted())
        self._step = step = WaitingStep(need.stream.next(), self._while_it_waits, has_loop=self._plot.has_loop)
        self._is_endless = need.endless
        self._is_ending = False
        self._set_deadline(need)
        self._clock.timers.append(self)
        raised: BaseException | None = None
        item: object = None
        try:
            item = await step
        except Exception as error:
            raised = error
        except BaseException as error:
            if not step.stopped or step.cancelled:
                raise
            # What its clean-up has raised counts, beside the end that we have put to it.
            raised = split_exceptions(error)[0] or (ClientDisconnected() if self._has_left else Interrupted())
        finally:
            self._clock.timers.remove(self)
            self._step = None
        if self._moved_on is not None:
            return self._move_on(self._moved_on, raised)
        return self._steps.send(item) if raised is None else self._steps.throw(raised)

    def _move_on(self, wanted: Step[Pulled], raised: BaseException | None) -> Step[Pulled]:
        self._moved_on = None
        if raised is not None and not isinstance(raised, Interrupted | StopAsyncIteration):
            self._machine.report(raised, "stream")
        return wanted

    def _while_it_waits(self, may_take_long: bool) -> None:
        """The step of the stream waits; for no more than a turn of the event loop, or nobody knows for how long."""
        if not self._is_ending:
            self._end_where_due()
        if self._is_ending or not may_take_long:
            return
        plot = self._plot
        if plot.patience is not None:
            self._clock.advance(plot.patience)
            if not self._is_ending:
                self._leave()
        elif self._result.status == 0 and (plot.leave_after or plot.shut_down_after):
            # The head is the first of the events that are to be performed, whatever comes next.
            self.elapse()

    def elapse(self) -> None:
        """See `Timed`: the stream has been silent for so long that its head goes out, or a heartbeat."""
        step = self._steps.send(Elapsed())
        while isinstance(step, Start | Chunk | End):
            step = self._steps.send(self._perform(step))
        if type(step) is NextItem:
            self._set_deadline(step)
            self._end_where_due()
        else:
            self._moved_on = step
            self._stop()

    def _set_deadline(self, need: NextItem[Pulled]) -> None:
        self.deadline = math.inf if need.timeout is None else self._clock.elapsed + need.timeout

    def _is_due(self, count: int | None) -> bool:
        return count is not None and len(self._result.events) >= count

    def _end_where_due(self) -> None:
        if self._is_due(self._plot.leave_after):
            self._leave()
        elif self._is_endless and self._is_due(self._plot.shut_down_after):
            self._stop()

    def _leave(self) -> None:
        self._has_left = True
        self._machine.disconnected()  # what the step still gives is absorbed
        self._stop()

    def _stop(self) -> None:
        self._is_ending = True
        self.deadline = math.inf
        assert self._step is not None  # only a step that is under way has timers, and waits
        self._step.stop()

    def _perform(self, event: Start | Chunk | FileRange | End | Reset) -> Gone | Sent | None:
        result = self._result
        if self._plot.leave_after == len(result.events):
            return Gone()
        result.events.append(event)
        answer: Sent | None = None
        match event:
            case Start():
                result.status = event.status
                result.headers = Headers(event.fields)
            case Chunk():
                result.take(event.data)
            case FileRange():
                data = self._files[-1].read(event.offset, event.count)
                result.take(data)
                answer = Sent(len(data))
            case End():
                result.ended = True
            case Reset():
                pass  # the client sees that nothing has ended the body
            case _:
                assert_never(event)
        self._tell(event)
        return answer

    async def _run_all(self, event: Deferred) -> None:
        self._result.events.append(event)
        if self._app.defer_runner is not None:
            self._app.defer_runner.start(event.calls, self._app)
        else:
            for call in event.calls:
                await self._run(call)
        self._tell(event)

    async def _run(self, call: DeferredCall) -> None:
        try:
            result = call.run(self._app)
            if isinstance(result, Awaitable):
                await result
        except (Exception, SystemExit) as error:  # the end of a command line's main is not the server's
            self._app.report(error, f"deferred call {call.name}", self._runtime)
