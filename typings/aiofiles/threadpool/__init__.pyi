# The one form that is in use here: an unbuffered binary file, opened by an opener. A stub of this project's own.
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Literal

from aiofiles.threadpool.binary import AsyncFileIO

def open(
    file: str, mode: Literal["rb"], buffering: Literal[0], *, opener: Callable[[str, int], int], executor: Executor
) -> Awaitable[AsyncFileIO]: ...
