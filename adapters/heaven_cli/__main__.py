"""`heaven-core ...`, or `python -m heaven_cli ...`: says what is missing before it needs it."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["main"]

_EXTRA: Final = frozenset({"aiofiles", "anyio", "click", "h11", "uvicorn"})


def main() -> None:
    """Run the command line. Ends the process: 0, or 1 where a needed package is not installed, or 2 for wrong use."""
    try:
        from heaven_cli.commands import heaven_core

        heaven_core()
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        extra = "socket" if "socket" in sys.argv else "asgi"
        instead = "; or serve it without uvicorn, by --adapter socket" if error.name == "uvicorn" else ""
        sys.exit(f'heaven-core needs the package {error.name} for this: pip install "heaven-core[{extra}]"{instead}')


if __name__ == "__main__":
    main()
