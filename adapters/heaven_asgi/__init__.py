"""heaven-core on ASGI servers: uvicorn, hypercorn, granian and whatever else speaks ASGI 3."""

try:
    from heaven_asgi.adapter import ASGIAdapter
except ModuleNotFoundError as _error:
    if _error.name not in ("aiofiles", "anyio"):
        raise
    _text = f'heaven_asgi needs the package {_error.name}: pip install "heaven-core[asgi]"'
    raise ModuleNotFoundError(_text, name=_error.name) from None

__all__ = ["ASGIAdapter"]
