"""The app of the soak under ASGI: what `benchmarks.attack` has served."""

from __future__ import annotations

from benchmarks.soak_app import adapter as on_the_socket
from heaven_asgi import ASGIAdapter

__all__ = ["application"]

application = ASGIAdapter(on_the_socket.app, send_timeout=5)
