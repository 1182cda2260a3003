"""Schemas: JSON that is checked on its way in, and filtered on its way out."""

from __future__ import annotations

from dataclasses import dataclass

from heaven_core import Context, Request, Response


@dataclass
class Order:
    item: str
    quantity: int


@dataclass
class Receipt:
    item: str
    quantity: int
    total: str


async def order(req: Request[Order], res: Response, ctx: Context) -> None:
    """What a Receipt does not have never leaves."""
    wanted = req.data
    res.status = res.http.CREATED
    res.body = {
        "item": wanted.item,
        "quantity": wanted.quantity,
        "total": f"{wanted.quantity * 3} EUR",
        "margin": "62 %",  # a secret: it is not in the receipt
    }
