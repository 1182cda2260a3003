"""uWSGI as a program: `python -m tests.wire.uwsgi_program --http-socket ...`. Its wheel is a module without a main."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

if __name__ == "__main__":
    sys.argv[0] = "uwsgi"
    run: Callable[[], None] = import_module("pyuwsgi").run
    run()
