"""A hook that guards a path guards what is served there, by whatever name a client asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heaven_core import App, Context, Request, Response
from heaven_core.testing import Client, Disk


def deny(req: Request, res: Response, ctx: Context) -> None:
    res.status = 403
    res.abort("no")


def disks(root: Path) -> Iterator[Disk]:
    (root / "team" / "private").mkdir(parents=True)
    (root / "team" / "private" / "secret.txt").write_bytes(b"secret")
    (root / "team" / "open.txt").write_bytes(b"open")
    yield Disk({f"{root}/team/private/secret.txt": b"secret", f"{root}/team/open.txt": b"open"})
    yield Disk.real()


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize(
    "target",
    [
        "/files/team/private/secret.txt",
        "/files/team//private/secret.txt",
        "/files//team/private/secret.txt",
        "/files/team%2fprivate/secret.txt",
        "/files/team%2f/private/secret.txt",
        "/files/team%2F%2Fprivate/secret.txt",
        "/files/./team/private/secret.txt",
        "/files/team/./private/secret.txt",
        "/files/team/%2e/private/secret.txt",
        "/files/team/private/./secret.txt",
        "/files/team/x/../private/secret.txt",
        "/files/team/private/secret.txt/",
        "/files/team/private/",
        "/files/team/private",
    ],
)
def test_nothing_of_a_guarded_directory_is_served(target: str, hidden: bool, tmp_path: Path) -> None:
    app = App()
    app.before("/files/team/private/*", deny)
    app.files("/files/*", tmp_path, hidden=hidden, listing=True)
    for disk in disks(tmp_path):
        client = Client(app, disk=disk)
        assert client.get("/files/team/open.txt").body == b"open"
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = client.request(method, target)
            assert answer.status in (403, 404, 204)
            assert b"secret" not in answer.body
