"""The core's `Runtime`, as this operating system has it."""

from __future__ import annotations

import secrets
import time
import traceback

from heaven_core.runtime import Runtime

__all__ = ["system_runtime"]


def system_runtime(date_lag: float = 0.0) -> Runtime:
    """The real clocks, 128 random bits as hexadecimal digits, and tracebacks as Python prints them.

    `date_lag`: seconds by which the Date of a server below may be behind; see `Runtime`.
    """
    return Runtime(time.time, time.monotonic, _token, _describe, date_lag)


def _token() -> str:
    return secrets.token_hex(16)


def _describe(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
