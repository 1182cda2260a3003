"""Bodies: what is assigned to `res.body` decides how it is sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from heaven_core import Context, Request, Response


async def text(req: Request, res: Response, ctx: Context) -> None:
    """A str is sent as UTF-8, text/plain."""
    res.body = "Hello from heaven-core. Grüße! 你好!\n"


async def hello(req: Request, res: Response, ctx: Context) -> None:
    """A dict or a list is sent as JSON."""
    res.body = {
        "hello": req.params["name"],
        "at": datetime.now(UTC),
        "price": Decimal("9.90"),
    }


async def visit(req: Request, res: Response, ctx: Context) -> None:
    """Cookies are read as they came, and checked before they leave."""
    sent = req.cookies.get("visits", "")
    visits = int(sent) + 1 if re.fullmatch("[0-9]{1,8}", sent) else 1
    res.cookie("visits", str(visits), max_age=3600, httponly=True)
    res.body = f"Visits from this browser within the hour: {visits}\n"
