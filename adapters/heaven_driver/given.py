"""What adapters are given, checked when it is given: what it can't be would otherwise be found out at the end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from math import inf
from typing import TypeAlias, TypeGuard

from heaven_core import App

__all__ = ["LifespanManager", "check_app", "check_count", "check_flag", "check_seconds", "check_timeout", "lifespan_of"]

LifespanManager: TypeAlias = AbstractAsyncContextManager[object] | AbstractContextManager[object]


def check_app(app: object, taker: str) -> App:
    """`app`, if it is one. Raises `TypeError`; `taker` is the adapter's name."""
    if not isinstance(app, App):
        what = f"the class {app.__name__}" if isinstance(app, type) else type(app).__name__
        raise TypeError(f"{taker} takes a heaven_core.App, not {what}")
    return app


def check_flag(name: str, value: object) -> bool:
    """True or False. Raises `TypeError`."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}= must be True or False, not {value!r}")
    return value


def check_count(name: str, value: object) -> int:
    """A whole number, 1 or more. Raises `TypeError` and `ValueError`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}= must be a whole number, not {type(value).__name__}: {value!r}")
    if value < 1:
        raise ValueError(f"{name}= must be 1 or more, not {value}")
    return value


def check_seconds(name: str, value: object) -> float:
    """A number of seconds, 0 or more, infinity too. Raises `TypeError` and `ValueError`."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name}= must be a number of seconds, not {type(value).__name__}: {value!r}")
    if not value >= 0:  # NaN is neither
        raise ValueError(f"{name}= must be 0 or more seconds, not {value!r}")
    return value


def check_timeout(name: str, value: object) -> float | None:
    """A number of seconds, more than 0; `None`, also for infinity: no timeout. Raises `TypeError` and `ValueError`."""
    if value is None:
        return None
    seconds = check_seconds(name, value)
    if not seconds:
        raise ValueError(f"{name}= must be more than 0 seconds, or None for no timeout, not {value!r}")
    return None if seconds == inf else seconds


def lifespan_of(app: App) -> LifespanManager | None:
    """The context manager that `App(lifespan=)` gives, `None` without one. Raises `TypeError` where it gives none."""
    return None if app.lifespan is None else _check_manager(app.lifespan(app))


def _check_manager(manager: object) -> LifespanManager:
    if not _is_manager(manager):
        raise TypeError(
            f"App(lifespan=) gave {type(manager).__name__}, which is no context manager: is a generator function "
            "without its @asynccontextmanager, or @contextmanager?"
        )
    return manager


def _is_manager(value: object) -> TypeGuard[LifespanManager]:
    return isinstance(value, (AbstractAsyncContextManager, AbstractContextManager))
