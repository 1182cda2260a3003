"""heaven-core on ASGI servers: uvicorn, hypercorn, granian and whatever else speaks ASGI 3."""

from heaven_asgi.adapter import ASGIAdapter

__all__ = ["ASGIAdapter"]
