"""heaven-core on plain sockets: HTTP/1.1 by asyncio, uvloop and trio, without a server below."""

try:
    from heaven_socket.adapter import SocketAdapter
    from heaven_socket.connection import CONTINUE, Connection
    from heaven_socket.head import RemoteProtocolError, RequestHead
    from heaven_socket.limits import Limits
    from heaven_socket.listening import check_listeners, close_listeners, inherited_sockets, listen_on, listen_on_unix
    from heaven_socket.serving import serve, serve_connection
    from heaven_socket.tls import tls_context
except ModuleNotFoundError as _error:
    if _error.name not in ("aiofiles", "anyio", "h11"):
        raise
    _text = f'heaven_socket needs the package {_error.name}: pip install "heaven-core[socket]"'
    raise ModuleNotFoundError(_text, name=_error.name) from None

__all__ = [
    "CONTINUE",
    "Connection",
    "Limits",
    "RemoteProtocolError",
    "RequestHead",
    "SocketAdapter",
    "check_listeners",
    "close_listeners",
    "inherited_sockets",
    "listen_on",
    "listen_on_unix",
    "serve",
    "serve_connection",
    "tls_context",
]
