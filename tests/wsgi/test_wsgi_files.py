"""Files under WSGI: read, or given to the server by `wsgi.file_wrapper` (PEP 3333)."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterable
from io import UnsupportedOperation
from pathlib import Path
from typing import Final
from wsgiref.util import FileWrapper as WSGIRefWrapper

import pytest
from gunicorn.http.wsgi import FileWrapper as GunicornWrapper  # type: ignore[import-untyped]

from heaven_core import App, Context, Outcome, Request, Response
from heaven_wsgi import BrokenOff, WSGIAdapter
from heaven_wsgi.response_body import FileBody
from tests.wsgi.memory import Call, environ_of, until

DATA: Final = bytes(range(256)) * 2000


class Served:
    """An app that serves one file, and how its responses ended."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.outcomes: Final[list[Outcome]] = []
        self.errors: Final[list[BaseException]] = []
        self.app: Final = App(on_error=lambda error, where: self.errors.append(error))
        self.app.GET("/", self.serve)
        self.adapter: Final = WSGIAdapter(self.app)

    def serve(self, req: Request, res: Response, ctx: Context) -> None:
        res.file(self.path if req.query_string != b"held" else io.BytesIO(DATA))
        res.defer(lambda app: self.outcomes.extend([res.outcome] if res.outcome is not None else []))

    def ask(self, wrapper: object, method: str = "GET", query: str = "", **headers: str) -> Iterable[bytes]:
        environ = environ_of(method, headers=headers.items(), query=query, more={"wsgi.file_wrapper": wrapper})
        return self.adapter(environ, _start)

    def wait(self) -> tuple[str, int]:
        until(lambda: self.outcomes, "the deferred call")
        return self.outcomes[0].kind, self.outcomes[0].body_bytes


def _start(*arguments: object) -> Callable[[bytes], object]:
    return lambda data: None


@pytest.fixture
def served(tmp_path: Path) -> Served:
    path = tmp_path / "file.bin"
    path.write_bytes(DATA)
    return Served(path)


def given(answer: Iterable[bytes]) -> FileBody:
    """What the server is given to send."""
    assert isinstance(answer, GunicornWrapper)
    file: object = answer.filelike
    assert isinstance(file, FileBody)
    return file


class TestWhatIsGiven:
    def test_a_whole_file_is(self, served: Served) -> None:
        file = given(served.ask(GunicornWrapper))
        assert file.fileno() > 2
        file.close()

    @pytest.mark.parametrize("ranges", ["bytes=0-9", "bytes=1-", "bytes=0-1,5-6"])
    def test_a_part_is_read(self, ranges: str, served: Served) -> None:
        """A server sends a file from where its descriptor stands to its end."""
        answer = served.ask(GunicornWrapper, Range=ranges)
        assert not isinstance(answer, GunicornWrapper)
        assert b"".join(answer)
        answer.close()  # type: ignore[attr-defined]  # it has a close()

    def test_a_file_in_memory_is_read(self, served: Served) -> None:
        answer = served.ask(GunicornWrapper, query="held")
        assert not isinstance(answer, GunicornWrapper)
        assert b"".join(answer) == DATA
        answer.close()  # type: ignore[attr-defined]  # it has a close()

    def test_for_head_there_is_nothing_to_be_sent(self, served: Served) -> None:
        answer = served.ask(GunicornWrapper, "HEAD")
        assert not isinstance(answer, GunicornWrapper)
        assert b"".join(answer) == b""
        answer.close()  # type: ignore[attr-defined]  # it has a close()

    @pytest.mark.parametrize("wrapper", [WSGIRefWrapper, None])
    def test_servers_that_do_not_cut_a_file_that_shrank_are_given_none(self, wrapper: object, served: Served) -> None:
        answer = served.ask(wrapper)
        pieces = list(answer)
        assert b"".join(pieces) == DATA
        assert len(pieces) == 4  # of 128 KiB
        answer.close()  # type: ignore[attr-defined]  # it has a close()
        assert served.wait() == ("complete", len(DATA))


class TestHowItEnds:
    def test_a_server_that_sends_it_by_its_descriptor(self, served: Served) -> None:
        """As gunicorn does: `socket.sendfile`, which says in the end by `seek` how far it has come."""
        answer = served.ask(GunicornWrapper)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(DATA))
            file = given(answer)
            assert ours.sendfile(file, 0, len(DATA)) == len(DATA)
            assert file.tell() == len(DATA)
        file.close()
        assert served.wait() == ("complete", len(DATA))

    def test_a_server_that_reads_it(self, served: Served) -> None:
        """gunicorn does under TLS."""
        answer = served.ask(GunicornWrapper)
        assert b"".join(answer) == DATA
        given(answer).close()
        assert served.wait() == ("complete", len(DATA))

    def test_reading_all_that_is_left(self, served: Served) -> None:
        file = given(served.ask(GunicornWrapper))
        assert file.read(10) + file.read() == DATA
        assert file.read() == b""
        file.close()

    def test_a_client_that_leaves_has_what_was_sent(self, served: Served) -> None:
        file = given(served.ask(GunicornWrapper))
        file.seek(1000)
        file.close()
        file.close()
        assert served.wait() == ("disconnected", 1000)

    def test_a_file_that_has_shrunk_has_close_raise_so_that_the_server_cuts(self, served: Served) -> None:
        file = given(served.ask(GunicornWrapper))
        served.path.write_bytes(b"short")
        assert file.read() == b"short"
        # Whoever reads, a middleware that compresses say, must not take this for the end.
        with pytest.raises(BrokenOff):
            file.read()
        with pytest.raises(BrokenOff):
            file.close()
        assert served.wait() == ("failed", 5)

    def test_a_file_that_has_grown_is_sent_as_long_as_was_said(self, served: Served) -> None:
        file = given(served.ask(GunicornWrapper))
        with served.path.open("ab") as more:
            more.write(b"more")
        assert file.read() == DATA
        file.close()
        assert served.wait() == ("complete", len(DATA))

    def test_a_file_that_can_not_be_read_has_failed(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        file = given(served.ask(GunicornWrapper))

        def broken(fd: int, count: int, offset: int) -> bytes:
            raise OSError(5, "the disk")

        monkeypatch.setattr("os.pread", broken)
        with pytest.raises(OSError, match="the disk"):
            file.read()
        with pytest.raises(BrokenOff):
            file.close()
        assert served.wait() == ("failed", 0)
        assert [str(error) for error in served.errors] == ["[Errno 5] the disk"]

    def test_it_is_sent_from_its_beginning_on(self, served: Served) -> None:
        file = given(served.ask(GunicornWrapper))
        with pytest.raises(UnsupportedOperation):
            file.seek(0, io.SEEK_END)
        file.close()


def test_the_validator_reads_what_is_given_to_it(served: Served) -> None:
    """A middleware between server and application hides the file from the server; it arrives all the same."""
    call = Call(served.adapter, environ_of(more={"wsgi.file_wrapper": GunicornWrapper})).run()
    assert (call.body, call.whole) == (DATA, True)
    assert served.wait() == ("complete", len(DATA))
