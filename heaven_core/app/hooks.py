"""Which hooks run for a request, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar, final

from heaven_core.app.around import AroundHook
from heaven_core.app.callbacks import is_async
from heaven_core.app.router import Pattern
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response

__all__ = ["AroundStep", "Hook", "HookTable", "Plan", "Step"]

Hook: TypeAlias = Callable[[Request[object], Response, Context], object]

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT"})


@final
class Step:
    """One registered hook. `methods` is `None` for all of them; `body` has the request's body read before it runs."""

    __slots__ = ("async_hook", "body", "hook", "methods", "pattern")

    def __init__(self, pattern: Pattern, hook: Hook, methods: Iterable[str] | None, body: bool) -> None:
        self.pattern: Final = pattern
        self.hook: Final = hook
        self.async_hook: Final = hook if is_async(hook) else None
        self.methods: Final = None if methods is None else _checked(methods)
        self.body: Final = body

    def runs_for(self, method: str) -> bool:
        """A hook scoped to GET runs for HEAD, which is answered by the GET route (RFC 9110 §9.3.2)."""
        return _runs_for(self.methods, method)


@final
class AroundStep:
    """One registered around-hook. `methods` is as in `Step`."""

    __slots__ = ("hook", "methods", "pattern")

    def __init__(self, pattern: Pattern, hook: AroundHook, methods: Iterable[str] | None) -> None:
        self.pattern: Final = pattern
        self.hook: Final = hook
        self.methods: Final = None if methods is None else _checked(methods)

    def runs_for(self, method: str) -> bool:
        """As in `Step`."""
        return _runs_for(self.methods, method)


@final
class Plan:
    """The hooks of a route in order: before-hooks from the broadest pattern to the narrowest, after-hooks back.

    Around-hooks, which are round all of these, go from the broadest to the narrowest, too. `certain` says that all of
    them match every path of the route; else each request asks `for_path`.
    """

    __slots__ = ("after", "around", "before", "certain")

    def __init__(
        self, before: tuple[Step, ...], after: tuple[Step, ...], around: tuple[AroundStep, ...], certain: bool
    ) -> None:
        self.before: Final = before
        self.after: Final = after
        self.around: Final = around
        self.certain: Final = certain

    def for_path(self, path: str) -> Plan:
        """The plan without the hooks that don't match `path`."""
        before = [step for step in self.before if step.pattern.match(path) is not None]
        after = [step for step in self.after if step.pattern.match(path) is not None]
        around = [step for step in self.around if step.pattern.match(path) is not None]
        return Plan(_each_once(before), _each_once(after), _each_once(around), True)


AnyStep = TypeVar("AnyStep", Step, AroundStep)


@final
class HookTable:
    """All hooks of an app, sorted when they are registered, so that a request only walks a tuple."""

    __slots__ = ("_after", "_around", "_before")

    def __init__(self) -> None:
        self._before: list[Step] = []
        self._after: list[Step] = []
        self._around: list[AroundStep] = []

    def add_before(self, step: Step) -> None:
        """Add a before-hook. Sorting is stable: the order of registration stays within a pattern."""
        _add(self._before, step)
        self._before.sort(key=_breadth)

    def add_after(self, step: Step) -> None:
        """Add an after-hook: the narrowest runs first; the order of registration stays within a pattern."""
        _add(self._after, step)
        self._after.sort(key=_breadth, reverse=True)

    def add_around(self, step: AroundStep) -> None:
        """Add an around-hook: the broadest is the outermost; the order of registration stays within a pattern."""
        _add(self._around, step)
        self._around.sort(key=_breadth)

    def including(self, prefix: str, other: HookTable) -> HookTable:
        """These hooks and those of another app, below `prefix`. Raises `ValueError` as `add_before` does."""
        both = HookTable()
        both._before, both._after, both._around = [*self._before], [*self._after], [*self._around]
        for step in other._before:
            both.add_before(Step(step.pattern.below(prefix), step.hook, step.methods, step.body))
        for step in other._after:
            both.add_after(Step(step.pattern.below(prefix), step.hook, step.methods, step.body))
        for around in other._around:
            both.add_around(AroundStep(around.pattern.below(prefix), around.hook, around.methods))
        return both

    def plan(self, pattern: Pattern | None, method: str) -> Plan:
        """The hooks that may run for a route with this pattern; `None`, for a path that no route has."""
        before = tuple([step for step in self._before if _may_run(step, pattern, method)])
        after = tuple([step for step in self._after if _may_run(step, pattern, method)])
        around = tuple([step for step in self._around if _may_run(step, pattern, method)])
        patterns = [step.pattern for step in (*before, *after)] + [step.pattern for step in around]
        certain = pattern is not None and all(one.covers(pattern) for one in patterns)
        if not certain:
            # Which of them match is not known before there is a path; then for_path leaves out what is there twice.
            return Plan(before, after, around, False)
        return Plan(_each_once(before), _each_once(after), _each_once(around), True)


def _runs_for(methods: frozenset[str] | None, method: str) -> bool:
    return methods is None or method in methods or (method == "HEAD" and "GET" in methods)


def _add(steps: list[AnyStep], step: AnyStep) -> None:
    if any(other.hook == step.hook and other.pattern.text == step.pattern.text for other in steps):
        raise ValueError(f"{step.hook!r} is registered for {step.pattern.text!r} already: a hook runs once a request")
    steps.append(step)


def _each_once(steps: Sequence[AnyStep]) -> tuple[AnyStep, ...]:
    """The steps without a hook's second place: one registered for several patterns runs once, at the first of them."""
    return tuple([step for at, step in enumerate(steps) if all(other.hook != step.hook for other in steps[:at])])


def _breadth(step: Step | AroundStep) -> tuple[int, ...]:
    return step.pattern.breadth


def _may_run(step: Step | AroundStep, pattern: Pattern | None, method: str) -> bool:
    return step.runs_for(method) and (pattern is None or not step.pattern.excludes(pattern))


def _checked(methods: Iterable[str]) -> frozenset[str]:
    if isinstance(methods, str):
        raise TypeError(f'methods= takes a sequence of methods, as in ("GET", "POST"), not one text: {methods!r}')
    chosen = frozenset(methods)
    unknown = sorted(chosen - _METHODS)
    if unknown:
        raise ValueError(f"methods= knows {', '.join(sorted(_METHODS))}, in upper case; not {', '.join(unknown)}")
    return chosen
