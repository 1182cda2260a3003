"""`module:app`, as a user types it, for either adapter; each way to get it wrong has an answer of its own."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from types import FunctionType, ModuleType
from typing import Final

from heaven_asgi import ASGIAdapter
from heaven_core import App
from heaven_socket import SocketAdapter

__all__ = ["FACTORY_VARIABLE", "TARGET_VARIABLE", "TargetError", "application", "check_factory", "load", "load_server"]

# uvicorn starts its workers and reloads anew from an import string: `application` below finds the target in here.
TARGET_VARIABLE: Final = "HEAVEN_CORE_TARGET"
# Set where the target is a function that returns the app.
FACTORY_VARIABLE: Final = "HEAVEN_CORE_FACTORY"

_SERVED: Final = (App, ASGIAdapter, SocketAdapter)


class TargetError(Exception):
    """What is wrong with a target, and what to type instead."""


def application() -> ASGIAdapter:
    """The factory that uvicorn is given. Raises `TargetError`, `KeyError` without the variable."""
    return load(os.environ[TARGET_VARIABLE], factory=FACTORY_VARIABLE in os.environ)


def load(target: str, *, factory: bool = False) -> ASGIAdapter:
    """Import `module:app` and adapt it for ASGI; with `factory`, call what is there, and adapt what that returns.

    Raises `TargetError`, and what the module and the factory raise.
    """
    found = _served(target, factory)
    return found if isinstance(found, ASGIAdapter) else ASGIAdapter(found if isinstance(found, App) else found.app)


def load_server(
    target: str,
    server_name: str | None = None,
    trusted_proxies: Sequence[str] = (),
    forwarded_header: str = "X-Forwarded-For",
    *,
    factory: bool = False,
) -> SocketAdapter:
    """Import `module:app` and make a server of it, with these options. Raises as `load` does, and `ValueError`."""
    found = _served(target, factory)
    if not isinstance(found, SocketAdapter):
        app = found if isinstance(found, App) else found.app
        return SocketAdapter(
            app, server_name=server_name, trusted_proxies=trusted_proxies, forwarded_header=forwarded_header
        )
    if server_name is not None or trusted_proxies:
        raise TargetError(f"{target!r} is a SocketAdapter, which has options of its own: set them where it is made")
    return found


def check_factory(target: str) -> None:
    """Import the module of a factory, and don't call it yet. Raises as `load` does."""
    _callable(target, _find(target)[0])


def _served(target: str, factory: bool) -> App | ASGIAdapter | SocketAdapter:
    found, hint = _find(target)
    whose = repr(target)
    if factory:
        found = _callable(target, found)()
        whose, hint = f"what {target!r} has returned", ""
    if isinstance(found, _SERVED):
        return found
    if isinstance(found, FunctionType):
        hint = "; if it returns the app, say so by --factory"
    raise TargetError(
        f"{whose} is a {type(found).__name__}; it must be a heaven_core.App, a heaven_asgi.ASGIAdapter or a "
        f"heaven_socket.SocketAdapter{hint}"
    )


def _callable(target: str, found: object) -> Callable[[], object]:
    if isinstance(found, _SERVED):
        raise TargetError(f"{target!r} is a {type(found).__name__}, and no function that returns one: omit --factory")
    if not callable(found):
        raise TargetError(f"{target!r} is a {type(found).__name__}, and no function that returns the app")
    return found


def _find(target: str) -> tuple[object, str]:
    """What is there, and what may have been meant in its place."""
    module_name, colon, attribute = target.partition(":")
    if not module_name or not attribute:
        wanted = f"{module_name.removesuffix('.py').replace('/', '.') or 'module'}:{attribute or 'app'}"
        raise TargetError(f"{target!r} must name a module and what is in it, as in {wanted}")
    if not colon or module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise TargetError(f"{module_name!r} is a file; give the module as Python imports it: {dotted}:{attribute}")
    module = _import(module_name)
    found: object = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise TargetError(f"{module_name!r} has no {attribute!r}{_hint(module, module_name, attribute)}")
        found = getattr(found, name)
    return found, _hint(module, module_name, attribute)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that the target itself fails to import is a mistake in there, and its traceback says more.
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise TargetError(
            f"there is no module {error.name!r} in {os.getcwd()} nor installed; "
            "run this where it can be imported, or say where by --app-dir"
        ) from None


def _hint(module: ModuleType, module_name: str, attribute: str) -> str:
    apps = [name for name, value in vars(module).items() if isinstance(value, _SERVED)]
    close = get_close_matches(attribute, apps, n=1) or apps[:1]
    return f"; did you mean {module_name}:{close[0]}?" if close else "; it has no App at its top level"
