"""What may be opened, and that nothing else ever is."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heaven_core import FileInfo
from heaven_core.machine.file_metadata import status_of_open_error
from heaven_io.opening import OpenedFile, open_file

NOBODY = 65534
PATIENCE = 20.0


def content(opened: OpenedFile) -> bytes:
    try:
        return os.read(opened.fd, 1000)
    finally:
        os.close(opened.fd)


def read(path: str | bytes, within: str | bytes | None = None) -> bytes:
    return content(open_file(path, within))


def refusal(path: str | bytes, within: str | bytes | None = None) -> OSError:
    """The error that opening this ends in; it must leave no descriptor behind."""
    before = len(os.listdir("/proc/self/fd"))
    try:
        open_file(path, within)
    except OSError as error:
        # How many, not which: another thread that waits in open() has a number, and nothing that is open.
        assert len(os.listdir("/proc/self/fd")) == before
        return error
    pytest.fail(f"{path!r} was opened")


@contextmanager
def as_nobody() -> Generator[None]:
    """Without root's right to open everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`root/` with some files in it, beside `secret` and `outside/`, which are none of its clients' business."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "page").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "inner" / "deep").mkdir(parents=True)
    (root / "page").write_bytes(b"page")
    (root / "inner" / "page").write_bytes(b"inner page")
    (root / "inner" / "deep" / "page").write_bytes(b"deep page")
    return root


