"""Errors that may come in a group, as those of a task group do."""

from __future__ import annotations

from typing import TypeGuard

__all__ = ["is_group", "is_only"]


def is_only(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether `error` is of this kind, or a group of nothing else."""
    return error.split(kind)[1] is None if is_group(error) else isinstance(error, kind)


def is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """Whether `error` is a group."""
    return isinstance(error, BaseExceptionGroup)
