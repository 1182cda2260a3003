"""The answers of `benchmarks.asgi_apps`, with Falcon."""

from __future__ import annotations

from falcon import MEDIA_TEXT
from falcon.asgi import App, Request, Response

from benchmarks.asgi_apps import ASGI, DOCUMENT, TEXT, Content, after, before

__all__ = ["make"]


class Text:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = MEDIA_TEXT
        resp.text = TEXT


class Document:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = DOCUMENT


class Around:
    async def process_request(self, req: Request, resp: Response) -> None:
        await before(req, resp, None)

    async def process_response(self, req: Request, resp: Response, resource: object, req_succeeded: bool) -> None:
        await after(req, resp, None)


def make(content: Content, hooks: bool) -> ASGI:
    app = App(middleware=[Around()] if hooks else [])
    app.add_route("/hello", Text() if content == "text" else Document())
    return app
