"""A server whose app writes down what happens, for what can be read only when it has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final
from uuid import uuid4

from tests.wire.conftest import Serve

__all__ = ["Diary"]


@final
class Diary:
    """What the app of one server writes down."""

    def __init__(
        self,
        serve: Serve,
        lifespan: str = "asynchronous",
        deadline: str = "10",
        app: str = "lifespans",
        **settings: str,
    ) -> None:
        name = f"diary-{uuid4().hex}"
        self.server: Final = serve(
            app,
            fresh=True,
            HEAVEN_TEST_DIARY=name,
            HEAVEN_TEST_LIFESPAN=lifespan,
            HEAVEN_TEST_DEADLINE=deadline,
            **settings,
        )
        self.path: Final[Path] = self.server.directory / name

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []
