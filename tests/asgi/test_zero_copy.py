"""ASGI's two extensions for files, on a server of the tests' own that keeps to the letter of both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from errno import EMFILE
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final, final

import anyio
import pytest
from anyio.to_thread import run_sync

from heaven_asgi import ASGIAdapter
from heaven_asgi.types import Message
from heaven_asgi.zero_copy import LINGER, MOST_LINGERING, path_of
from heaven_core import Context, Request, Response
from heaven_io.files import READ_SIZE
from tests.asgi.memory import PATIENCE, scope_of
from tests.driver.witness import Witness
from tests.table.kit import Answer

pytestmark = pytest.mark.anyio

PATHSEND: Final = "http.response.pathsend"
ZEROCOPYSEND: Final = "http.response.zerocopysend"
DATA: Final = os.urandom(3 * READ_SIZE + 17)


@final
class Server:
    """One exchange. A path is opened late, as granian does, and `http.disconnect` said when all has been sent.

    `before_sending` runs in between. `kinds` are the messages that came, `lost` has each send fail from that one on.
    """

    def __init__(self, *extensions: str) -> None:
        self.extensions: Final = {name: dict[str, object]() for name in extensions}
        self.kinds: Final[list[str]] = []
        self.status = 0
        self.fields: Final[dict[bytes, bytes]] = {}
        self.body = b""
        self.whole = False
        self.before_sending: Callable[[], None] = lambda: None
        self.lost: str | None = None
        self.is_done_at_once = False
        self._done = anyio.Event()
        self._paths: list[str] = []
        self._read = False

    async def get(self, witness: Witness, path: str, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        scope = scope_of(path=path, headers=headers, extensions=self.extensions)
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(self._send_paths)
                await ASGIAdapter(witness.app)(scope, self.receive, self.send)
                while self._paths and not self._read:
                    await anyio.sleep(0.001)
                group.cancel_scope.cancel()
        return Answer(self.status, list(self.fields.items()), self.body, self.whole)

    async def receive(self) -> Message:
        await self._done.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        kind = message["type"].removeprefix("http.response.")
        if self.lost == kind:
            raise OSError("the client has gone")
        assert not self.whole, f"after the last message: {message}"
        assert not self._paths, f"after the last message: {message}"
        self.kinds.append(kind)
        if kind == "start":
            self.status = message["status"]
            self.fields.update(message["headers"])
        elif kind == "pathsend":
            assert os.path.isabs(message["path"])
            self._paths.append(message["path"])
            if self.is_done_at_once:
                self._done.set()
        elif kind == "zerocopysend":
            self.before_sending()
            fd, offset, left = message["file"].fileno(), message["offset"], message["count"]
            while left > 0 and (data := await run_sync(os.pread, fd, min(left, 65536), offset)):
                self.body += data
                offset += len(data)
                left -= len(data)
            assert message["more_body"]
        else:
            self.body += message["body"]
            if not message.get("more_body", False):
                self.whole = True
                self._done.set()

    async def _send_paths(self) -> None:
        while not self._paths:
            await anyio.sleep(0.001)
        self.before_sending()
        for _ in range(5):
            await anyio.sleep(0.001)
        self.body += Path(self._paths[0]).read_bytes()
        self._read = True
        self.whole = len(self.body) == int(self.fields[b"content-length"])
        self._done.set()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors linger no longer than it takes to see that they do."""
    monkeypatch.setattr("heaven_asgi.zero_copy.LINGER", 0.05)


async def until_closed(witness: Witness) -> None:
    with anyio.fail_after(PATIENCE):
        while witness.open_files:
            await anyio.sleep(0.01)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    (tmp_path / "large.bin").write_bytes(DATA)
    (tmp_path / "small.bin").write_bytes(b"small")
    witness = Witness(tmp_path)

    def serve(req: Request, res: Response, ctx: Context) -> None:
        res.file(req.params.str("name"), within=tmp_path)

    def in_memory(req: Request, res: Response, ctx: Context) -> None:
        res.file(BytesIO(DATA))

    witness.app.GET("/files/:name", serve)
    witness.app.GET("/memory", in_memory)
    return witness


async def test_a_whole_file_goes_by_the_path_of_its_descriptor(witness: Witness) -> None:
    """Which stays open a little longer than the server says that it needs it."""
    server = Server(PATHSEND, ZEROCOPYSEND)
    answer = await server.get(witness, "/files/large.bin")
    assert server.kinds == ["start", "pathsend"]
    assert (answer.status, answer.body == DATA, answer.whole) == (200, True, True)
    assert [(outcome.kind, outcome.body_bytes) for outcome in witness.outcomes] == [("complete", len(DATA))]
    await until_closed(witness)


