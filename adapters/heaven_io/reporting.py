"""The logger `heaven_core`, where errors end that nobody else wants."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["log_error", "log_lost"]

_LOGGER: Final = logging.getLogger("heaven_core")


def log_error(error: BaseException, where: str) -> None:
    """Log `error` with its traceback; `where` says in a few words what failed, `GET /users` say."""
    _LOGGER.error("error in %s", _in_one_line(where), exc_info=error)


def log_lost(name: str, why: str) -> None:
    """Log that the deferred call `name` will not run to its end, and why."""
    _LOGGER.error("deferred call %s is lost: %s", _in_one_line(name), why)


def _in_one_line(text: str) -> str:
    """A path is the client's text, and a line break in it must not begin a log record of the client's making."""
    return text if text.isprintable() else ascii(text)
