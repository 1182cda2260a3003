"""The answers of `benchmarks.asgi_apps`, with Falcon."""

from __future__ import annotations

from falcon import HTTP_200, MEDIA_TEXT
from falcon.asgi import App, Request, Response

from benchmarks.asgi_apps import ASGI, DOCUMENT, FRAME, TEXT, USER, Content

__all__ = ["make"]


class Text:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.status = HTTP_200
        resp.content_type = MEDIA_TEXT
        resp.text = TEXT


class Document:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.status = HTTP_200
        resp.media = DOCUMENT


class Around:
    async def process_request(self, req: Request, resp: Response) -> None:
        req.context.user = USER

    async def process_response(self, req: Request, resp: Response, resource: object, req_succeeded: bool) -> None:
        resp.set_header(*FRAME)


def make(content: Content, hooks: bool) -> ASGI:
    app = App(middleware=[Around()] if hooks else [])
    app.add_route("/hello", Document() if content == "json" else Text())
    return app
