"""`heaven-core ...`, or `python -m heaven_cli ...`: says what is missing before it needs it."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["main"]

_EXTRA: Final = {"aiofiles": "asgi", "anyio": "asgi", "click": "asgi", "uvicorn": "asgi", "h11": "socket"}


def main() -> None:
    """Run the command line. Ends the process: 0, or 1 where a needed package is not installed, or 2 for wrong use."""
    try:
        from heaven_cli.commands import heaven_core

        heaven_core()
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        extra = _EXTRA[error.name]
        sys.exit(f'heaven-core needs the package {error.name} for this: pip install "heaven-core[{extra}]"')


if __name__ == "__main__":
    main()
