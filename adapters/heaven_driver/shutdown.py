"""The streams that are open in one event loop: what they share, and their end when the server ends.

Those of events end in order, any other when its time is up.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Final, Protocol, final

import anyio

from heaven_driver.late_closing import Cancellable, LateClosing
from heaven_driver.signals import heard_first
from heaven_driver.timers import Timers, timers_here
from heaven_io.detached import begin
from heaven_io.soon import soon

__all__ = ["SENDING", "STEP", "STREAM", "Interruptible", "OpenStreams"]

# How far an interruption reaches.
STEP: Final = 1  # the step that is awaited
STREAM: Final = 2  # ... and no other is to begin
SENDING: Final = 3  # ... and what is being sent is stopped, too

# Seconds without an item after which a stream of events is ended: what is on its way still goes out.
_SILENCE: Final = 0.1
# Seconds after which also one that always has something to say is ended.
_MOST_TALK: Final = 1.0


class Interruptible(Cancellable, Protocol):
    """A stream that is under way. `steps` counts its items, `endless` says that it may be ended wherever it waits."""

    endless: bool
    steps: int

    def interrupt(self, reach: int) -> None:
        """Stop what `reach` says: the step that is awaited, if there is one, and perhaps more."""
        ...


@final
class OpenStreams:
    """The open streams of one event loop, ended within `deadline` seconds once `tell` was called, or `finish`.

    `timers` are theirs. `closing_limit` is how many seconds one of them gets to close; it stands here once,
    not in each stream that waits (benchmarks/event_streams.py). Where no lifespan has come, and nobody tells them of
    the end, `hear` has them hear SIGTERM and SIGINT themselves, while there is one.
    """

    __slots__ = (
        "_began", "_deadline", "_hear", "_hearing", "_late_closing", "_scope", "_streams", "_told", "_waits",
        "closing_limit", "timers",
    )  # fmt: skip

    def __init__(self, deadline: float, closing_limit: float, hear: bool = False) -> None:
        self._deadline: Final = deadline
        self.closing_limit: Final = closing_limit
        self._began = math.inf
        self._streams: Final[set[Interruptible]] = set()
        self._told: Final = anyio.Event()
        self.timers: Final[Timers] = timers_here()
        self._late_closing: Final = LateClosing(closing_limit, self.timers, self._streams)
        self._scope: Final = anyio.CancelScope()
        self._hear: Final = hear
        self._hearing: ExitStack | None = None
        self._waits = False

    def join(self, stream: Interruptible) -> None:
        """Count a stream that begins."""
        self._streams.add(stream)
        self._late_closing.begin()
        if self._hear and self._hearing is None:
            self._hearing = ExitStack()
            self._hearing.enter_context(heard_first(soon(self.tell)))
            if not self._waits:
                self._waits = True
                begin(self.wait_until_told, "ending the streams").abandon(_nothing)

    def leave(self, stream: Interruptible) -> None:
        """Forget a stream that has ended."""
        self._streams.discard(stream)
        if not self._streams and self._hearing is not None:
            hearing, self._hearing = self._hearing, None
            hearing.close()

    async def wait_until_told(self) -> None:
        """End the streams once `tell` has been called, and those that begin afterwards, until `stop` is called."""
        with self._scope:
            await self._told.wait()
            while True:
                await self.finish()
                await anyio.sleep(_SILENCE)

    def tell(self) -> None:
        """Begin to end the streams. To be called in the event loop."""
        self._told.set()

    def stop(self) -> None:
        """No longer wait to be told."""
        self._scope.cancel()

    async def finish(self) -> None:
        """End the streams, and return when the last one has ended."""
        now = anyio.current_time()
        self._began = min(now, self._began)
        seen: dict[Interruptible, int] = {}
        while self._streams:
            late = now >= self._began + self._deadline
            talked_enough = now >= self._began + _MOST_TALK
            for stream in list(self._streams):
                same_step = seen.get(stream) == stream.steps
                if late or (stream.endless and (same_step or talked_enough)):
                    stream.interrupt(SENDING if late and same_step else STREAM if late or talked_enough else STEP)
            seen = {stream: stream.steps for stream in self._streams}
            await anyio.sleep(_SILENCE)
            now = anyio.current_time()
        if not self._told.is_set():
            self._began = math.inf  # streams that begin later have their own time, when this is called again


async def _nothing(_: None) -> None:
    """Drop the result of ending the streams, for which nobody asks."""
