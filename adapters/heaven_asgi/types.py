"""The shapes of ASGI 3, as servers pass them. Loosely typed, as the specification is: its extensions add keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

__all__ = ["Message", "Receive", "Scope", "Send"]

# Servers type these as TypedDicts of their own, which are assignable to nothing narrower.
Scope: TypeAlias = Mapping[str, Any]
Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
