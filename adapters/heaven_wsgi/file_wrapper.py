"""Which servers may send a file by themselves, by `wsgi.file_wrapper` (PEP 3333).

A file that shrinks while it is sent has to be seen to break off. gunicorn cuts the connection where the file's `close`
raises, and says before how much has left (tests/wire/test_file_wrapper.py). waitress goes on as if all was well, uWSGI
says nothing of what has left, and other servers read as we do: there, files are read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias
from wsgiref.types import WSGIEnvironment

from heaven_wsgi.response_body import FileBody

__all__ = ["FileWrapper", "wrapper_of"]

FileWrapper: TypeAlias = Callable[[FileBody, int], Iterable[bytes]]


def wrapper_of(environ: WSGIEnvironment) -> FileWrapper | None:
    """The server's wrapper, where it may be used."""
    wrapper: FileWrapper | None = environ.get("wsgi.file_wrapper")
    # By its module: the name of a server that is in the environ may be anybody's.
    return wrapper if getattr(wrapper, "__module__", "") == "gunicorn.http.wsgi" else None
