"""The second half of the machine: how a response ends, whichever way it does.

Everything that was handed out has to be performed, everything that is open to be closed, once; then the outcome is
final and the deferred work may run. `heaven_core.machine.machine` has the first half.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, Generic, NoReturn, Protocol, TypeAlias, TypeVar

from heaven_core.errors import LocalProtocolError
from heaven_core.http.conditional import Conditions
from heaven_core.machine import states
from heaven_core.message.draft import Answer
from heaven_core.protocol.events import Chunk, Deferred, DeferredCall, Event, FileRange, Reset
from heaven_core.protocol.needs import CloseFile, CloseStream, Deliver, Finished, Need
from heaven_core.protocol.outcome import Outcome, OutcomeKind
from heaven_core.runtime import Runtime

__all__ = ["Ending", "Events", "RequestHead"]

S = TypeVar("S")
Events: TypeAlias = tuple[Event, ...]


class RequestHead(Conditions, Protocol):
    """What the machine wants to know of a request."""

    @property
    def path(self) -> str:
        """The path, for reports."""
        ...


class Ending(Generic[S]):
    """State, need and ledger of one response, and the answers that any body has in common."""

    __slots__ = (
        "_announced", "_calls", "_left", "_open_files", "_pending", "_request", "_response", "_rest", "_runtime",
        "_sent", "_state", "_unclosed", "need",
    )  # fmt: skip

    def __init__(self, response: Answer, request: RequestHead, runtime: Runtime) -> None:
        self._response: Final = response
        self._runtime: Final = runtime
        self._request: Final = request
        self._state = states.IDLE
        self._calls: Sequence[DeferredCall] | None = None
        # The ledger, in body bytes: those known to have gone, those handed out last and not known of yet, those of the
        # FileRange under way, and those still to come of what the head has announced (None: it did not).
        self._sent = 0
        self._pending = 0
        self._announced = 0
        self._left: int | None = None
        self._rest: Sequence[Event] = ()  # what follows the FileRange under way
        self._open_files = 0
        self._unclosed: tuple[S, ...] = ()
        self.need: Need[S]  # from start() on, never None

    @property
    def state(self) -> str:
        """The name of the state in `heaven_core.machine.states`, for messages and tests."""
        return states.NAMES[self._state]

    def delivered(self, sent: int = 0, error: BaseException | None = None) -> Events:
        """What was handed out has been performed; `sent` bytes of the `FileRange` in it have left.

        Fewer than it says, because the file has shrunk or can't be read (`error`), make a `Reset`.
        """
        state = self._state
        if state == states.CLOSING_LEFT or state == states.FINISHED_LEFT:
            self._state = states.CLOSING if state == states.CLOSING_LEFT else states.FINISHED
            return ()
        if state != states.SENDING and state != states.ENDING and state != states.FULFILLING:
            self._out_of_turn("delivered")
        if not 0 <= sent <= self._announced:
            self._out_of_turn(f"delivered({sent}), of {self._announced} bytes,")
        self._sent += self._pending + sent
        self._pending = 0
        short = self._announced - sent
        self._announced = 0
        if state == states.SENDING:
            if error is None and short:
                error = EOFError(f"the file has become shorter: {short} bytes of what the head announced are missing")
            if error is None:
                return self._hand_out(self._rest)
            self.report(error, "file")
            self._response.break_off(error)
            return self._last(Reset())
        if error is not None:
            self.report(error, "wire")
            self._response.break_off(error)
        if state == states.FULFILLING:
            return self._fulfilled()
        self._decide("complete")
        return self._wind_up()

    def closed(self, error: BaseException | None = None) -> Events:
        """The file or stream has been closed, or given up; `error` is what closing it raised."""
        need = self.need if self._state != states.IDLE and self._state != states.IDLE_LEFT else None
        if type(need) is CloseFile:
            self._open_files -= 1
        elif type(need) is CloseStream:
            self._unclosed = self._unclosed[1:]
        else:
            self._out_of_turn("closed")
        if error is not None:
            self.report(error, "closing")
        if self._state == states.BROKEN:
            self._ask_to_close()
            return ()
        if self._state == states.PASSING_OVER:
            return self._pass_over()
        return self._wind_up()

    def disconnected(self, sent: int = 0, unsent: int = 0) -> Events:
        """The client has gone, or what was handed out can't be sent. Idempotent, never raises.

        `sent` bytes of the `FileRange` under way had left before. Of the chunks that were handed out, `unsent` bytes
        still waited to be sent together with later ones. The answer to the need of this moment may still come, and is
        absorbed.
        """
        state = self._state
        # What was handed out last has not been counted yet.
        self._sent -= min(max(unsent - self._pending, 0), self._sent)
        if state == states.IDLE:
            self._state = states.IDLE_LEFT
        elif state == states.OPENING or state == states.OPENING_SIBLING or state == states.LISTING:
            self._decide("disconnected")
            self._state = states.OPENING_LEFT
        elif state == states.PASSING_OVER:
            self._decide("disconnected")
            self._state = states.CLOSING  # and the need stays what it is
        elif state == states.HEADING or state == states.STREAMING or state == states.FULFILLED:
            self._decide("complete" if state == states.FULFILLED else "disconnected")
            self._ask_to_close()
            self._state = states.STREAMING_LEFT
        elif state == states.SENDING or state == states.ENDING or state == states.FULFILLING:
            self._sent += min(max(sent, 0), self._announced)
            self._decide("disconnected")
            events = self._wind_up()
            self._state = states.FINISHED_LEFT if type(self.need) is Finished else states.CLOSING_LEFT
            return events
        return ()

    @abstractmethod
    def _fulfilled(self) -> Events:
        """All that a stream has promised was delivered, or could not be."""

    @abstractmethod
    def _pass_over(self) -> Events:
        """What was opened last was no good, and is closed again."""

    def _hand_out(self, events: Sequence[Event]) -> Events:
        """Up to the next `FileRange`, which has to be delivered before the rest can follow; or all of them."""
        for index, event in enumerate(events):
            if type(event) is Chunk:
                self._pending += len(event.data)
            elif type(event) is FileRange:
                self._announced = event.count
                self._rest = events[index + 1 :]
                self._state = states.SENDING
                self.need = Deliver()
                return tuple(events[: index + 1])
        return self._last(*events)

    def _last(self, *events: Event) -> Events:
        """Hand out the end of the response; believe in it when it has been delivered."""
        self._state = states.ENDING
        self.need = Deliver()
        return events

    def _decide(self, kind: OutcomeKind) -> None:
        """Fix the outcome. What the application failed at counts, even where the client has left."""
        response = self._response
        if self._calls is None:
            kind = "failed" if response.failed else kind
            self._calls = response.finish(kind, self._sent, self._runtime.monotonic())

    def _wind_up(self) -> Events:
        """Ask for the next thing to be closed; when there is none, hand out the deferred work and finish."""
        if self._ask_to_close():
            self._state = states.CLOSING
            return ()
        self._state = states.FINISHED
        return (Deferred(tuple(self._calls)),) if self._calls else ()

    def _ask_to_close(self) -> bool:
        if self._open_files:
            self.need = CloseFile()
        elif self._unclosed:
            self.need = CloseStream(self._unclosed[0])
        else:
            self.need = Finished(self._outcome())
            return False
        return True

    def _outcome(self) -> Outcome:
        self._decide("disconnected")
        outcome = self._response.outcome
        assert outcome is not None  # _decide has made it
        return outcome

    def report(self, error: BaseException, what: str) -> None:
        """Tell the application of an error, with the request that it belongs to; `what` went wrong."""
        self._response.report_error(error, f"{what} of {self._request.method} {self._request.path!r}")

    def _out_of_turn(self, call: str) -> NoReturn:
        """Poison the machine. Its deferred work is lost with it: nobody can say what the driver has done."""
        state = self._state
        need = self.need if state != states.IDLE and state != states.IDLE_LEFT else "start()"
        error = LocalProtocolError(
            f"{call} was called in state {states.NAMES[state]}, when the machine waits for {need!r}; "
            "after this only what is open can be closed"
        )
        self._response.break_off(error)
        self._ask_to_close()
        self._state = states.BROKEN
        raise error
