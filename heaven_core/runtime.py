"""What the core cannot know by itself, handed in by the driver as one value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, final

__all__ = ["Runtime", "run_at_once"]


def run_at_once(awaitable: Awaitable[object]) -> None:
    """Run what awaits nothing to its end, right here. Raises `RuntimeError` where it would have to wait."""
    for _ in awaitable.__await__():
        raise RuntimeError("an async on_error that awaits something needs a runtime whose spawn= runs it in a task")


def _is_never(error: BaseException) -> bool:  # what it answers is the same for each
    return False


@final
class Runtime:
    """Clocks, chance, tracebacks and the log: what would be I/O or hidden state in the core.

    - `wall()`: seconds since the epoch, for Last-Modified and the age of a validator;
    - `monotonic()`: seconds on a clock that never goes back, for `outcome.duration`;
    - `token()`: a fresh random text of ASCII letters and digits, for a multipart boundary;
    - `describe(error)`: the traceback as text, for the page that `App(debug=True)` shows;
    - `log(error, where)`: writes down an error that no client is told;
    - `spawn(awaitable)`: sees to it that an `on_error` that is async runs to its end, without waiting for it;
    - `date_lag`: seconds by which the Date field may be behind `wall()`: 0 for a driver that writes Date itself, more
      where a server below does, and perhaps only once a second;
    - `on_loop(awaitable)`: what to await in place of what hooks, handler and error page give to be awaited, so that a
      driver without an event loop can have it run where there is one. `None`: they are awaited where the request is;
    - `is_foreign(error)`: whether that is the cancellation of something which the application has awaited, and not of
      the request. It is a failure then as any other.
    """

    __slots__ = ("date_lag", "describe", "is_foreign", "log", "monotonic", "on_loop", "spawn", "token", "wall")

    def __init__(
        self,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        token: Callable[[], str],
        describe: Callable[[BaseException], str],
        log: Callable[[BaseException, str], None],
        spawn: Callable[[Awaitable[object]], None] = run_at_once,
        date_lag: float = 0.0,
        *,
        on_loop: Callable[[Awaitable[object]], Awaitable[object]] | None = None,
        is_foreign: Callable[[BaseException], bool] = _is_never,
    ) -> None:
        self.wall: Final = wall
        self.monotonic: Final = monotonic
        self.token: Final = token
        self.describe: Final = describe
        self.log: Final = log
        self.spawn: Final = spawn
        self.date_lag: Final = date_lag
        self.on_loop: Final = on_loop
        self.is_foreign: Final = is_foreign
