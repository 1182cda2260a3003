"""The commands themselves."""

from __future__ import annotations

import os
import sys

import click
import uvicorn

from heaven_cli.target import TARGET_VARIABLE, TargetError, load

__all__ = ["heaven_core"]


@click.group(name="heaven-core")
@click.version_option(package_name="heaven-core")
def heaven_core() -> None:
    """Serve heaven-core apps."""


@heaven_core.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("target", metavar="MODULE:APP")
@click.option("--app-dir", default="", help="Look for MODULE in this directory instead of the current one.")
@click.pass_context
def serve(context: click.Context, target: str, app_dir: str) -> None:
    """Serve an app by uvicorn, as in: heaven-core serve examples.hello:app --port 8000.

    All other options are uvicorn's own: --host, --port, --uds, --workers, --reload, --log-level and the rest of
    `uvicorn --help`.
    """
    sys.path.insert(0, app_dir)
    try:
        load(target)
    except TargetError as error:
        raise click.BadParameter(str(error), param_hint="MODULE:APP") from None
    os.environ[TARGET_VARIABLE] = target
    uvicorn.main(
        ["heaven_cli.target:application", "--factory", "--app-dir", app_dir, *context.args],
        prog_name="heaven-core serve",
    )
