"""What the machine tells its driver to do, in the order in which it has to happen.

Plain classes, for speed (a frozen dataclass takes four times as long to build) and so that `type(event) is Chunk`
narrows: they are final, and `Event` is the whole list, so that both type checkers find a forgotten arm.

On the wire of every response: `Start (Chunk | FileRange)* (End | Reset)`, or any beginning of it once the client has
gone; then, at most once, `Deferred`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Never, Protocol, TypeAlias, cast, final

from heaven_core._callable_name import callable_name
from heaven_core._record import Record
from heaven_core.http.headers import Field

__all__ = ["Chunk", "DeferRunner", "Deferred", "DeferredCall", "End", "Event", "FileRange", "Reset", "Start", "When"]


When: TypeAlias = Literal["always", "complete", "failed"]


@final
class Start(Record):
    """Send the head: `status`, and `fields` as (lower-case name, value) lines.

    `length` is the number of body bytes that will follow (0 for a response to HEAD), `None` if nobody knows: then the
    wire has to mark the end (chunked, a frame, closing). `close` asks for the end of the connection afterwards.
    """

    __slots__ = ("status", "fields", "length", "close")
    __match_args__ = ("status", "fields", "length", "close")

    def __init__(self, status: int, fields: list[Field], length: int | None, close: bool = False) -> None:
        self.status: Final = status
        self.fields: Final = fields
        self.length: Final = length
        self.close: Final = close


@final
class Chunk(Record):
    """Send these body bytes; never empty."""

    __slots__ = ("data",)
    __match_args__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data


@final
class FileRange(Record):
    """Send `count` bytes of the open file from `offset` on, then say by `delivered(sent)` how many went out."""

    __slots__ = ("offset", "count")
    __match_args__ = ("offset", "count")

    def __init__(self, offset: int, count: int) -> None:
        self.offset: Final = offset
        self.count: Final = count


@final
class End(Record):
    """The body is whole: say so on the wire."""

    __slots__ = ()
    __match_args__ = ()


@final
class Reset(Record):
    """The body ends here and is not whole: the client must be able to tell (RFC 9112 §8).

    That is the wire's word for it; `res.abort()` is the handler's, and makes a whole response.
    """

    __slots__ = ()
    __match_args__ = ()


@final
class DeferredCall(Record):
    """One `res.defer(func, when)`."""

    __slots__ = ("func", "when")
    __match_args__ = ("func", "when")

    def __init__(self, func: Callable[[Never], object], when: When) -> None:
        self.func: Final = func
        self.when: Final = when

    def run(self, app: object) -> object:
        """Call the function with the app; what it returns may have to be awaited. Raises what it raises."""
        # `Response.defer` takes nothing but a function of an App, and nobody has another app to give than that one:
        # to say so here, this module would have to know what an App is, which knows all of them.
        return cast(Callable[[object], object], self.func)(app)

    @property
    def name(self) -> str:
        """The name that logs give the call: its function's, never with what that was given."""
        return callable_name(self.func)


@final
class Deferred(Record):
    """Run these calls, in this order, each on its own: the response is done with. Has a tuple of its own."""

    __slots__ = ("calls",)
    __match_args__ = ("calls",)

    def __init__(self, calls: tuple[DeferredCall, ...]) -> None:
        self.calls: Final = calls


Event: TypeAlias = Start | Chunk | FileRange | End | Reset | Deferred


class DeferRunner(Protocol):
    """Takes over the deferred calls of a response, at its end.

    `App(defer_runner=...)` takes one's own, that puts them into a queue for other processes, say. The default of each
    adapter runs them in this process, and waits for them at the shutdown.
    """

    def start(self, calls: Sequence[DeferredCall], app: object, /) -> None:
        """See to it that `call.run(app)` is called for each, in this order, each on its own: one may raise.

        Called where the response was sent, so it must not block. What it raises is reported, and the calls are lost.
        """
        ...
