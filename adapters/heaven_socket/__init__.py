"""heaven-core on plain sockets: HTTP/1.1 by asyncio, uvloop and trio, without a server below."""

from heaven_socket.adapter import SocketAdapter
from heaven_socket.connection import CONTINUE, Connection
from heaven_socket.head import RemoteProtocolError, RequestHead
from heaven_socket.limits import Limits
from heaven_socket.listening import inherited_sockets, listen_on, listen_on_unix
from heaven_socket.serving import serve, serve_connection

__all__ = [
    "CONTINUE",
    "Connection",
    "Limits",
    "RemoteProtocolError",
    "RequestHead",
    "SocketAdapter",
    "inherited_sockets",
    "listen_on",
    "listen_on_unix",
    "serve",
    "serve_connection",
]
