"""How the server's thread waits for the event loop, and does meanwhile what only it may do."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, Protocol, final

from heaven_core.machine.loop import Elapsed, Interrupted

__all__ = ["Answer", "Job", "OnLoop", "ServerThread"]


@final
class OnLoop:
    """Awaited in the server's thread, it asks whoever steps that code to have `awaitable` run on the event loop."""

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Awaitable[object]) -> None:
        self.awaitable: Final = awaitable

    def __await__(self) -> Generator[OnLoop, object, object]:
        """Come back with what the awaitable gives, or raise it."""
        return (yield self)


@final
class Answer:
    """What came of something that the event loop was asked for: a value, or an error.

    `cancel` is how the task that makes it is cancelled, once there is one.
    """

    __slots__ = ("cancel", "error", "given_up", "value")

    def __init__(self) -> None:
        self.value: object = None
        self.error: BaseException | None = None
        self.cancel: Callable[[], object] | None = None
        self.given_up: bool = False

    def get(self) -> object:
        """The value. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.value

    def give_up(self) -> None:
        """Have the task cancelled, now or when it begins. To be called in the loop's thread."""
        self.given_up = True
        if self.cancel is not None:
            self.cancel()


class Job(Protocol):
    """Something that only the server's thread may do, for the event loop."""

    def run(self) -> None:
        """Do it. Called in the server's thread; raises no `Exception`."""
        ...

    def refuse(self) -> None:
        """Learn that it will not be done: the response has ended. Called in any thread."""
        ...


@final
class ServerThread:
    """The thread in which a server has called the application, for one request.

    Servers want their input to be read there, and by nobody else. `left_behind` says that a task of the request goes on
    in its context, though nobody waits for it any more: that context is the task's then.
    """

    __slots__ = ("_ended", "_id", "_inbox", "left_behind")

    def __init__(self) -> None:
        self._id: Final = threading.get_ident()
        # One that may be put into by a signal's handler, and by a thread that holds any lock.
        self._inbox: Final[SimpleQueue[Answer | Job | None]] = SimpleQueue()
        self._ended = False
        self.left_behind: bool = False

    @property
    def is_current(self) -> bool:
        """Whether this is called in it."""
        return threading.get_ident() == self._id

    def wait(self, answer: Answer, timeout: float | None = None, interrupted: Callable[[], bool] | None = None) -> None:
        """Wait until `answer` is given back, and do the jobs that come meanwhile.

        Raises `Elapsed` after `timeout` seconds, and `Interrupted` once `interrupted()` says so, which is asked when
        somebody calls `interrupt`.
        """
        until = None if timeout is None else monotonic() + timeout
        while True:
            if interrupted is not None and interrupted():
                raise Interrupted
            try:
                left = None if until is None else min(max(0.0, until - monotonic()), threading.TIMEOUT_MAX)
                message = self._inbox.get(timeout=left)
            except Empty:
                raise Elapsed from None
            if message is answer:
                return
            if message is not None and not isinstance(message, Answer):
                message.run()
            # What else comes is the answer to something that was given up.

    def give(self, answer: Answer) -> None:
        """Give back an answer. May be called in any thread."""
        self._inbox.put(answer)

    def interrupt(self) -> None:
        """Have one who waits ask whether to go on. May be called in any thread, and in a signal's handler."""
        self._inbox.put(None)

    def ask(self, job: Job) -> None:
        """Have a job done while it waits; refuse it where the response has ended. May be called in any thread."""
        self._inbox.put(job)
        if self._ended:
            self._refuse_all()

    def end(self) -> None:
        """Wait no more: the response has ended."""
        self._ended = True
        self._refuse_all()

    def _refuse_all(self) -> None:
        while True:
            try:
                message = self._inbox.get_nowait()
            except Empty:
                return
            if message is not None and not isinstance(message, Answer):
                message.refuse()
