"""The pages that the library itself writes: the listing of a directory, and a traceback where an app asks for that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final
from urllib.parse import quote

from heaven_core.protocol.needs import Entry

__all__ = ["debug_page", "is_hidden", "listing_page"]


_LISTING: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<h1>{title}</h1>
<table>
<thead><tr><th scope="col">Name</th><th scope="col">Bytes</th><th scope="col">Changed (UTC)</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
{more}</html>
"""

_ROW: Final = '<tr><td><a href="{href}">{name}</a></td><td>{size}</td><td>{changed}</td></tr>\n'


_MORE: Final = "<p>and {} more, which are not shown</p>\n"


_FAILURE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>500 Internal Server Error</title>
<h1>500 Internal Server Error</h1>
<p>Shown because the app was made with <code>debug=True</code>.</p>
<pre>{}</pre>
</html>
"""


def is_hidden(name: str) -> bool:
    """Whether a name begins with a dot and so is nobody's business, but for `.well-known` (RFC 8615 §3)."""
    return name.startswith(".") and name != ".well-known"


def listing_page(title: str, entries: Iterable[Entry], *, hidden: bool, most: int) -> str:
    """HTML with a link for each entry, directories first, both by name. `hidden` shows names with a dot, too.

    Of more than `most` the first, and how many more there are.
    """
    shown = [entry for entry in entries if hidden or not is_hidden(entry.name)]
    shown.sort(key=lambda entry: (entry.size is not None, entry.name))
    more = _MORE.format(len(shown) - most) if len(shown) > most else ""
    return _LISTING.format(title=escape(title), rows="".join(map(_row, shown[:most])), more=more)


def _row(entry: Entry) -> str:
    name = entry.name if entry.size is not None else entry.name + "/"
    return _ROW.format(
        href=escape("./" + quote(name)),  # without the dot, "a:b" would have a scheme
        name=escape(name),
        size="" if entry.size is None else entry.size,
        changed=_date(entry.mtime_ns),
    )


def _date(mtime_ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return ""  # of a year that has no four digits


def debug_page(traceback: str) -> str:
    """A page around `traceback`, in which nothing of it can be markup."""
    return _FAILURE.format(escape(traceback))
