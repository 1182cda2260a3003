"""The logger `heaven_core`, where errors end that nobody else wants, and deferred calls that are lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from traceback import print_exception
from typing import Final, TypeAlias

from heaven_core.protocol.events import DeferredCall, DeferRunner

__all__ = ["Report", "hand_over", "log_all_lost", "log_error", "log_warning"]

_LOGGER: Final = logging.getLogger("heaven_core")

Report: TypeAlias = Callable[[BaseException, str], None]
"""Takes an error and where it came from, and hands it to the application and its log."""


def log_error(error: BaseException, where: str) -> None:
    """Log `error` with its traceback; `where` says in a few words what failed, `GET /users` say."""
    _log("error in %s", _in_one_line(where), error=error)


def log_warning(text: str) -> None:
    """Log something that is no error, and that somebody should mend."""
    _log(text, level=logging.WARNING)


def log_all_lost(calls: Iterable[DeferredCall], why: str) -> None:
    """Log of each deferred call, by its name, that it will not run to its end, and why."""
    for call in calls:
        _log("deferred call %s is lost: %s", _in_one_line(call.name), why)


def _log(message: str, *arguments: str, error: BaseException | None = None, level: int = logging.ERROR) -> None:
    """Log it. A handler that raises, a queue that is full say, is shown on stderr, as `logging` itself does."""
    try:
        _LOGGER.log(level, message, *arguments, exc_info=error)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:
        print_exception(broken)


def hand_over(calls: Sequence[DeferredCall], app: object, runner: DeferRunner, report: Report) -> None:
    """Give the calls to a runner. What it raises is reported, and each of them logged as lost."""
    try:
        runner.start(calls, app)
    except Exception as error:
        report(error, "the runner of deferred calls")
        log_all_lost(calls, "its runner has failed")


def _in_one_line(text: str) -> str:
    """A path is the client's text, and a line break in it must not begin a log record of the client's making."""
    return text if text.isprintable() else ascii(text)
