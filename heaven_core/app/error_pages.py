"""What the client gets in place of what the handler set: the app's own error page, else a short one."""

from __future__ import annotations

from functools import partial
from typing import Final, final

from heaven_core.app.callbacks import beside_abort, failure_of, settle
from heaven_core.app.hooks import Hook
from heaven_core.app.routes import Registry
from heaven_core.errors import ClientError, HandlerTimeout
from heaven_core.message.context import Context
from heaven_core.message.draft import CLIENT_LEFT, JSON
from heaven_core.message.request import Request
from heaven_core.message.response import Response, draft_of
from heaven_core.protocol.needs import PageMaker
from heaven_core.runtime import Runtime

__all__ = ["ErrorPages", "refuse"]


@final
class ErrorPages:
    """The pages of an app for one request, as the machine finds them. See `heaven_core.message.draft.Pages`."""

    __slots__ = ("_registry", "_request", "_response", "_runtime", "context")

    def __init__(
        self, registry: Registry, request: Request[object], response: Response, context: Context, runtime: Runtime
    ) -> None:
        self._registry: Final = registry
        self._request: Final = request
        self._response: Final = response
        self.context: Final = context
        self._runtime: Final = runtime

    def find(self, error: Exception | None, status: int, what: str) -> PageMaker | None:
        """See `Pages`."""
        request = self._request
        page = self._registry.pages.find(error, status, request.path)
        if page is None:
            return None
        where = f"{what} of {request.method} {request.path!r}"
        given = (request, self._response, self.context, self._runtime, where)
        return partial(_run, page, *given) if error is None else partial(refuse, error, self._registry, *given)

    async def fill(self) -> None:
        """Have the app's page answer where a status from 400 up was set, or aborted with, and no body."""
        draft = draft_of(self._response)
        has_body = draft.body is not None or draft.default_type is JSON or draft.source is not None
        if has_body or draft.error is not None or draft.has_page or draft.refusal is CLIENT_LEFT:
            return
        make = self.find(None, draft.status, "the answer")
        if make is not None:
            refusal = draft.unseal()
            draft.drop_content_fields()
            await make()
            draft.reseal(refusal)


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

    A failure of the application is reported, unless its page has made a response below 500 of it.
    """
    draft = draft_of(response)
    status = 500
    try:
        if isinstance(error, ClientError):
            draft.refuse(error)
            status = error.status
        else:
            status = 503 if isinstance(error, HandlerTimeout) else 500
            draft.fail(error, runtime.describe, status)
    except Exception as broken:  # a class of the application's own with an impossible status, detail or Allow
        broken.__context__ = error
        error = broken
        status = 500
        draft.fail(error, runtime.describe)
    page = registry.pages.find(error, status, request.path)
    if page is not None:
        try:
            await _run(page, request, response, context, runtime, where)
        except BaseException:
            if draft.failed:
                draft.report_error(error, where, runtime)
            raise
        if draft.status < 500:
            draft.failed = False
    if draft.failed:
        draft.report_error(error, where, runtime)


async def _run(
    page: Hook,
    request: Request[object],
    response: Response,
    context: Context,
    runtime: Runtime,
    where: str,
) -> None:
    draft = draft_of(response)
    draft.has_page = True
    try:
        result = page(request, response, context)
        if result is not None:
            await settle(result, page, runtime)
        if draft.refusal is None:
            draft.encode()
    except BaseException as raised:
        error = failure_of(raised, runtime)
        beside = error if draft.refusal is None else beside_abort(error)
        if beside is None:
            return
        if not isinstance(beside, Exception):
            raise beside from None
        draft.report_error(beside, f"the error page for {where}", runtime)
        if draft.refusal is None:
            draft.fail(beside, runtime.describe)
