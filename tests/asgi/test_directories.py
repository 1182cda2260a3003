"""`app.files`, siblings and open files on a real disk, on asyncio and trio; each confined as any file is."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import pytest

from heaven_asgi import ASGIAdapter
from heaven_core import App, Context, Request, Response
from heaven_io import detached
from tests.asgi.memory import PATIENCE, Call, scope_of
from tests.driver.witness import Witness
from tests.table.kit import Answer

pytestmark = pytest.mark.anyio

GZIP: Final = (("Accept-Encoding", "gzip"),)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory, beside things that must not get out."""
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "index.html").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "index.html").write_bytes(b"root")
    (root / "docs" / "index.html").write_bytes(b"docs")
    (root / "app.js").write_bytes(b"plain")
    (root / "app.js.gz").write_bytes(b"packed")
    os.utime(root / "app.js", (1_000_000, 1_000_000))
    return root


async def get(app: App, path: str, *headers: tuple[str, str]) -> Answer:
    call = Call(ASGIAdapter(app), scope_of(path=path, headers=headers))
    with anyio.fail_after(PATIENCE):
        await call.run()
    return call.answer


def static(root: Path) -> App:
    app = App()
    app.files("/*", root, precompressed=True, fallback="index.html", listing=True)
    return app


async def test_a_file_its_sibling_an_index_a_fallback_and_a_listing(root: Path) -> None:
    app = static(root)
    assert (await get(app, "/app.js")).body == b"plain"
    assert (await get(app, "/app.js", *GZIP)).body == b"packed"
    assert (await get(app, "/app.js", *GZIP, ("Range", "bytes=1-2"))).body == b"ac"
    assert (await get(app, "/docs/")).body == b"docs"
    assert (await get(app, "/none")).body == b"root"
    (root / "docs" / "index.html").rename(root / "docs" / "other.html")
    assert b'href="./other.html"' in (await get(app, "/docs/")).body


async def test_a_directory_is_sent_to_its_slash(root: Path) -> None:
    answer = await get(static(root), "/docs")
    assert (answer.status, dict(answer.fields)[b"location"]) == (308, b"./docs/")


async def test_a_sibling_that_leads_outside_is_passed_over(root: Path) -> None:
    (root / "app.js.gz").unlink()
    (root / "app.js.gz").symlink_to("../secret.txt")
    assert (await get(static(root), "/app.js", *GZIP)).body == b"plain"


async def test_a_sibling_that_is_a_directory_or_a_pipe_is_passed_over(root: Path) -> None:
    (root / "app.js.gz").unlink()
    (root / "app.js.br").mkdir()
    os.mkfifo(root / "app.js.gz")
    assert (await get(static(root), "/app.js", ("Accept-Encoding", "br, gzip"))).body == b"plain"


@pytest.mark.parametrize("path", ["/away/", "/docs/"])
async def test_an_index_that_leads_outside_is_missing(path: str, root: Path) -> None:
    (root / "away").symlink_to("../secrets")
    (root / "docs" / "index.html").unlink()
    (root / "docs" / "index.html").symlink_to("../../secrets/index.html")
    app = App()
    app.files("/*", root)
    assert (await get(app, path)).status == 404


async def test_an_index_that_is_exchanged_for_a_link_meanwhile_lets_nothing_out(root: Path) -> None:
    """Whenever it happens: the answer is the index, or there is none."""
    app = App()
    app.files("/*", root)
    link, page = root / "docs" / "link", root / "docs" / "page"
    found: list[bytes] = []

    async def ask() -> None:
        found.append((await get(app, "/docs/")).body)

    for turn in range(200):
        link.unlink(missing_ok=True)
        link.symlink_to("../../secrets/index.html")
        page.write_bytes(b"docs")
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            for _ in range(turn % 10):
                await anyio.sleep(0)
            (link if turn % 2 else page).replace(root / "docs" / "index.html")
    assert set(found) <= {b"docs", b"404 Not Found\n"}


async def test_a_younger_file_passes_over_its_sibling(root: Path) -> None:
    packed = (root / "app.js.gz").stat().st_mtime_ns
    os.utime(root / "app.js", ns=(packed + 1, packed + 1))
    assert (await get(static(root), "/app.js", *GZIP)).body == b"plain"


async def test_a_sibling_made_by_gzip_itself_is_taken(root: Path) -> None:
    """Its tools give it the time of the file."""
    (root / "app.js.gz").write_bytes(gzip.compress(b"plain"))
    changed = (root / "app.js").stat().st_mtime_ns
    os.utime(root / "app.js.gz", ns=(changed, changed))
    assert gzip.decompress((await get(static(root), "/app.js", *GZIP)).body) == b"plain"


async def test_no_descriptor_stays_open(root: Path) -> None:
    witness = Witness(root)
    witness.app.files("/static/*", root, precompressed=True, listing=True)
    for path in ("/static/app.js", "/static/", "/static/docs", "/static/none", "/static/docs/"):
        await get(witness.app, path, *GZIP)
        assert witness.open_files == []
    (root / "app.js.gz").touch()
    os.utime(root / "app.js.gz", (1, 1))
    await get(witness.app, "/static/app.js", *GZIP)
    assert witness.open_files == []


@pytest.mark.parametrize("turns", range(12))
async def test_a_request_that_is_cancelled_while_files_are_opened_leaks_nothing(turns: int, root: Path) -> None:
    witness = Witness(root)
    witness.app.files("/static/*", root, precompressed=True)
    call = Call(ASGIAdapter(witness.app), scope_of(path="/static/app.js", headers=GZIP))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            for _ in range(turns * 3):
                await anyio.sleep(0)
            group.cancel_scope.cancel()
        # What has not been opened yet is closed when it has been, by a task of nobody's, which needs the event loop.
        unfinished: set[object] = vars(detached)["_tasks"]
        while unfinished or witness.open_files:
            await anyio.sleep(0.001)
    assert len(witness.outcomes) <= 1


def opened(path: Path) -> Callable[[Request, Response, Context], None]:
    def handler(req: Request, res: Response, ctx: Context) -> None:
        file = path.open("rb")
        file.seek(2)
        res.file(file)

    return handler


async def test_an_open_file_is_sent_as_one_from_the_disk_and_closed(root: Path) -> None:
    witness = Witness(root)
    witness.app.GET("/open", opened(root / "app.js"))
    witness.app.files("/static/*", root)
    sent, named = await get(witness.app, "/open"), await get(witness.app, "/static/app.js")
    policy = (b"cache-control", b"no-cache")
    assert (sent.status, sent.fields, sent.body) == (200, [line for line in named.fields if line != policy], b"plain")
    assert (await get(witness.app, "/open", ("Range", "bytes=-2"))).body == b"in"
    assert witness.open_files == []


async def test_an_open_file_that_shrinks_breaks_off(root: Path) -> None:
    witness = Witness(root)
    large = root / "large.bin"
    large.write_bytes(b"x" * 1_000_000)
    witness.app.GET("/open", opened(large))
    call = Call(ASGIAdapter(witness.app), scope_of(path="/open"))

    async def shrink(number: int, message: object) -> None:
        if number == 0:
            os.truncate(large, 10)

    call.at_send = shrink
    with anyio.fail_after(PATIENCE):
        await call.run()
    assert not call.answer.whole
    assert [outcome.kind for outcome in witness.outcomes] == ["failed"]
    assert witness.open_files == []
