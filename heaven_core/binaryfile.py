"""Open files as bodies: what they have to be able to do, and what closes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol, Self, TypeGuard, final

__all__ = ["BinaryFile", "HeldFile", "check_binary_file", "is_binary_file", "name_of"]


class BinaryFile(Protocol):
    """What `open(path, "rb")`, `BytesIO`, `TemporaryFile` and their like give: bytes, from any place in them."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes from the position on; none at the end."""
        ...

    def seek(self, offset: int, whence: int, /) -> int:
        """Go to another position, and say where that is."""
        ...

    def close(self) -> object:
        """Let go of it."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Its lines. Nobody asks for them, but it makes a file one of the things that can be streamed."""
        ...


@final
class HeldFile:
    """An open file that is, or was, the body of a response: an iterator without items, which closes it."""

    __slots__ = ("file",)

    def __init__(self, file: BinaryFile) -> None:
        self.file: Final = file

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> bytes:
        """Raises `StopIteration`: a file is read at the places that the machine names."""
        raise StopIteration

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def is_binary_file(value: object) -> TypeGuard[BinaryFile]:
    """Whether it looks like an open file. What it holds, bytes or text, is for `check_binary_file` to find out."""
    return all(callable(getattr(value, name, None)) for name in ("read", "seek", "close", "__iter__"))


def check_binary_file(file: BinaryFile) -> BinaryFile:
    """`file` if it can be read at any place. Raises `TypeError` for a text file, `ValueError` for one that can't."""
    if hasattr(file, "encoding"):
        raise TypeError(f'res.file() takes a file that was opened in binary mode, as by open(path, "rb"): {file!r}')
    if getattr(file, "closed", False):
        raise ValueError(f"the file is closed already: {file!r}")
    for able in ("readable", "seekable"):
        question: object = getattr(file, able, None)
        if callable(question) and not question():
            hint = "; res.stream() takes what can only be read in order" if able == "seekable" else ""
            raise ValueError(f"the file is not {able}: {file!r}{hint}")
    return file


def name_of(file: BinaryFile) -> str:
    """The name that it was opened by, "" if it has none; of a descriptor that was opened the name is a number."""
    name: object = getattr(file, "name", None)
    return name if isinstance(name, str) else ""
