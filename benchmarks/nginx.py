"""An nginx of its own for a benchmark: one process, everything it writes in a temporary directory, ended with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.server import ServerProcess

__all__ = ["find_nginx", "serve_files"]

CONFIGURATION = """
daemon off;
master_process off;
pid {own}/pid;
error_log {own}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    client_body_temp_path {own}/body;
    proxy_temp_path {own}/proxy;
    fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi;
    scgi_temp_path {own}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /text {{ return 200 "Hello, World"; }}
        location /files/ {{ alias {folder}/; }}
    }}
}}
"""


def find_nginx() -> str | None:
    """Where it is installed, also where Debian has it, which is on the path of root only."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


@contextmanager
def serve_files(nginx: str, folder: str) -> Generator[ServerProcess]:
    """Serve /text, and the files of a folder with sendfile, from one process, as the uvicorns are."""
    with tempfile.TemporaryDirectory(prefix="nginx-") as own:
        port = _free_port()
        configuration = Path(own) / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(own=own, port=port, folder=folder))
        command = [nginx, "-p", own, "-c", str(configuration), "-e", f"{own}/error.log"]
        with subprocess.Popen(command) as process:
            try:
                _wait_for(port, process)
                yield ServerProcess(process.pid, port)
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("nginx did not start (see above)")
