"""A WSGI server that is nothing but its calls: what PEP 3333 has it do, and what it may leave out."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, TypeAlias, final
from wsgiref.types import WSGIApplication, WSGIEnvironment

from heaven_core import App
from heaven_core.http.headers import Field
from heaven_wsgi import WSGIAdapter
from tests.table.kit import Handler
from tests.wsgi.validated import validated

__all__ = ["PATIENCE", "Call", "adapter_of", "environ_of", "until"]

# Seconds until something that takes milliseconds counts as hung: the machine may be busy.
PATIENCE: Final = 20.0

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


def environ_of(  # what tests vary
    method: str = "GET",
    path: str = "/",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    query: str = "",
    script_name: str = "",
    more: dict[str, object] | None = None,
) -> WSGIEnvironment:
    """What gunicorn would hand over; `path` is native, each character a byte."""
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "40000",
        "HTTP_HOST": "test",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in headers:
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ | (more or {})


@final
class Call:
    """One request. `raised` is what came out of the application, `whole` whether its body came to its end.

    A server that is `lax` hands over what PEP 3333 does not allow, and so takes no part in the validation.
    """

    def __init__(self, application: WSGIApplication, environ: WSGIEnvironment, *, lax: bool = False) -> None:
        self._application: Final = application if lax else validated(application)
        self._environ: Final = environ
        self.heads: Final[list[tuple[str, list[tuple[str, str]]]]] = []
        self.pieces: Final[list[bytes]] = []
        self.raised: BaseException | None = None
        self.whole = False
        self.iterable: Iterable[bytes] = ()
        self._iterator: Iterator[bytes] = iter(())

    @property
    def status(self) -> int:
        return int(self.heads[0][0][:3])

    @property
    def fields(self) -> list[Field]:
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.heads[0][1]]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def run(self) -> Call:
        """Ask, take all of it, and close."""
        self.begin()
        try:
            while self.take():
                pass
        finally:
            self.close()
        return self

    def begin(self) -> Call:
        """Ask, and take nothing yet."""
        try:
            self.iterable = self._application(self._environ, self._start)
        except BaseException as error:
            self.raised = error
        else:
            self._iterator = iter(self.iterable)
        return self

    def take(self) -> bool:
        """Take a piece. Whether there was one."""
        if self.raised is not None:
            return False
        try:
            self.pieces.append(next(self._iterator))
        except StopIteration:
            self.whole = True
            return False
        except BaseException as error:
            self.raised = error
            return False
        return True

    def close(self) -> None:
        """What a server does in the end, whatever has happened."""
        close: Callable[[], None] | None = getattr(self.iterable, "close", None)
        if close is not None:
            close()

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: _ExcInfo = None, /
    ) -> Callable[[bytes], object]:
        assert not self.heads, "start_response was called twice"
        self.heads.append((status, headers))
        return self._write

    def _write(self, data: bytes) -> None:
        raise AssertionError("write() is for those who can't iterate")


def adapter_of(handler: Handler) -> WSGIAdapter:
    """An application with one handler, which reads bodies itself."""
    app = App()
    app.GET("/", handler)
    app.POST("/", handler, stream=True)
    return WSGIAdapter(app)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, for as long as anything may take. Raises `AssertionError`."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain for {what}"
        time.sleep(0.002)
