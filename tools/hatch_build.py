"""hatchling's hook for the compiled wheel: `HEAVEN_CORE_COMPILED=1 pip wheel .` (docs/compiled.md).

Without that variable the wheel is pure; so it is with HEAVEN_CORE_PURE=1, and, with a warning, where there is no C
compiler. The sources are in the compiled wheel, too: Python takes an extension before them, tracebacks show them.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parents[1]))  # hatchling loads this file by its path
from tools.compile_core import compile_in, to_compile

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: object) -> object:  # a build has no typing_extensions
        return method


__all__ = ["CompiledBuildHook"]

# mypy reads the types of the two that the core calls where they are installed.
NEEDS: Final = ["mypy>=2.4,<3", "setuptools>=75", "msgspec>=0.19", "pydantic>=2.9"]


def _set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def is_asked_for() -> bool:
    return _set("HEAVEN_CORE_COMPILED") and not _set("HEAVEN_CORE_PURE")


def compiler() -> str | None:
    """The C compiler that setuptools would call, if there is one."""
    if sys.platform == "win32":
        return "cl"  # setuptools finds it in places of its own, or says what is missing
    command = os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc")
    return shutil.which(command.split()[0])


class CompiledBuildHook(BuildHookInterface[BuilderConfig]):
    """Compiles the core beside a copy of it, and puts the extensions into the wheel."""

    PLUGIN_NAME = "custom"
    scratch: Path | None = None

    @override
    def dependencies(self) -> list[str]:
        """What a build that compiles needs, besides hatchling."""
        return NEEDS if is_asked_for() else []

    @override
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, where that is asked for and can be done. hatchling calls it before it collects the files."""
        if version == "editable" or not is_asked_for():
            return
        if compiler() is None:
            self.app.display_warning("HEAVEN_CORE_COMPILED is set and there is no C compiler: the wheel will be pure")
            return
        self.scratch = Path(tempfile.mkdtemp(prefix="heaven-core-wheel-"))
        try:
            compile_in(self.scratch, to_compile(), optimize=3)
        except BaseException:
            self.finalize(version, build_data, "")
            raise
        extensions = [*self.scratch.glob("*__mypyc.*"), *(self.scratch / "heaven_core").rglob(_EXTENSION)]
        for path in extensions:
            build_data["force_include"][str(path)] = path.relative_to(self.scratch).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    @override
    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made on the way. hatchling calls it when the wheel is there."""
        if self.scratch is not None:
            shutil.rmtree(self.scratch)


_EXTENSION: Final = f"*{sysconfig.get_config_var('EXT_SUFFIX')}"
