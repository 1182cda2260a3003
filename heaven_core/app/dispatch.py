"""A request on its way through hooks and handler.

It awaits the user's code and the request's body, nothing else: with sync handlers and a reader that does not suspend
it runs to its end without an event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from heaven_core._exception_groups import is_only
from heaven_core.app.around import enter, leave
from heaven_core.app.callbacks import beside_abort, failure_of, settle, split_exceptions
from heaven_core.app.error_pages import ErrorPages, refuse
from heaven_core.app.hooks import AroundStep, Plan, Step
from heaven_core.app.routes import Registry
from heaven_core.errors import (
    NO_METHOD,
    NO_ROUTE,
    ClientDisconnected,
    ClientError,
    HandlerTimeout,
    MethodNotAllowed,
    NotFound,
)
from heaven_core.message.context import Context
from heaven_core.message.draft import Draft
from heaven_core.message.request import Request
from heaven_core.message.response import Response, draft_of
from heaven_core.runtime import Runtime

__all__ = ["InThread", "respond", "time_out"]

# Runs a function in a worker thread and gives what it returns or raises. Handed in by a driver that has threads.
InThread: TypeAlias = Callable[[Callable[[], object]], Awaitable[object]]


async def respond(  # noqa: C901, PLR0912, PLR0915  # one coroutine a request: each part of its own would be a call more
    registry: Registry,
    request: Request[object],
    draft: Draft,
    runtime: Runtime,
    in_thread: InThread | None = None,
    inside: Context | None = None,
) -> None:
    """Run hooks and handler; afterwards `draft` says what is to go out.

    Never raises an `Exception`. A cancellation of the request, and every other `BaseException` but an abort, passes
    through; the driver then still has to close what the draft holds, by `Machine.disconnected()` and `start()`.
    `inside` is the context where the around-hooks have been entered.
    """
    context = Context() if inside is None else inside
    response = Response(draft)
    draft.request = request
    pages = None
    if registry.pages.any:
        pages = draft.pages = ErrorPages(registry, request, response, context, runtime)
    method = request.method
    match = registry.router.find(method, request.path)
    plan: Plan | None
    if match is None:
        endpoint = None
        plan = registry.hooks.plan(None, method).for_path(request.path)
    else:
        endpoint = match.endpoint
        request.params = match.params
        plan = endpoint.plan if method == endpoint.method else endpoint.head_plan
        if plan is None:
            plan = registry.plan_of(endpoint, method)
        if not plan.certain:
            plan = plan.for_path(request.path)
        draft.schema = endpoint.schema
    if request.reader is not None:
        request.limit = registry.max_body_size if endpoint is None else endpoint.max_body_size
    if plan.around and inside is None:
        await _respond_around(plan.around, registry, request, draft, runtime, in_thread, context)
        try:
            if draft.refusal is None or draft.encoded is None:
                draft.encode()  # once, when the last hook has changed what it would
        except Exception as error:
            await _recover(error, registry, request, response, context, runtime, ())
        if pages is not None and draft.status >= 400:
            await pages.fill()
        return
    after = plan.after
    elsewhere = runtime.on_loop is not None
    try:
        for step in plan.before:
            if step.body:
                await request.read_body(request.limit)
            call = step.async_hook
            if call is None or elsewhere:
                result = step.hook(request, response, context)
            else:
                result = await call(request, response, context)
            if result is not None:
                await settle(result, step.hook, runtime)
            if draft.refusal is not None:
                break
            draft.mark()
        else:
            if endpoint is None:
                _respond_without_route(registry, request, response)
            else:
                if not endpoint.stream:
                    if request.reader is not None:
                        await request.read_body(request.limit)
                    if endpoint.schema is not None:
                        request.decode_data(endpoint.schema)
                call = endpoint.async_handler
                if call is not None and not elsewhere:
                    result = await call(request, response, context)
                elif endpoint.thread and in_thread is not None:
                    result = await in_thread(partial(endpoint.handler, request, response, context))
                else:
                    result = endpoint.handler(request, response, context)
                if result is not None:
                    await settle(result, endpoint.handler, runtime)
            if after:
                steps, after = after, ()  # each runs once, also where one of them makes a 400
                # As `_run_after`, whose call costs a request with hooks 4 % (benchmarks/dispatch.py).
                for step in steps:
                    if draft.refusal is not None:
                        break
                    call = step.async_hook
                    if call is None or elsewhere:
                        result = step.hook(request, response, context)
                    else:
                        result = await call(request, response, context)
                    if result is not None:
                        await settle(result, step.hook, runtime)
        if draft.refusal is None:
            draft.encode()
    except BaseException as error:
        await _recover(error, registry, request, response, context, runtime, after)
    if pages is not None and draft.status >= 400:
        await pages.fill()


async def _respond_around(
    steps: tuple[AroundStep, ...],
    registry: Registry,
    request: Request[object],
    draft: Draft,
    runtime: Runtime,
    in_thread: InThread | None,
    context: Context,
) -> None:
    """Respond inside these around-hooks. What they do afterwards is done to every answer, whatever it says."""
    if not steps:
        await respond(registry, request, draft, runtime, in_thread, context)
        return
    response = Response(draft)
    try:
        manager = await enter(steps[0].hook, request, response, context, runtime)
    except BaseException as error:
        await _recover(error, registry, request, response, context, runtime, ())
        return
    draft.mark()
    try:
        if draft.is_open:  # an abort that the hook has swallowed has decided
            await _respond_around(steps[1:], registry, request, draft, runtime, in_thread, context)
    except BaseException as error:  # nothing will be answered
        try:
            await leave(manager, error, runtime)
        except Exception as raised:
            draft.report_error(raised, f"an around-hook of {request.method} {request.path!r}", runtime)
        raise
    before = draft.reopen()
    try:
        await leave(manager, None, runtime)
        draft.reclose(before)
    except BaseException as error:
        try:
            await _recover(error, registry, request, response, context, runtime, ())
        finally:
            draft.reseal(before[0])


async def time_out(
    registry: Registry, request: Request[object], draft: Draft, runtime: Runtime, seconds: float
) -> None:
    """Answer a request whose `respond` was cancelled after so many `seconds`: a failure, and a 503.

    What `res.abort()` has sealed goes out all the same.
    """
    error = HandlerTimeout(f"hooks and handler were cancelled: they took longer than {seconds:g} s")
    context = Context() if draft.pages is None else draft.pages.context
    await _recover(error, registry, request, Response(draft), context, runtime, ())


async def _run_after(
    steps: tuple[Step, ...], request: Request[object], response: Response, context: Context, runtime: Runtime
) -> None:
    draft = draft_of(response)
    for step in steps:
        call = step.async_hook
        if call is None or runtime.on_loop is not None:
            result = step.hook(request, response, context)
        else:
            result = await call(request, response, context)
        if result is not None:
            await settle(result, step.hook, runtime)
        if draft.refusal is not None:
            return


def _respond_without_route(registry: Registry, request: Request[object], response: Response) -> None:
    allowed = registry.router.allowed(request.path)
    if not allowed:
        raise NotFound(NO_ROUTE)
    if request.method != "OPTIONS":
        raise MethodNotAllowed(NO_METHOD, allowed)
    response.status = 204
    response.headers.set("Allow", ", ".join(allowed))


async def _recover(
    error: BaseException,
    registry: Registry,
    request: Request[object],
    response: Response,
    context: Context,
    runtime: Runtime,
    after: tuple[Step, ...],
) -> None:
    where = f"{request.method} {request.path!r}"
    draft = draft_of(response)
    error = failure_of(error, runtime)
    if draft.refusal is not None:
        beside = beside_abort(error)
        failure, cancellation = split_exceptions(beside)
        if failure is not None:
            draft.report_error(failure, where, runtime)
        if cancellation is not None:
            raise cancellation
        return
    if is_only(error, ClientDisconnected):
        draft.lose_client()
        return
    # An abort that is not this response's own counts for nothing beside another error.
    error = beside_abort(error) or RuntimeError("Abort was raised, but not by this response: call res.abort()")
    if not isinstance(error, Exception):
        raise error
    await refuse(error, registry, request, response, context, runtime, where)
    try:
        if isinstance(error, ClientError) and draft.is_open and not draft.failed:
            # The responses to a request that can't be served are the application's, too: the after-hooks see them.
            draft.encoded = None  # they may still change the page, and its status
            await _run_after(after, request, response, context, runtime)
        if draft.is_open:
            draft.encode()
    except BaseException as another:
        await _recover(another, registry, request, response, context, runtime, ())
