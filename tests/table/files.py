"""SPEC 3: whole files."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from heaven_core import Context, Request, Response
from heaven_core.machine.file_metadata import etag_of
from tests.table.kit import (
    NOSNIFF,
    OCTETS,
    TEXT,
    Ask,
    Table,
    bodiless,
    buffered,
    headed,
    notes_of,
    refusal,
    root_of,
    served,
)

__all__ = ["CHANGED", "FILES", "FILES_ON_DISK", "HELLO", "MTIME", "TAG"]

FILES: Final = Table()

HELLO: Final = b"hello\n"
PAGE: Final = b"<!doctype html>\n"
DATA: Final = bytes(range(256)) * 2000
FILES_ON_DISK: Final[dict[str, bytes]] = {
    "hello.txt": HELLO,
    "empty.css": b"",
    "data.bin": DATA,
    "pages/index.html": PAGE,
    "pages/grün.txt": HELLO,
    "a.tar.gz": b"\x1f\x8b",
    "secret.txt": b"secret",
    "app.js": b"plain",
    "app.js.gz": b"packed",
}
# Modification time of all of them, in seconds since the epoch.
MTIME: Final = 999_000_000.0

CHANGED: Final = ("last-modified", "Tue, 28 Aug 2001 12:00:00 GMT")


def tag(content: bytes) -> tuple[str, str]:
    """The ETag that a file of this size and the time of them all has; what makes it is tested elsewhere."""
    return ("etag", etag_of(len(content), int(MTIME * 1_000_000_000), MTIME + 60).decode())


TAG: Final = tag(HELLO)
NOT_FOUND: Final = refusal(404, "404 Not Found\n")


@FILES.add(served(HELLO, TEXT, TAG, CHANGED), file=HELLO, notes=("deferred",))
@FILES.add(served(HELLO, TEXT, TAG, CHANGED, head_only=True), Ask("HEAD"), file=HELLO, notes=("deferred",))
def file(req: Request, res: Response, ctx: Context) -> None:
    """Inline: type by extension, length, tag and date."""
    res.file(f"{root_of(ctx)}/hello.txt")
    res.defer(notes_of(ctx).later("deferred"))


@FILES.add(served(DATA, OCTETS, tag(DATA), CHANGED), file=DATA)
async def larger_file(req: Request, res: Response, ctx: Context) -> None:
    """More than one read."""
    res.file(f"{root_of(ctx)}/data.bin")


@FILES.add(served(b"", "text/css; charset=utf-8", tag(b""), CHANGED))
def empty_file(req: Request, res: Response, ctx: Context) -> None:
    """No bytes, but all fields."""
    res.file("empty.css", within=root_of(ctx))


@FILES.add(
    served(
        HELLO,
        TEXT,
        ("content-disposition", "attachment; filename=\"Zoe's _.txt\"; filename*=UTF-8''Zo%C3%AB%27s%20%E2%82%AC.txt"),
        TAG,
        CHANGED,
    ),
    file=HELLO,
)
def attachment(req: Request, res: Response, ctx: Context) -> None:
    """A name beyond ASCII goes twice (RFC 6266 §4.3, RFC 8187)."""
    res.file(f"{root_of(ctx)}/hello.txt", "Zoë's €.txt")


@FILES.add(served(HELLO, TEXT, ("content-disposition", 'attachment; filename="plain.txt"'), TAG, CHANGED), file=HELLO)
def attachment_with_a_plain_name(req: Request, res: Response, ctx: Context) -> None:
    """A plain name alone."""
    res.file("hello.txt", "plain.txt", within=root_of(ctx))


@FILES.add(served(b"\x1f\x8b", "application/gzip", tag(b"\x1f\x8b"), CHANGED), file=b"\x1f\x8b")
def archive(req: Request, res: Response, ctx: Context) -> None:
    """A name never sets Content-Encoding."""
    res.file("a.tar.gz", within=root_of(ctx))


@FILES.add(
    served(HELLO, "text/x-own", ("x-a", "1"), ("etag", '"own"'), ("content-encoding", "br"), CHANGED), file=HELLO
)
def file_with_fields_of_its_own(req: Request, res: Response, ctx: Context) -> None:
    """What is set stays."""
    res.headers = "X-A", "1"
    res.headers = "ETag", '"own"'
    res.file(f"{root_of(ctx)}/hello.txt", content_type="text/x-own", content_encoding="br")


@FILES.add(
    (headed(404, 14, ("x-kept", "1"), ("content-type", TEXT), NOSNIFF, ("content-length", "14")), *NOT_FOUND[1:]),
    notes=("always", "complete"),
)
@FILES.add(
    bodiless(404, ("x-kept", "1"), ("content-type", TEXT), NOSNIFF, ("content-length", "14")),
    Ask("HEAD"),
    notes=("always", "complete"),
)
def missing_file(req: Request, res: Response, ctx: Context) -> None:
    """A 404 that loses what was about the body and keeps the rest; it is no failure."""
    notes = notes_of(ctx)
    res.headers = "X-Kept", "1"
    res.headers = "ETag", '"own"'
    res.headers = "Content-Language", "de"
    res.file(f"{root_of(ctx)}/there-is-none.txt", "name.txt")
    res.defer(notes.later("always"))
    res.defer(notes.later("complete"), "complete")
    res.defer(notes.later("failed"), "failed")


@FILES.add(NOT_FOUND)
def directory(req: Request, res: Response, ctx: Context) -> None:
    """A directory is no file."""
    res.file(f"{root_of(ctx)}/pages")


@FILES.add(NOT_FOUND)
def file_with_a_slash_at_the_end(req: Request, res: Response, ctx: Context) -> None:
    """Nor is a file a directory."""
    res.file("hello.txt/", within=root_of(ctx))


@FILES.add(NOT_FOUND)
def below_a_file(req: Request, res: Response, ctx: Context) -> None:
    """Nothing is below a file."""
    res.file(f"{root_of(ctx)}/hello.txt/more")


@FILES.add(NOT_FOUND)
def name_with_nul(req: Request, res: Response, ctx: Context) -> None:
    """No name has a NUL."""
    res.file(f"{root_of(ctx)}/hello.txt\0.png")


@FILES.add(NOT_FOUND)
def name_too_long(req: Request, res: Response, ctx: Context) -> None:
    """Nor 10,000 characters."""
    res.file(f"{root_of(ctx)}/{'x' * 10_000}")


async def confined(req: Request, res: Response, ctx: Context) -> None:
    """`within=`: whatever the client asks for, it stays inside."""
    res.file(req.params.str("*"), within=f"{root_of(ctx)}/pages")


for _name, _target in {
    "up": "/../secret.txt",
    "up-encoded": "/%2e%2e/secret.txt",
    "up-in-the-middle": "/x/../../secret.txt",
    "slash-encoded": "/..%2fsecret.txt",
    "absolute": "/%2Fetc%2Fhosts",
    "twice-encoded": "/%252e%252e/secret.txt",
    "missing": "/nothing.html",
    "no-utf-8": "/%ff.html",
    "backslash": "/..%5Csecret.txt",
}.items():
    FILES.put(
        f"confined-{_name}", confined, NOT_FOUND, Ask(target=_target), route="/*", shows="A path that leads outside."
    )
FILES.put(
    "confined-inside", confined, served(PAGE, "text/html; charset=utf-8", tag(PAGE), CHANGED),
    Ask(target="/index.html"),
    route="/*", file=PAGE, shows="One that stays inside.",
)  # fmt: skip
FILES.put(
    "confined-beyond-ascii", confined, served(HELLO, TEXT, TAG, CHANGED), Ask(target="/gr%C3%BCn.txt"), route="/*",
    file=HELLO, shows="A name beyond ASCII.",
)  # fmt: skip


@FILES.add(served(DATA, "application/pdf", ("etag", '"v1"'), CHANGED), file=DATA)
async def file_in_memory(req: Request, res: Response, ctx: Context) -> None:
    """What was made in memory, with validators and a name of its own."""
    res.file(BytesIO(DATA), name="a.pdf", etag="v1", last_modified=MTIME)


def precompressed(req: Request, res: Response, ctx: Context) -> None:
    res.file("app.js", within=root_of(ctx), precompressed=True)


_VARY: Final = ("vary", "Accept-Encoding")
_SCRIPT: Final = "text/javascript; charset=utf-8"
_PACKED_TAG: Final = ("etag", tag(b"packed")[1][:-1] + '-gzip"')
FILES.put(
    "precompressed-plain", precompressed, served(b"plain", _SCRIPT, _VARY, tag(b"plain"), CHANGED),
    file=b"plain", shows="A client that takes no coding.",
)  # fmt: skip
FILES.put(
    "precompressed", precompressed,
    served(b"packed", _SCRIPT, _VARY, ("content-encoding", "gzip"), _PACKED_TAG, CHANGED),
    Ask(headers=(("Accept-Encoding", "br, gzip"),)),
    file=b"packed", shows="One that takes the coding of a sibling.",
)  # fmt: skip
FILES.put(
    "precompressed-known", precompressed, bodiless(304, _VARY, _PACKED_TAG),
    Ask(headers=(("Accept-Encoding", "gzip"), ("If-None-Match", _PACKED_TAG[1]))),
    shows="One that has it already.",
)  # fmt: skip


@FILES.add(buffered(b"not the file"))
def file_replaced_by_a_body(req: Request, res: Response, ctx: Context) -> None:
    """What is replaced is never opened."""
    res.file(f"{root_of(ctx)}/hello.txt", "name.txt")
    res.body = "not the file"
