"""What the client gets in place of what the handler set: the app's own error page, else a short one."""

from __future__ import annotations

from typing import Final

from heaven_core._checks import check_int
from heaven_core.app.callbacks import beside_abort, failure_of, settle
from heaven_core.app.hooks import Hook
from heaven_core.app.routes import Registry
from heaven_core.errors import ClientError, HandlerTimeout, MethodNotAllowed, UnprocessableContent
from heaven_core.http.reason_phrases import REASON_PHRASES
from heaven_core.message.context import Context
from heaven_core.message.request import Request
from heaven_core.message.response import Response, draft_of
from heaven_core.runtime import Runtime

__all__ = ["refuse"]

# A kind of error of the application's own may have a status without a phrase.
_PHRASES: Final = {status: f" {phrase}" for status, phrase in REASON_PHRASES.items()}


async def refuse(
    error: Exception,
    registry: Registry,
    request: Request[object],
    response: Response,
    context: Context,
    runtime: Runtime,
    where: str,
) -> None:
    """Put an error page in the place of what the handler had set.

    A failure of the application is reported, unless an error handler has made a response below 500 of it.
    """
    draft = draft_of(response)
    draft.error = error
    status = 500
    try:
        if isinstance(error, ClientError):
            _describe(error, response)
            status = error.status
        else:
            status = 503 if isinstance(error, HandlerTimeout) else 500
            draft.fail(error, runtime.describe, status)
    except Exception as broken:  # a class of the application's own with an impossible status, detail or Allow
        broken.__context__ = error
        error = broken
        status = 500
        draft.fail(error, runtime.describe)
    handler = registry.pages.find(error, status, request.path)
    if handler is not None:
        await _run(handler, request, response, context, runtime, where)
        if draft.status < 500:
            draft.failed = False
    if draft.failed:
        draft.report_error(error, where, runtime)


async def _run(
    handler: Hook,
    request: Request[object],
    response: Response,
    context: Context,
    runtime: Runtime,
    where: str,
) -> None:
    draft = draft_of(response)
    try:
        result = handler(request, response, context)
        if result is not None:
            await settle(result, handler, runtime)
        if draft.refusal is None:
            draft.encode()
    except BaseException as raised:
        error = failure_of(raised, runtime)
        beside = error if draft.refusal is None else beside_abort(error)
        if beside is None:
            return
        if not isinstance(beside, Exception):
            raise beside from None
        draft.report_error(beside, f"the error handler for {where}", runtime)
        if draft.refusal is None:
            draft.fail(beside, runtime.describe)


def _describe(error: ClientError, response: Response) -> None:
    status = check_int(f"{type(error).__name__}.status", error.status)
    if not 400 <= status <= 499:
        raise ValueError(f"{type(error).__name__}.status must be from 400 to 499, not {status}")
    detail = f": {error.detail}" if error.detail and status not in (404, 405) else ""
    # The client's own text may be in it, and JSON can carry a lone surrogate, which UTF-8 can't.
    text = f"{status}{_PHRASES.get(status, '')}{detail}\n".encode("utf-8", "replace").decode()
    draft_of(response).roll_back(status, text)
    if isinstance(error, UnprocessableContent):
        response.body = list(error.problems)
    elif isinstance(error, MethodNotAllowed):
        response.headers.set("Allow", ", ".join(error.allow))
