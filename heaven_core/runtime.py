"""What the core cannot know by itself, handed in by the driver as one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

__all__ = ["Runtime"]


@final
class Runtime:
    """Clocks, chance and tracebacks: what would be I/O or hidden state in the core.

    - `wall()`: seconds since the epoch, for Last-Modified and the age of a validator;
    - `monotonic()`: seconds on a clock that never goes back, for `outcome.duration`;
    - `token()`: a fresh random text of ASCII letters and digits, for a multipart boundary;
    - `describe(error)`: the traceback as text, for the page that `App(debug=True)` shows;
    - `date_lag`: seconds by which the Date field may be behind `wall()`: 0 for a driver that writes Date itself, more
      where a server below does, and perhaps only once a second.
    """

    __slots__ = ("date_lag", "describe", "monotonic", "token", "wall")

    def __init__(
        self,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        token: Callable[[], str],
        describe: Callable[[BaseException], str],
        date_lag: float = 0.0,
    ) -> None:
        self.wall: Final = wall
        self.monotonic: Final = monotonic
        self.token: Final = token
        self.describe: Final = describe
        self.date_lag: Final = date_lag
