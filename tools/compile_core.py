"""Compile heaven_core with mypyc into a scratch folder, and run the tests of the core on what came out.

    make compiled                                 in a temporary folder
    .venv/bin/python tools/compile_core.py DIR    in DIR, which must not exist, and is kept

It shows that a compiled core behaves as the pure one does, as far as its tests can see, and holds the list of what is
compiled, for the compiled wheel, too (tools/hatch_build.py). It needs a C compiler and takes a few minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[1]

# What stays interpreted, and why. All other modules of heaven_core are compiled.
INTERPRETED: Final = {
    # A compiled class can't be an exception with fields of its own, nor take part in every kind of inheritance.
    "errors.py": "exceptions",
    "_typing.py": "types alone: nothing of it runs",
    # They call libraries whose own types decide what is returned.
    "schema/codec.py": "a Protocol that others implement",
    "schema/msgspec_codec.py": "calls msgspec, which is compiled itself",
    "schema/pydantic_codec.py": "calls pydantic, which is compiled itself",
    # CPython counts the calls of compiled code nowhere: a list in a list in a list ... ends the process, instead of
    # a RecursionError.
    "http/json_codec.py": "recursion",
    # Handlers call these. Compiled code refuses an argument of a wrong type before our own check can say what to
    # do instead.
    "app/app.py": "arguments from users",
    "app/cors.py": "arguments from users",
    "app/route_method.py": "arguments from users",
    "app/static_files.py": "arguments from users",
    "http/cache_control.py": "arguments from users",
    "http/content_disposition.py": "arguments from users",
    "http/cookies.py": "arguments from users",
    "http/event_stream.py": "arguments from users",
    "http/uri.py": "arguments from users",
    "message/bodies.py": "arguments from users",
    "message/context.py": "arguments from users",
    "message/replay.py": "arguments from users",
    "message/response.py": "arguments from users",
    "message/response_headers.py": "arguments from users",
    # A driver for tests, public, and never in the path of a response.
    "testing": "not what anyone would compile",
}
TESTS: Final = ("tests/core", "tests/machine", "tests/handlers", "tests/app")


def to_compile() -> list[Path]:
    """List the modules that mypyc compiles, relative to the project. Raises SystemExit if `INTERPRETED` is outdated."""
    core = PROJECT / "heaven_core"
    gone = [name for name in INTERPRETED if not (core / name).exists()]
    if gone:
        sys.exit(f"INTERPRETED in {__file__} names {', '.join(gone)}, and heaven_core has no such module")
    left_out = {core / name for name in INTERPRETED}
    return [
        path.relative_to(PROJECT)
        for path in sorted(core.rglob("*.py"))
        if path.name != "__init__.py" and not left_out.intersection((path, *path.parents))
    ]


def compile_in(scratch: Path, modules: list[Path], optimize: int) -> None:
    """Copy heaven_core to `scratch`, and compile `modules` there. `optimize` is the C compiler's level, 0 to 3."""
    shutil.copytree(PROJECT / "heaven_core", scratch / "heaven_core", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "mypyc", "--config-file", str(PROJECT / "mypy.ini"), *map(str, modules)]
    subprocess.run(command, cwd=scratch, check=True, env=os.environ | {"MYPYC_OPT_LEVEL": str(optimize)})


def copy_tests(scratch: Path) -> None:
    """Copy what the tests read. After the build: setuptools would read pyproject.toml, which is for hatchling."""
    for name in ("adapters", "tests", "examples"):
        shutil.copytree(PROJECT / name, scratch / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", scratch)


def run_tests(scratch: Path) -> int:
    """Run the core's tests in `scratch`; give pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-profile=fast", *TESTS]
    return subprocess.run(command, cwd=scratch, check=False).returncode


def main(folder: Path | None) -> int:
    """Copy, compile, test. Raises FileExistsError if `folder` exists."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="heaven-core-compiled-") as name:
            return main(Path(name) / "project")
    folder.mkdir(parents=True)
    modules = to_compile()
    # Whether it behaves the same is asked, not how fast it is: no optimization, which takes most of a build.
    compile_in(folder, modules, optimize=0)
    for module in modules:  # so that what is imported is compiled
        (folder / module).unlink()
    copy_tests(folder)
    print(f"compiled {len(modules)} modules of heaven_core; the tests run on them now", flush=True)
    return run_tests(folder)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) == 2 else None))
