"""A piece of a request's body that is wanted on the event loop, and read by the server's thread."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, get_running_loop, shield
from collections.abc import Callable
from functools import partial
from typing import Final, final

from heaven_core import ClientDisconnected
from heaven_wsgi.waiting import ServerThread

__all__ = ["AskedRead"]


@final
class AskedRead:
    """One call of `read`, asked of the server's thread. It is done whether or not somebody still waits for it."""

    __slots__ = ("_loop", "_piece", "_read")

    def __init__(self, read: Callable[[], bytes], thread: ServerThread) -> None:
        self._read: Final = read
        self._loop: Final[AbstractEventLoop] = get_running_loop()
        self._piece: Final[Future[bytes]] = self._loop.create_future()
        self._piece.add_done_callback(_hear)
        thread.ask(self)

    async def wait(self) -> bytes:
        """The piece. Can be cancelled, and called again. Raises what reading raises."""
        return await shield(self._piece)

    def run(self) -> None:
        """See `Job`. An exit is the server's own, and no news for the loop, which it would end."""
        try:
            piece = self._read()
        except Exception as error:
            self._tell(partial(self._piece.set_exception, error))
        except BaseException:
            self._tell(partial(self._piece.set_exception, ClientDisconnected("the server has stopped reading")))
            raise
        else:
            self._tell(partial(self._piece.set_result, piece))

    def refuse(self) -> None:
        """See `Job`."""
        ended = RuntimeError("the response has ended, and the request with it: read it earlier")
        self._tell(partial(self._piece.set_exception, ended))

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            pass  # the process is ending, and whoever has waited was cancelled


def _hear(piece: Future[bytes]) -> None:
    """Hear of an error for which nobody waits any more: it is no news that such a client has gone."""
    if not piece.cancelled():
        piece.exception()
