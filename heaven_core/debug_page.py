"""What a client sees of a failure where the app was made with `debug=True`."""

from __future__ import annotations

from html import escape
from typing import Final

__all__ = ["debug_page"]

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>500 Internal Server Error</title>
<h1>500 Internal Server Error</h1>
<p>Shown because the app was made with <code>debug=True</code>.</p>
<pre>{}</pre>
</html>
"""


def debug_page(traceback: str) -> str:
    """HTML around it, in which nothing of it can be markup."""
    return _PAGE.format(escape(traceback))