class TestAnyPath:
    def test_size_and_time_are_those_of_the_descriptor(self, root: Path) -> None:
        os.utime(root / "page", ns=(5, 1_700_000_000_123_456_789))
        status = (root / "page").stat()
        opened = open_file(str(root / "page"), None)
        assert opened.info == FileInfo(4, 1_700_000_000_123_456_789, status.st_ino, status.st_ctime_ns)
        (root / "page").unlink()
        assert content(opened) == b"page"

    def test_bytes_are_a_path_too(self, root: Path) -> None:
        assert read(os.fsencode(root / "page")) == b"page"

    def test_a_name_outside_ascii_is_taken_as_utf_8(self, root: Path) -> None:
        (root / "Füße").write_bytes(b"feet")
        assert read(str(root / "Füße")) == read(str(root / "Füße").encode()) == b"feet"

    def test_a_child_process_does_not_inherit_it(self, root: Path) -> None:
        opened = open_file(str(root / "page"), None)
        assert not os.get_inheritable(opened.fd)
        os.close(opened.fd)

    def test_a_symlink_is_followed(self, root: Path) -> None:
        (root / "link").symlink_to("../secret")
        assert read(str(root / "link")) == b"secret"

    def test_a_missing_file(self, root: Path) -> None:
        assert type(refusal(str(root / "none"))) is FileNotFoundError

    def test_an_empty_path(self) -> None:
        assert type(refusal("")) is FileNotFoundError

    def test_a_directory(self, root: Path) -> None:
        assert type(refusal(str(root))) is IsADirectoryError

    def test_a_name_below_a_file(self, root: Path) -> None:
        assert type(refusal(f"{root}/page/x")) is NotADirectoryError

    def test_a_name_ending_in_a_slash(self, root: Path) -> None:
        assert type(refusal(f"{root}/page/")) is NotADirectoryError

    def test_a_fifo_without_a_writer_does_not_block(self, root: Path) -> None:
        os.mkfifo(root / "fifo")
        assert type(refusal(str(root / "fifo"))) is FileNotFoundError

    @pytest.mark.parametrize("way", ["a path", "within", "a symlink within"])
    def test_a_fifo_is_refused_without_waking_who_waits_to_write_to_it(self, way: str, root: Path) -> None:
        fifo = root / "fifo"
        os.mkfifo(fifo)
        (root / "link").symlink_to("fifo")
        woken = threading.Event()

        def write() -> None:
            fd = os.open(fifo, os.O_WRONLY)
            woken.set()
            os.close(fd)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        given = {"a path": (str(fifo), None), "within": ("fifo", str(root)), "a symlink within": ("link", str(root))}[
            way
        ]
        for _ in range(20):  # it gets there at some time
            assert type(refusal(*given)) is FileNotFoundError
            assert not woken.wait(0.01)
        with open(fifo, "rb"):
            assert woken.wait(PATIENCE)
        writer.join(PATIENCE)

    def test_a_device(self) -> None:
        assert type(refusal("/dev/null")) is FileNotFoundError

    def test_a_socket(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(root)  # the address must be short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
            assert type(refusal("socket")) is FileNotFoundError

    def test_a_symlink_loop(self, root: Path) -> None:
        (root / "loop").symlink_to("loop")
        assert refusal(str(root / "loop")).errno == errno.ELOOP

    def test_a_name_too_long(self, root: Path) -> None:
        assert refusal(f"{root}/{'x' * 300}").errno == errno.ENAMETOOLONG

    @pytest.mark.parametrize("name", ["a\0b", b"a\0b", b"\xff", "\udcff"])
    def test_a_nul_or_bytes_that_are_no_utf_8(self, name: str | bytes, root: Path) -> None:
        (Path(os.fsdecode(os.fsencode(root) + b"/\xff"))).write_bytes(b"no UTF-8")
        for within in (None, str(root)):
            error = refusal(name, within)
            assert isinstance(error, FileNotFoundError)
            assert error.errno == errno.EILSEQ

    def test_no_permission(self, root: Path) -> None:
        (root / "page").chmod(0)
        with as_nobody():
            assert type(refusal(str(root / "page"))) is PermissionError
            assert type(refusal("page", str(root))) is PermissionError

    def test_too_many_open_files_is_neither_missing_nor_forbidden(self, root: Path) -> None:
        resource = pytest.importorskip("resource")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            for within in (None, str(root)):
                with pytest.raises(OSError, match="Too many open files") as caught:
                    open_file("page" if within else str(root / "page"), within)
                assert caught.value.errno == errno.EMFILE
                assert status_of_open_error(caught.value) == 500
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class TestWithin:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("page", b"page"),
            (b"page", b"page"),
            ("inner/page", b"inner page"),
            ("inner/deep/page", b"deep page"),
        ],
    )
    def test_a_file_inside_is_opened(self, path: str | bytes, expected: bytes, root: Path) -> None:
        assert read(path, str(root)) == read(path, os.fsencode(root)) == read(path, f"{root}/") == expected

    @pytest.mark.parametrize(
        "path",
        ["../secret", "inner/../../secret", "..", "inner/..", "inner/../page", "/page", "//page", "none/../page"],
    )
    def test_a_parent_segment_or_a_leading_slash_is_not_even_tried(self, path: str, root: Path) -> None:
        assert type(refusal(path, str(root))) is FileNotFoundError

    def test_an_absolute_path_is_refused_even_if_it_leads_inside(self, root: Path) -> None:
        assert type(refusal(str(root / "page"), str(root))) is FileNotFoundError

    def test_dots_that_are_no_segment_are_a_name(self, root: Path) -> None:
        (root / "..page").write_bytes(b"dots")
        (root / "...").write_bytes(b"more dots")
        assert (read("..page", str(root)), read("...", str(root))) == (b"dots", b"more dots")

    @pytest.mark.parametrize(
        "path",
        [
            "./page",
            "inner/./page",
            "inner//page",
            "inner//",
            "inner/.",
            ".",
            "./",
            "//",
            "inner/deep//page",
            "page//",
            "page/.",
        ],
    )
    def test_another_name_for_a_path_is_none(self, path: str, root: Path) -> None:
        """Hooks and routes know a path by one name: an empty segment, or one of a dot, would lead past a guard."""
        assert type(refusal(path, str(root))) is FileNotFoundError

    def test_a_symlink_to_the_directory_itself_stays_inside(self, root: Path) -> None:
        (root / "again").symlink_to(".")
        assert read("again/page", str(root)) == b"page"
        assert type(refusal("again", str(root))) is IsADirectoryError

    @pytest.mark.parametrize("path", ["", "inner", "inner/"])
    def test_a_directory(self, path: str, root: Path) -> None:
        assert type(refusal(path, str(root))) is IsADirectoryError

    @pytest.mark.parametrize("path", ["page/", "page/x", "link/", "link/x"])
    def test_a_file_is_no_directory(self, path: str, root: Path) -> None:
        (root / "link").symlink_to("page")
        assert type(refusal(path, str(root))) is NotADirectoryError

    @pytest.mark.parametrize("path", ["none", "inner/none", "none/page", "dangling"])
    def test_a_missing_file(self, path: str, root: Path) -> None:
        (root / "dangling").symlink_to("none")
        assert type(refusal(path, str(root))) is FileNotFoundError

    def test_a_special_file(self, root: Path) -> None:
        os.mkfifo(root / "fifo")
        assert type(refusal("fifo", str(root))) is FileNotFoundError

    def test_a_name_too_long(self, root: Path) -> None:
        assert refusal("x" * 300, str(root)).errno == errno.ENAMETOOLONG

    @pytest.mark.parametrize(
        ("link", "target", "path"),
        [
            ("link", "page", "link"),
            ("link", "inner", "link/page"),
            ("inner/link", "../inner/page", "inner/link"),
            ("inner/link", "deep/../page", "inner/link"),
            ("link", "{root}/inner", "link/page"),
            ("link", "../root/inner/page", "link"),
            ("link", "../outside/../root/inner/page", "link"),
        ],
    )
    def test_a_symlink_that_stays_inside_is_served(self, link: str, target: str, path: str, root: Path) -> None:
        (root / "page").write_bytes(b"inner page")
        (root / link).symlink_to(target.format(root=root))
        assert read(path, str(root)) == b"inner page"

    def test_a_symlink_to_a_symlink_is_served(self, root: Path) -> None:
        (root / "first").symlink_to("second")
        (root / "second").symlink_to("inner")
        assert read("first/deep/page", str(root)) == b"deep page"

    @pytest.mark.parametrize(
        ("target", "path"),
        [
            ("../secret", "link"),
            ("../outside", "link/page"),
            ("{root}/../secret", "link"),
            ("/etc/hosts", "link"),
            ("/", "link/etc/hosts"),
            ("../outside/none", "link"),
            ("../outside/none/../page", "link"),
            ("../root-too/page", "link"),
            ("..", "link/secret"),
            ("..", "link"),
        ],
    )
    def test_a_symlink_that_leads_outside_looks_like_a_missing_file(self, target: str, path: str, root: Path) -> None:
        root.with_name("root-too").mkdir()
        root.with_name("root-too").joinpath("page").write_bytes(b"secret")
        (root / "link").symlink_to(target.format(root=root))
        error = refusal(path, str(root))
        assert type(error) is FileNotFoundError
        assert error.filename == path.encode()

    def test_so_does_one_to_a_place_outside_that_we_may_not_see(self, root: Path) -> None:
        (root / "link").symlink_to("../outside/page")
        root.with_name("outside").chmod(0)
        with as_nobody():
            assert type(refusal("link", str(root))) is FileNotFoundError

    def test_a_directory_inside_that_we_may_not_see_is_forbidden(self, root: Path) -> None:
        (root / "link").symlink_to("inner/page")
        (root / "inner").chmod(0)
        with as_nobody():
            assert type(refusal("inner/page", str(root))) is PermissionError
            assert type(refusal("link", str(root))) is PermissionError

    def test_a_directory_that_can_be_searched_but_not_listed_will_do(self, root: Path) -> None:
        root.chmod(0o711)
        (root / "inner").chmod(0o711)
        with as_nobody():
            assert read("inner/page", str(root)) == b"inner page"

    def test_a_symlink_loop(self, root: Path) -> None:
        (root / "loop").symlink_to("loop")
        assert refusal("loop", str(root)).errno == errno.ELOOP

    def test_the_directory_may_be_a_symlink(self, root: Path) -> None:
        current = root.with_name("current")
        current.symlink_to("root")
        (root / "link").symlink_to(root / "page")
        assert read("inner/page", str(current)) == b"inner page"
        assert read("link", str(current)) == b"page"

    def test_the_directory_may_be_relative(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(root)
        (root / "link").symlink_to("inner/page")
        assert read("page", ".") == b"page"
        assert read("page", "inner") == b"inner page"
        assert read("link", ".") == b"inner page"

    def test_the_directory_may_be_the_root_of_all(self, root: Path) -> None:
        (root / "link").symlink_to("../secret")
        assert read(f"{root}/page"[1:], "/") == b"page"
        assert read(f"{root}/link"[1:], "/") == b"secret"
        assert type(refusal(f"{root}/page", "/")) is FileNotFoundError

    def test_the_directory_must_be_there(self, root: Path) -> None:
        assert type(refusal("page", str(root / "none"))) is FileNotFoundError
        assert type(refusal("x", str(root / "page"))) is NotADirectoryError

    def test_every_refusal_of_these_tests_is_a_404_but_for_permissions(self, root: Path) -> None:
        (root / "loop").symlink_to("loop")
        (root / "out").symlink_to("../secret")
        paths: list[str | bytes] = [
            "none",
            "inner",
            "page/",
            "page/x",
            "loop",
            "out",
            "x" * 300,
            "a\0",
            b"\xff",
            "..",
            "/page",
        ]
        assert {status_of_open_error(refusal(path, str(root))) for path in paths} == {404}


class TestRaces:
    """Somebody exchanges what a path leads to as fast as possible; 5,000 tries must let nothing out."""

    TRIES = 5_000

    def attack(self, root: Path, path: str, swap: Callable[[], None]) -> set[bytes]:
        ended = threading.Event()

        def swapper() -> None:
            while not ended.is_set():
                swap()

        thread = threading.Thread(target=swapper)
        thread.start()
        seen: set[bytes] = set()
        try:
            for _ in range(self.TRIES):
                try:
                    seen.add(read(path, str(root)))
                except OSError as error:
                    assert status_of_open_error(error) == 404  # noqa: PT017
        finally:
            ended.set()
            thread.join()
        return seen

    def test_a_file_becomes_a_symlink_that_leads_outside(self, root: Path) -> None:
        def swap() -> None:
            for target in ("../secret", "page"):
                (root / "new").symlink_to(target)
                (root / "new").replace(root / "door")
            (root / "new").write_bytes(b"page")
            (root / "new").replace(root / "door")

        assert self.attack(root, "door", swap) <= {b"page", b""}

    def test_a_directory_becomes_a_symlink_that_leads_outside(self, root: Path) -> None:
        def swap() -> None:
            (root / "inner").rename(root / "away")
            (root / "inner").symlink_to("../outside")
            (root / "inner").unlink()
            (root / "inner").symlink_to("away")
            (root / "inner").unlink()
            (root / "away").rename(root / "inner")

        assert self.attack(root, "inner/page", swap) == {b"inner page"}
