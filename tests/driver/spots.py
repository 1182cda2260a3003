"""Places where a run awaits something, and one of them where it goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final, Literal, TypeAlias, final

import anyio
from anyio.lowlevel import checkpoint

from tests.driver.memory import PATIENCE, Call, Sent

__all__ = ["FAULTS", "SOON", "Fault", "Spots", "turns"]

Fault: TypeAlias = Literal[
    "failure", "timeout", "disconnect", "cancellation", "late answer", "late answer to a cancellation"
]
FAULTS: Final[tuple[Fault, ...]] = (
    "failure", "timeout", "disconnect", "cancellation", "late answer", "late answer to a cancellation",
)  # fmt: skip

SOON: Final = 0.002  # seconds: the timeouts of the streams, where they shall be over
# So often others have their turn until all have heard what there is to be heard.
TURNS: Final = 20


@final
class Spots:
    """The places of one run, in `seen` as they are reached. At `spot` happens `fault`.

    - failure: what is awaited there raises;
    - timeout: it takes so long that time is up, and then goes well;
    - disconnect: the client leaves at that moment. A step has nothing to answer before it is woken; where anything else
      answers, nobody has heard of it yet;
    - cancellation: the task of the request is cancelled, once, as servers do it;
    - late answer: the client leaves, and the answer comes when that is known;
    - late answer to a cancellation: the same, where the task was cancelled.
    """

    def __init__(self, spot: str = "", fault: Fault | None = None) -> None:
        self.spot: Final = spot
        self.fault: Final = fault
        self.seen: Final[list[str]] = []
        self.error: OSError | ValueError | None = None  # that was raised
        self.was_cancelled = False
        self.sent_when_known = 0  # messages, when a late answer came
        self._in_thread: Final = threading.Event()
        self._go_on: Final = threading.Event()
        self._cancellations = 0
        self._cancel: Callable[[], object] = lambda: None
        self._call: Call | None = None

    async def at(self, spot: str, error: type[OSError | ValueError] = OSError) -> None:
        """In a coroutine."""
        if not self._is_it(spot):
            return
        if self.fault == "failure":
            self._fail(error)
        late = self.fault in ("late answer", "late answer to a cancellation")
        if spot.startswith("step") and (self.fault == "disconnect" or (late and _on_asyncio())):
            # Only who swallows the cancellation that wakes it has something to answer afterwards.
            try:
                await self._happen()
                await anyio.sleep(PATIENCE)
            except asyncio.CancelledError:
                self._note_sent()
                if not late:
                    raise
                return
            raise AssertionError("nobody has woken it")
        with anyio.CancelScope(shield=late):
            await self._happen()

    def at_in_thread(self, spot: str, error: type[OSError | ValueError] = OSError) -> None:
        """In a worker thread, which nothing can stop: what happens meanwhile happens in the event loop."""
        if not self._is_it(spot):
            return
        if self.fault == "failure":
            self._fail(error)
        self._in_thread.set()
        assert self._go_on.wait(PATIENCE)

    async def run(self, call: Call) -> None:
        """Have the call run to its end."""
        self._call = call
        call.at_send = self._at_send
        call.at_watch = self._at_watch
        async with anyio.create_task_group() as group:
            group.start_soon(self._attend)
            try:
                await (self._run_on_asyncio(call) if _on_asyncio() else self._run_on_trio(call))
            finally:
                self._go_on.set()
                group.cancel_scope.cancel()

    async def _run_on_asyncio(self, call: Call) -> None:
        task = asyncio.ensure_future(call.run())

        def cancel() -> None:
            self._cancellations += task.cancel()

        self._cancel = cancel
        await asyncio.wait({task}, timeout=PATIENCE)
        assert task.done(), "it hangs"
        assert task.cancelling() == self._cancellations, "those of the driver have been taken back"
        self.was_cancelled = task.cancelled()
        if not self.was_cancelled:
            task.result()

    async def _run_on_trio(self, call: Call) -> None:
        with anyio.fail_after(PATIENCE), anyio.CancelScope() as scope:
            self._cancel = scope.cancel
            await call.run()
        self.was_cancelled = scope.cancelled_caught

    async def _at_send(self, number: int, sent: Sent) -> None:
        await self.at(f"send {number}")

    async def _at_watch(self) -> None:
        await self.at("watch")

    def _is_it(self, spot: str) -> bool:
        """Each is passed once: where it comes again, as a message that is sent once more, nothing goes wrong."""
        first = spot not in self.seen
        self.seen.append(spot)
        return first and spot == self.spot

    def _fail(self, error: type[OSError | ValueError]) -> None:
        self.error = error("as the script says")
        raise self.error

    async def _attend(self) -> None:
        while not self._in_thread.is_set():
            await anyio.sleep(SOON / 4)
        await self._happen()
        self._go_on.set()

    async def _happen(self) -> None:
        call = self._call
        assert call is not None
        if self.fault == "timeout":
            await self._let_time_pass(call)
        elif self.fault in ("cancellation", "late answer to a cancellation"):
            self._cancel()
            await turns(TURNS)
        else:
            call.leave()
            if self.fault == "late answer":
                await turns(TURNS)
        self._note_sent()

    def _note_sent(self) -> None:
        assert self._call is not None
        self.sent_when_known = len(self._call.sent)

    async def _let_time_pass(self, call: Call) -> None:
        """What is silent meanwhile says something: the head goes out, or a heartbeat."""
        if self.spot == "step 0":
            await call.until_sent(1)
        elif self.spot.startswith("step") and "data:" in str(call.sent):
            await call.until_sent(len(call.sent) + 1)
        else:
            await anyio.sleep(2 * SOON)


async def turns(count: int) -> None:
    """Let others have so many."""
    for _ in range(count):
        await checkpoint()


def _on_asyncio() -> bool:
    return anyio.get_cancelled_exc_class() is asyncio.CancelledError
