"""How a response ended."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, final

from heaven_core._record import Record

__all__ = ["Outcome", "OutcomeKind"]

OutcomeKind: TypeAlias = Literal["complete", "disconnected", "failed"]


@final
class Outcome(Record):
    """How a response ended, in `res.outcome` and in `Finished`.

    - `kind`: "complete", every byte was handed over; "disconnected", the client left first; "failed", a handler, hook,
      body, stream or file failed, whether the client saw a whole 500 or a body cut short.
    - `status`: the status that went out, or would have.
    - `body_bytes`: how many bytes of the body are known to have been handed over.
    - `duration`: seconds from the arrival of the request to the end.
    - `error`: what failed, if something did.
    """

    __slots__ = ("kind", "status", "body_bytes", "duration", "error")
    __match_args__ = ("kind", "status", "body_bytes", "duration", "error")

    def __init__(
        self,
        kind: OutcomeKind,
        status: int,
        body_bytes: int,
        duration: float,
        error: BaseException | None = None,
    ) -> None:
        self.kind: Final[OutcomeKind] = kind
        self.status: Final = status
        self.body_bytes: Final = body_bytes
        self.duration: Final = duration
        self.error: Final = error
