"""What WSGI servers are told to serve: the app that the environment names, at the root and below /mounted.

`wsgiref.validate` stands between, and raises for what PEP 3333 forbids either side; but for HEAVEN_TEST_BARE, since it
hides from a server that it is given a file.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterable
from types import FrameType
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from heaven_core import App
from heaven_wsgi import WSGIAdapter
from tests.wsgi.validated import validated

__all__ = ["application"]

MOUNT: Final = "/mounted"


def _load() -> App:
    app: object = importlib.import_module(os.environ["HEAVEN_TEST_APP"]).app
    assert isinstance(app, App)
    return app


DEADLINE: Final = float(os.environ.get("HEAVEN_TEST_DEADLINE", "10"))
adapter: Final = WSGIAdapter(_load(), deferred_deadline=DEADLINE, stream_deadline=DEADLINE)
served: Final[WSGIApplication] = adapter if "HEAVEN_TEST_BARE" in os.environ else validated(adapter)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Mounts as PEP 3333 says: what is theirs of the path goes from `PATH_INFO` to `SCRIPT_NAME`."""
    path: str = environ.get("PATH_INFO", "")
    if path.startswith(f"{MOUNT}/"):
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + MOUNT
        environ["PATH_INFO"] = path[len(MOUNT) :]
    return served(environ, start_response)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit()


if "waitress.runner" in sys.modules:  # it leaves SIGTERM to Python, which would end without a word
    signal.signal(signal.SIGTERM, _leave)
if "HEAVEN_TEST_START" in os.environ:
    adapter.start()
