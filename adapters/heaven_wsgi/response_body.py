"""What a server iterates over, and closes: the body of one response, from the first chunk to the deferred work."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextvars import Context
from io import UnsupportedOperation
from typing import Final, final

from heaven_core import Chunk, End, Outcome, Reset
from heaven_driver.blocking import FileToSend, WireEvent

__all__ = ["NOTHING", "BrokenOff", "DrivenBody", "FileBody", "Steps", "WholeBody"]

# What is yielded where there is no body: a server that is given nothing at all may say `Content-Length: 0` of it, which
# a 204 and a 304 don't have (RFC 9110 §8.6), and the HEAD of a stream neither.
NOTHING: Final = (b"",)

Steps = Generator[WireEvent | FileToSend, None, Outcome]


@final
class BrokenOff(Exception):
    """The body is not whole, and is not going to be: the server has to cut the connection, as it does for an error.

    What the reason is has been told to the application and its log.
    """

    def __init__(self) -> None:
        super().__init__("the response broke off, as was reported: the connection has to be cut")


@final
class WholeBody:
    """A body that is there, of a response for whose end deferred work waits; `finish` hears whether all was taken."""

    __slots__ = ("_data", "_finish", "_taken")

    def __init__(self, data: bytes, finish: Callable[[bool], None]) -> None:
        self._data: bytes | None = data
        self._finish: Callable[[bool], None] | None = finish
        self._taken = not data  # where there is nothing, some servers don't ask

    def __iter__(self) -> WholeBody:
        return self

    def __next__(self) -> bytes:
        data, self._data = self._data, None
        if data is None:
            self._taken = True
            raise StopIteration
        return data

    def __del__(self) -> None:
        """Close what nobody has closed: a middleware may have forgotten it."""
        self.close()

    def close(self) -> None:
        """End the response; the first time."""
        finish, self._finish = self._finish, None
        if finish is not None:
            finish(self._taken)


@final
class DrivenBody:
    """A body that is driven by its server, an item each time it is asked for one."""

    __slots__ = ("_closed", "_context", "_ended", "_is_nothing", "_on_close", "_steps", "_waiting")

    def __init__(
        self,
        steps: Steps,
        context: Context,
        waiting: WireEvent | FileToSend | None,
        on_close: Callable[[], None],
    ) -> None:
        self._steps: Final = steps
        self._context: Final = context
        self._waiting = waiting  # an event that has been asked for already
        self._on_close: Final = on_close
        self._ended = self._is_nothing = type(waiting) is End
        self._closed = False

    def __iter__(self) -> DrivenBody:
        return self

    def __next__(self) -> bytes:
        """The next piece. Raises `BrokenOff` in place of an end, where the body is not whole."""
        if self._is_nothing:
            self._is_nothing = False
            return b""
        if self._ended or self._closed:
            raise StopIteration
        event = self._waiting
        if event is None:
            try:
                event = self._context.run(next, self._steps)
            except StopIteration:  # the client has left: this is no end that anybody may take for one
                self._ended = True
                raise BrokenOff from None
        self._waiting = None
        if type(event) is Chunk:
            return event.data
        self._ended = True
        if type(event) is Reset:
            raise BrokenOff
        raise StopIteration

    def __del__(self) -> None:
        """Close what nobody has closed."""
        self.close()

    def close(self) -> None:
        """End the response, the first time: close what is open, and hand over the deferred work."""
        if self._closed:
            return
        self._closed = True
        run = self._context.run
        try:
            if self._ended:
                run(exhaust, self._steps)
            else:
                run(self._steps.close)  # the server wants no more of it: the client has left
        finally:
            self._on_close()


@final
class FileBody:
    """A whole file that its server sends by itself: what `wsgi.file_wrapper` is given.

    The server says by `seek` how far it has come, as `socket.sendfile` does, or reads.
    """

    __slots__ = ("_closed", "_context", "_file", "_on_close", "_steps")

    def __init__(self, file: FileToSend, steps: Steps, context: Context, on_close: Callable[[], None]) -> None:
        self._file: Final = file
        self._steps: Final = steps
        self._context: Final = context
        self._on_close: Final = on_close
        self._closed = False

    def fileno(self) -> int:
        """The descriptor of the open file."""
        return self._file.file.fileno()

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes, all that is left where `size` is negative.

        Raises `BrokenOff` at an end that comes too early: whoever reads would take it for that of the body.
        """
        file = self._file
        left = file.count - file.sent
        try:
            data = file.file.read_at(file.sent, left if size < 0 else min(size, left))
        except OSError as error:
            file.error = error
            raise
        if not data and size and left:
            raise BrokenOff
        file.sent += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Say that what comes before `offset` has been sent."""
        if whence != os.SEEK_SET:
            raise UnsupportedOperation("a response is sent from its beginning on")
        self._file.sent = offset
        return offset

    def tell(self) -> int:
        """How many bytes have been sent."""
        return self._file.sent

    def __del__(self) -> None:
        """Close what nobody has closed, and to whom nothing can be raised any more."""
        try:
            self.close()
        except BrokenOff:
            pass

    def close(self) -> None:
        """End the response, the first time. Raises `BrokenOff` where the file was too short, for the server to cut."""
        if self._closed:
            return
        self._closed = True
        file = self._file
        run = self._context.run
        try:
            if file.sent < file.count and file.error is None and not self._is_shorter():
                run(self._steps.close)  # the server has not come to its end: the client has left
                return
            event = run(next, self._steps)
            run(exhaust, self._steps)
            if type(event) is Reset:
                raise BrokenOff
        finally:
            self._on_close()

    def _is_shorter(self) -> bool:
        return os.fstat(self.fileno()).st_size < self._file.count


def exhaust(steps: Steps) -> None:
    """Say that the last event has been performed."""
    for _ in steps:
        raise AssertionError("a response has no event after its end")