@pytest.mark.slow
async def test_a_server_that_is_done_before_it_has_opened_the_path_can_still_do_so(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As granian is now and then."""
    monkeypatch.setattr("heaven_asgi.zero_copy.LINGER", LINGER)
    server = Server(PATHSEND)
    server.is_done_at_once = True
    answer = await server.get(witness, "/files/large.bin")
    assert (answer.body == DATA, answer.whole) == (True, True)
    await until_closed(witness)


async def test_only_so_many_descriptors_linger_and_then_files_are_read(witness: Witness) -> None:
    with (witness.directory / "large.bin").open("rb") as file:
        paths = [path_of([PATHSEND], file.fileno()) for _ in range(MOST_LINGERING)]
        assert path_of([PATHSEND], file.fileno()) is None
        server = Server(PATHSEND)
        answer = await server.get(witness, "/files/large.bin")
        assert (set(server.kinds), answer.whole) == ({"start", "body"}, True)
        for path in paths:
            assert path is not None
            path.close()
    assert witness.open_files == []


async def test_where_no_descriptor_is_left_the_file_is_read(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    def dup(fd: int) -> int:
        raise OSError(EMFILE, "too many open files")

    monkeypatch.setattr("heaven_asgi.zero_copy.os.dup", dup)
    server = Server(PATHSEND)
    answer = await server.get(witness, "/files/large.bin")
    assert (set(server.kinds), answer.whole) == ({"start", "body"}, True)
    assert witness.outcome == "complete"


async def test_a_file_whose_name_is_given_to_another_meanwhile_is_sent_all_the_same(witness: Witness) -> None:
    server = Server(PATHSEND)
    original = witness.directory / "large.bin"

    def exchange() -> None:
        original.unlink()
        original.write_bytes(b"another")

    server.before_sending = exchange
    answer = await server.get(witness, "/files/large.bin")
    assert (answer.body == DATA, answer.whole) == (True, True)


async def test_a_part_of_a_file_goes_by_its_descriptor(witness: Witness) -> None:
    server = Server(PATHSEND, ZEROCOPYSEND)
    answer = await server.get(witness, "/files/large.bin", [("Range", "bytes=17-")])
    assert server.kinds == ["start", "zerocopysend", "body"]
    assert (answer.status, answer.body == DATA[17:], answer.whole) == (206, True, True)
    assert [(outcome.kind, outcome.body_bytes) for outcome in witness.outcomes] == [("complete", len(DATA) - 17)]
    assert witness.open_files == []


async def test_several_parts_go_one_by_one_with_what_stands_between(witness: Witness) -> None:
    first, second = f"0-{READ_SIZE}", f"{2 * READ_SIZE}-"
    server = Server(PATHSEND, ZEROCOPYSEND)
    answer = await server.get(witness, "/files/large.bin", [("Range", f"bytes={first},{second}")])
    assert server.kinds == ["start", "body", "zerocopysend", "body", "zerocopysend", "body"]
    assert (answer.status, answer.whole) == (206, True)
    assert DATA[: READ_SIZE + 1] in answer.body
    assert len(answer.body) == int(server.fields[b"content-length"])


@pytest.mark.parametrize(
    ("path", "headers", "extensions"),
    [
        ("/files/small.bin", [], [PATHSEND, ZEROCOPYSEND]),
        ("/files/large.bin", [("Range", "bytes=0-99")], [PATHSEND, ZEROCOPYSEND]),
        ("/files/large.bin", [("Range", "bytes=1-")], [PATHSEND]),
        ("/memory", [], [PATHSEND, ZEROCOPYSEND]),
        ("/files/large.bin", [], []),
        ("/files/large.bin", [], ["http.response.trailers"]),
    ],
)
async def test_a_file_is_read_if_it_is_small_or_not_of_the_disk_or_the_server_offers_nothing_for_it(
    path: str, headers: list[tuple[str, str]], extensions: list[str], witness: Witness
) -> None:
    server = Server(*extensions)
    answer = await server.get(witness, path, headers)
    assert set(server.kinds) == {"start", "body"}
    assert answer.whole


@pytest.mark.parametrize("left", [0, 1000])
async def test_a_file_that_shrinks_is_seen_by_its_size(left: int, witness: Witness) -> None:
    """The server can't tell, and what it has sent does not look whole."""
    for extension, headers in ((PATHSEND, ()), (ZEROCOPYSEND, [("Range", "bytes=10-")])):
        (witness.directory / "large.bin").write_bytes(DATA)
        server = Server(extension)
        server.before_sending = partial(os.truncate, witness.directory / "large.bin", left)
        answer = await server.get(witness, "/files/large.bin", headers)
        assert not answer.whole
        outcome = witness.outcomes.pop()
        assert (outcome.kind, outcome.body_bytes) == ("failed", max(0, left - (0 if extension == PATHSEND else 10)))
        assert type(witness.errors.pop()) is EOFError
    await until_closed(witness)


@pytest.mark.parametrize("lost", ["pathsend", "zerocopysend"])
async def test_a_client_that_leaves_is_a_disconnect(lost: str, witness: Witness) -> None:
    server = Server(f"http.response.{lost}")
    server.lost = lost
    await server.get(witness, "/files/large.bin")
    assert witness.outcome == "disconnected"
    await until_closed(witness)


async def test_a_request_that_is_cancelled_while_the_server_sends_closes_the_file(witness: Witness) -> None:
    server = Server(PATHSEND)
    scope = scope_of(path="/files/large.bin", extensions=server.extensions)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(ASGIAdapter(witness.app), scope, server.receive, server.send)
            while "pathsend" not in server.kinds:
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
    assert witness.outcome == "disconnected"
    await until_closed(witness)


async def test_head_and_304_need_no_bytes(witness: Witness) -> None:
    server = Server(PATHSEND, ZEROCOPYSEND)
    tag = (await server.get(witness, "/files/large.bin")).fields
    server = Server(PATHSEND, ZEROCOPYSEND)
    answer = await server.get(witness, "/files/large.bin", [("If-None-Match", dict(tag)[b"etag"].decode())])
    assert (answer.status, server.kinds) == (304, ["start", "body"])
