"""`python -m examples.showcase`: serve the showcase at 127.0.0.1, port 8000 or $PORT, until Ctrl-C.

`PORT=0` takes any free port. uvicorn serves it; with `SERVER=asyncio`, `uvloop` or `trio` heaven-core does itself. With
all options of either: `heaven-core serve examples.showcase.app:app`.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import traceback
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
import uvicorn

from examples.showcase.app import app
from heaven_asgi import ASGIAdapter
from heaven_socket import SocketAdapter

HOST: Final = "127.0.0.1"

# What it shows, and the arguments of curl. -i prints the head, -N prints a stream as it comes.
TRY: Final = (
    ("Text", "-i {url}/text"),
    ("JSON", "-i {url}/hello/you"),
    ("Cookie", "-i --cookie visits=41 {url}/visit"),
    ("Checked JSON", '-i --json \'{{"item": "tea", "quantity": 2}}\' {url}/orders'),
    ("... refused", '-i --json \'{{"item": "tea", "quantity": "two"}}\' {url}/orders'),
    ("File", "-i {url}/samples/letter.txt"),
    ("... from outside", "-i --path-as-is {url}/samples/../app.py"),
    ("Download", "-OJ '{url}/download?name=Gr%C3%BC%C3%9Fe.pdf'"),
    ("Its head only", "-I '{url}/download?name=Gr%C3%BC%C3%9Fe.pdf'"),
    ("Media", "-I {url}/media/melody.wav"),
    ("... four bytes", "-i -r 8-11 {url}/media/melody.wav"),
    ("Broken off", "-O --limit-rate 1M --max-time 2 {url}/download/melody.wav"),
    ("... resumed", "-O -C - {url}/download/melody.wav"),
    ("Stream", "-iN {url}/poem"),
    ("Events", "-iN {url}/events"),
    ("Redirect", "-iL {url}/redirect"),
    ("Abort", "-i {url}/door"),
    ("... not", "-i '{url}/door?word=please'"),
    ("Failure", "-i {url}/failure"),
    ("Deferred work", "-i -X POST {url}/jobs"),
    ("... its state", "-i {url}/jobs/1"),
)


def main() -> int:
    """Serve until Ctrl-C. The exit status: 1 if the port can't be used or the app does not start, else 0."""
    text = os.environ.get("PORT", "8000")
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        print(f"PORT must be a number from 0 to 65535, not {text!r}.", file=sys.stderr)
        return 1
    # Bound here and handed to the server, so that nobody can take the port in between.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere the option would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, int(text)))
            listener.listen()  # Linux lets two sockets bind with SO_REUSEADDR; only one may listen
        except OSError as error:
            reason = error.strerror or error
            print(f"Port {text} of {HOST} can't be used: {reason}.", file=sys.stderr)
            print("Another program may be using it. Choose another port: PORT=8001 make demo", file=sys.stderr)
            return 1
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        print(introduction(url), flush=True)
        backend = os.environ.get("SERVER", "uvicorn")
        started = serve(listener) if backend == "uvicorn" else serve_on_sockets(listener, backend)
    print("\nStopped." if started else "\nNot started.")
    return 0 if started else 1


def introduction(url: str) -> str:
    """What the user reads at the start."""
    width = max(len(title) for title, _ in TRY)
    curl = "\n".join(f"  {title:{width}}  curl {arguments.format(url=url)}" for title, arguments in TRY)
    return f"The showcase of heaven-core: {url}/\n\nOpen it in a browser, or try:\n\n{curl}\n\nCtrl-C stops it."


def serve(listener: socket.socket) -> bool:
    """Answer on this socket until Ctrl-C or SIGTERM. What is not done five seconds later is cancelled.

    False if the app did not start: the log says why.
    """
    server = uvicorn.Server(uvicorn.Config(ASGIAdapter(app), log_level="warning", timeout_graceful_shutdown=5))
    # uvicorn ends in order, then passes the signal on; where the app does not start, it wants to exit at once.
    with suppress(KeyboardInterrupt, SystemExit):
        server.run(sockets=[listener])
    return server.started


def serve_on_sockets(listener: socket.socket, backend: str) -> bool:
    """The same without uvicorn, on this event loop."""
    logging.basicConfig(level=logging.WARNING)
    listener.setblocking(False)
    adapter = SocketAdapter(app, response_deadline=5.0)
    options = {} if backend == "trio" else {"use_uvloop": backend == "uvloop"}
    try:
        anyio.run(
            partial(adapter.serve, sockets=[listener]),
            backend="trio" if backend == "trio" else "asyncio",
            backend_options=options,
        )
    except (LookupError, ImportError) as error:
        print(f"SERVER={backend} can't be used: {error}", file=sys.stderr)
        return False
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
