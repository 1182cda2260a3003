"""Files: shown in the browser, or handed over to be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from heaven_core import Context, Request, Response

HERE: Final = Path(__file__).parent
PAGE: Final = HERE / "page"
SAMPLES: Final = HERE / "samples"


async def index(req: Request, res: Response, ctx: Context) -> None:
    """The start page. The policy lets the browser load nothing from elsewhere."""
    res.headers = "Content-Security-Policy", "default-src 'self'"
    res.headers = "Cache-Control", "no-cache"
    res.file("index.html", within=PAGE)


async def sample(req: Request, res: Response, ctx: Context) -> None:
    """The path is the client's text: `within` keeps it inside."""
    res.file(req.params.str("*"), within=SAMPLES)


async def download(req: Request, res: Response, ctx: Context) -> None:
    """A filename makes it an attachment. Any name will do."""
    name = req.query.get("name") or "guide.pdf"
    res.file("guide.pdf", filename=name, within=SAMPLES)
