"""The disk of a test: in memory, real, or the one in front of the other."""

from __future__ import annotations

from errno import EACCES
from pathlib import Path

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client, Disk
from heaven_io.real_disk import RealDisk


def app_with(directory: Path) -> App:
    def report(req: Request, res: Response, ctx: Context) -> None:
        res.file(str(directory / "report.txt"), "report.txt")

    app = App()
    app.files("/files/*", str(directory), listing=True)
    app.GET("/report", report)
    return app


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "report.txt").write_bytes(b"0123456789")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.txt").write_bytes(b"a")
    return tmp_path


def test_the_real_disk_serves_what_is_there(directory: Path) -> None:
    client = Client(app_with(directory), disk=Disk.real())
    answer = client.get("/report")
    assert (answer.body, answer.headers["content-disposition"]) == (b"0123456789", 'attachment; filename="report.txt"')
    assert client.get("/files/report.txt", headers={"Range": "bytes=2-4"}).body == b"234"
    assert client.get("/files/none.txt").status == 404
    assert client.disk.open_files == []


def test_its_validators_are_those_of_production(directory: Path) -> None:
    client = Client(app_with(directory), disk=Disk.real())
    tag = client.get("/report").headers["etag"]
    assert client.get("/report", headers={"If-None-Match": tag}).status == 304
    (directory / "report.txt").write_bytes(b"another")
    assert client.get("/report", headers={"If-None-Match": tag}).body == b"another"


def test_it_confines(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_bytes(b"secret")
    (directory / "link.txt").symlink_to(outside)
    (directory / "inside.txt").symlink_to("report.txt")
    client = Client(app_with(directory), disk=Disk.real())
    assert client.get("/files/link.txt").status == 404
    assert client.get("/files/%2e%2e/secret.txt").status == 404
    assert client.get("/files/inside.txt").body == b"0123456789"


def test_it_lists_directories(directory: Path) -> None:
    page = Client(app_with(directory), disk=Disk.real()).get("/files/").text
    assert "report.txt" in page
    assert "below/" in page


def test_files_of_the_test_are_in_front_of_it(directory: Path) -> None:
    disk = Disk.real({str(directory / "report.txt"): b"of the test", str(directory / "below" / "b.txt"): b"b"})
    client = Client(app_with(directory), disk=disk)
    assert client.get("/report").body == b"of the test"
    assert client.get("/files/below/a.txt").body == b"a"
    page = client.get("/files/below/").text
    assert "b.txt" in page
    assert "a.txt" not in page


def test_so_are_the_errors_that_it_makes(directory: Path) -> None:
    disk = Disk.real()
    disk.errors[str(directory / "report.txt")] = PermissionError(EACCES, "no permission")
    assert Client(app_with(directory), disk=disk).get("/report").status == 403


def test_any_disk_may_be_below(directory: Path) -> None:
    assert Client(app_with(directory), disk=Disk(below=RealDisk())).get("/report").body == b"0123456789"
