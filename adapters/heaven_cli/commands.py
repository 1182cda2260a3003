"""The commands themselves."""

from __future__ import annotations

import os
import sys

import click

from heaven_cli.socket_command import serve_on_sockets
from heaven_cli.target import FACTORY_VARIABLE, TARGET_VARIABLE, TargetError, check_factory, load
from heaven_core import compiled

__all__ = ["heaven_core"]

_BUILD = "compiled" if compiled else "pure Python"


@click.group(name="heaven-core")
@click.version_option(package_name="heaven-core", message=f"%(prog)s, version %(version)s ({_BUILD})")
def heaven_core() -> None:
    """Serve heaven-core apps."""


@heaven_core.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False)
@click.argument("target", metavar="MODULE:APP", required=False)
@click.option(
    "--app-dir", type=click.Path(exists=True, file_okay=False), help="Look for MODULE here, not in this folder."
)
@click.option(
    "--adapter",
    type=click.Choice(["asgi", "socket"]),
    default="asgi",
    help="Who serves: uvicorn, or heaven-core itself, with other options: --adapter socket --help.",
)
@click.option("--factory", is_flag=True, help="APP is a function that returns the app.")
@click.option("--help", "wants_help", is_flag=True, help="Show this message and exit.")
@click.pass_context
def serve(
    context: click.Context, target: str | None, app_dir: str | None, adapter: str, factory: bool, wants_help: bool
) -> None:
    """Serve an app, by uvicorn unless --adapter socket: heaven-core serve examples.hello:app --port 8000.

    All other options are uvicorn's own: --host, --port, --uds, --workers, --reload, --log-level and the rest of
    `uvicorn --help`.

    With --adapter socket heaven-core serves it itself, by HTTP/1.1.
    """
    if wants_help and adapter == "asgi":
        click.echo(context.get_help())
        return
    if wants_help:
        serve_on_sockets.main(["--help"], prog_name="heaven-core serve --adapter socket")
    if target is None:
        raise click.MissingParameter(ctx=context, param_type="argument", param_hint="MODULE:APP")
    sys.path.insert(0, app_dir or "")
    if adapter == "socket":
        options = ["--factory", *context.args] if factory else context.args
        serve_on_sockets.main([target, *options], prog_name="heaven-core serve --adapter socket")
    _check(target, factory)
    import uvicorn

    os.environ[TARGET_VARIABLE] = target
    os.environ.pop(FACTORY_VARIABLE, None)  # of a server that has started this one
    if factory:
        os.environ[FACTORY_VARIABLE] = "1"
    uvicorn.main(
        ["heaven_cli.target:application", "--factory", "--app-dir", app_dir or "", *context.args],
        prog_name="heaven-core serve",
    )


def _check(target: str, factory: bool) -> None:
    try:
        if factory:
            check_factory(target)  # uvicorn calls it, once in each process that serves
        else:
            load(target)
    except TargetError as error:
        raise click.BadParameter(str(error), param_hint="MODULE:APP") from None
