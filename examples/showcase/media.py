"""Media: a long recording, of which players and downloads ask for the parts that they want."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from anyio import to_thread

from examples.showcase import melody
from heaven_core import App, Context, Request, Response


class Recording:
    """Where the file is. There is none until the app has started."""

    path = Path(__file__).with_name("melody.wav")


recording: Final = Recording()


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[None]:
    """The recording is made before the first request, and removed after the last."""
    with TemporaryDirectory(prefix="heaven-core-showcase-") as folder:
        recording.path = Path(folder, "melody.wav")
        await to_thread.run_sync(record, recording.path)
        yield


def record(path: Path) -> None:
    """The same notes make the same bytes: they get the same date, so that a download survives a restart, too."""
    melody.write(path)
    written = Path(melody.__file__).stat().st_mtime_ns
    os.utime(path, ns=(written, written))


async def listen(req: Request, res: Response, ctx: Context) -> None:
    """A player that seeks asks for a range. It gets a 206, and the rest stays here."""
    res.file(recording.path)


async def keep(req: Request, res: Response, ctx: Context) -> None:
    """A download that broke off asks for what it lacks: that is a range, too."""
    res.file(recording.path, filename="melody.wav")
