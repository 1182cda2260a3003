"""The body of a request and the leaving of its client come through one `receive`, and two may want them at once."""

from __future__ import annotations

import anyio
import pytest

from heaven_asgi.inbox import Inbox
from heaven_asgi.types import Message
from tests.asgi.memory import PATIENCE

pytestmark = pytest.mark.anyio


async def test_a_reader_that_was_first_and_the_watch_never_receive_at_once() -> None:
    """A server hands each message to one of those who wait, and the other would wait for ever."""
    messages: list[Message] = [
        *({"type": "http.request", "body": b"%d" % number, "more_body": True} for number in range(9)),
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]
    receiving = 0
    most = 0

    async def receive() -> Message:
        nonlocal receiving, most
        receiving += 1
        most = max(most, receiving)
        for _ in range(3):
            await anyio.sleep(0)
        receiving -= 1
        return messages.pop(0)

    inbox = Inbox(receive)
    pieces: list[bytes] = []

    async def read() -> None:
        while piece := await inbox.read():
            pieces.append(piece)

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.sleep(0)
            group.start_soon(inbox.watch)
    assert pieces == [b"%d" % number for number in range(9)]
    assert inbox.gone
    assert most == 1
