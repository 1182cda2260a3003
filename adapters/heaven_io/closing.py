"""Closing what a response holds: under a shield, so that it happens, and with a limit, so that it holds nothing up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from heaven_io.cancelling import cancellations, is_own_cancellation

__all__ = ["close_within", "given_up"]


async def close_within(limit: float, close: Callable[[], Awaitable[None]]) -> BaseException | None:
    """Close something within `limit` seconds. Returns what went wrong, or that it took longer; else `None`."""
    before = cancellations()
    try:
        with anyio.move_on_after(limit, shield=True) as scope:
            await close()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if is_own_cancellation(error, before):
            raise
        return error
    if scope.cancelled_caught:
        return given_up(limit)
    return None


def given_up(limit: float) -> TimeoutError:
    """The error that is reported of a closing that took too long."""
    return TimeoutError(f"closing it took more than {limit:g} s and was given up")
