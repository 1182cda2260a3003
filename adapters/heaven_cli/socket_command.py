"""`heaven-core serve MODULE:APP --adapter socket`: the server of our own, and its options."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from functools import partial
from importlib.util import find_spec
from typing import Final, final

import anyio
import click

from heaven_cli.target import TargetError, load_server
from heaven_cli.workers import run_workers
from heaven_core._typing import override
from heaven_socket import (
    SocketAdapter,
    check_listeners,
    close_listeners,
    inherited_sockets,
    listen_on,
    listen_on_unix,
    tls_context,
)

__all__ = ["serve_on_sockets"]

_LEVELS: Final = ["debug", "info", "warning", "error"]


@final
class _Octal(click.ParamType[int]):
    name = "octal"

    @override
    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else int(value, 8)
        except ValueError:
            self.fail(f"{value!r} is no mode in octal digits, as 660 is", param, ctx)


@click.command()
@click.argument("target", metavar="MODULE:APP")
@click.option("--factory", is_flag=True, help="APP is a function that returns the app.")
@click.option("--backend", type=click.Choice(["asyncio", "uvloop", "trio"]), default="asyncio", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Name or address; '' for all of them.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for a free one.")
@click.option("--uds", metavar="PATH", help="Listen on a unix socket instead.")
@click.option("--uds-mode", metavar="MODE", type=_Octal(), help="Its permissions, in octal digits; else the umask's.")
@click.option("--fd", type=int, help="Listen on this descriptor, of a socket that listens already.")
@click.option("--reuse-port", is_flag=True, help="Let further processes listen on the same port.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that serve.")
@click.option("--certificate", metavar="FILE", help="PEM, with its chain: serve by TLS.")
@click.option("--key", metavar="FILE", help="PEM; without it, the key is in the certificate's file.")
@click.option("--server-name", help="The Server field, which is left off otherwise.")
@click.option("--trusted-proxy", multiple=True, metavar="NET", help="A peer that may name the client; 'unix' is one.")
@click.option(
    "--forwarded-header",
    type=click.Choice(["X-Forwarded-For", "Forwarded"], case_sensitive=False),
    default="X-Forwarded-For",
    show_default=True,
    help="Where trusted proxies name it.",
)
@click.option("--access-log/--no-access-log", default=True, show_default=True)
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True)
def serve_on_sockets(  # noqa: PLR0913, PLR0917  # an option each
    target: str,
    factory: bool,
    backend: str,
    host: str,
    port: int,
    uds: str | None,
    uds_mode: int | None,
    fd: int | None,
    reuse_port: bool,
    workers: int,
    certificate: str | None,
    key: str | None,
    server_name: str | None,
    trusted_proxy: tuple[str, ...],
    forwarded_header: str,
    access_log: bool,
    log_level: str,
) -> None:
    """Serve an app by heaven-core's own server of HTTP/1.1.

    SIGTERM or SIGINT ends it in order, a second one at once. Limits are set in Python: give a SocketAdapter for APP.
    """
    try:
        _check(backend)
        adapter = load_server(target, server_name, trusted_proxy, forwarded_header, factory=factory)
        tls = _tls(certificate, key)
        listening = _listen(host, port, uds, uds_mode, fd, reuse_port)
    except TargetError as error:
        raise click.BadParameter(str(error), param_hint="MODULE:APP") from None
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if not access_log:
        logging.getLogger("heaven_socket.access").setLevel(logging.CRITICAL)
    if workers == 1:
        _run(adapter, backend, listening, tls)
        return
    try:
        status = run_workers(workers, listening, _without_workers(sys.argv[1:]))
    finally:
        close_listeners(listening)
    sys.exit(status)


def _check(backend: str) -> None:
    """Raise `ValueError` where the event loop is not installed."""
    if backend != "asyncio" and find_spec(backend) is None:
        extra = '"heaven-core[uvloop]"' if backend == "uvloop" else "trio"
        raise ValueError(f"--backend {backend} needs the package {backend}: pip install {extra}")


def _without_workers(arguments: list[str]) -> list[str]:
    """The command line of one worker: it inherits the sockets."""
    kept: list[str] = []
    given = iter(arguments)
    for argument in given:
        if argument == "--workers":
            next(given, None)
        elif not argument.startswith("--workers="):
            kept.append(argument)
    return kept


def _run(adapter: SocketAdapter, backend: str, listening: list[socket.socket], tls: ssl.SSLContext | None) -> None:
    serve = partial(adapter.serve, sockets=listening, tls=tls)
    if backend == "trio":
        anyio.run(serve, backend="trio")
    else:
        anyio.run(serve, backend="asyncio", backend_options={"use_uvloop": backend == "uvloop"})


def _listen(
    host: str, port: int, uds: str | None, uds_mode: int | None, fd: int | None, reuse_port: bool
) -> list[socket.socket]:
    inherited = inherited_sockets()
    if inherited:
        return inherited
    if uds is None and uds_mode is not None:
        raise ValueError("--uds-mode is of no use without --uds")
    if fd is not None and uds is not None:
        raise ValueError("--fd and --uds are two places to listen: give one of them")
    if fd is not None:
        return [_by_descriptor(fd)]
    if uds is not None:
        return [listen_on_unix(uds, mode=uds_mode)]
    return anyio.run(partial(listen_on, host, port, reuse_port=reuse_port))


def _by_descriptor(fd: int) -> socket.socket:
    try:
        one = socket.socket(fileno=fd)
    except OSError as error:
        raise OSError(f"--fd {fd} is no socket: {error.strerror}") from None
    one.setblocking(False)
    check_listeners([one])
    return one


def _tls(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            raise ValueError("--key is of no use without --certificate")
        return None
    return tls_context(certificate, key)
