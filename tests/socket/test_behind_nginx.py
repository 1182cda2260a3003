"""nginx in front of the server: as a proxy that keeps connections, buffers and caches."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.wire.raw import Raw, read_answers, write_request
from tests.wire.servers import PATIENCE, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])) is None,
        reason="nginx is not installed",
    ),
]

ROOT = Path(__file__).parents[2]
APP = """
import os
from collections import Counter
from pathlib import Path

import anyio

from heaven_core import App
from heaven_socket import SocketAdapter

asked = Counter()

def count(req, res, ctx):
    asked[req.path] += 1

def where(req, res, ctx):
    res.body = [req.client[0], req.scheme, req.host]

def cached(req, res, ctx):
    res.cache(max_age=60, public=True)
    res.body = f"asked {asked[req.path]} times"

async def breaking(req, res, ctx):
    async def items():
        yield "x" * 1000
        await anyio.sleep(0.1)
        raise ValueError("as it is meant to")
    res.cache(max_age=60, public=True)
    res.stream(items())

async def events(req, res, ctx):
    async def items():
        yield "first"
        await anyio.sleep_forever()
    res.stream(items(), sse=True)

app = App(on_error=lambda error, where: None)
app.before("*", count)
app.GET("/where", where)
app.GET("/cached", cached)
app.GET("/breaking", breaking)
app.GET("/events", events)
app.GET("/asked/:name", lambda req, res, ctx: setattr(res, "body", str(asked["/" + req.params["name"]])))
app.GET("/file", lambda req, res, ctx: res.file("large.bin"))
app.POST("/take", lambda req, res, ctx: setattr(res, "body", f"{len(req.body)} bytes"))
adapter = SocketAdapter(app, trusted_proxies=["127.0.0.1"])
"""
CONFIGURATION = """
daemon off;
master_process off;
pid {own}/pid;
error_log {own}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {own}/body;
    proxy_temp_path {own}/proxy;
    fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi;
    scgi_temp_path {own}/scgi;
    proxy_cache_path {own}/cache keys_zone=kept:1m;
    upstream app {{ server 127.0.0.1:{behind}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
            proxy_cache kept;
            proxy_cache_revalidate on;
        }}
    }}
}}
"""
SIZE = 5_000_000


@pytest.fixture
def kind() -> None:
    """Each test starts a process of its own."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def process(command: list[str], folder: Path, port: int) -> Generator[None]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])}
    with (folder / f"log-{port}").open("wb") as log:
        running = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: running.poll() is not None or listens(port), "it to listen")
        yield
    finally:
        running.terminate()
        running.wait(PATIENCE)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module", params=["asyncio", "uvloop", "trio"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    """The port of nginx in front of a server on this event loop."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "served.py").write_text(APP)
    (folder / "large.bin").write_bytes(bytes(range(250)) * (SIZE // 250))
    behind, port = free_port(), free_port()
    (folder / "nginx.conf").write_text(CONFIGURATION.format(own=folder, behind=behind, port=port))
    ours = [sys.executable, "-m", "heaven_cli", "serve", "served:adapter", "--adapter", "socket", "--port", str(behind)]
    nginx = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])) or "nginx"
    theirs = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/error.log"]
    with process([*ours, "--backend", str(request.param)], folder, behind), process(theirs, folder, port):
        yield port


def get(port: int, path: str, **fields: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=fields, timeout=PATIENCE)


def test_the_client_is_the_one_that_nginx_names(proxy: int) -> None:
    """And whatever the client says of itself before is not believed."""
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport, timeout=PATIENCE) as client:
        answer = client.get(f"http://127.0.0.1:{proxy}/where", headers={"X-Forwarded-For": "6.6.6.6"})
    assert answer.json() == ["127.0.0.2", "https", "127.0.0.1"]


def test_many_answers_on_connections_that_are_kept(proxy: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{proxy}", timeout=PATIENCE) as client:
        for size in (0, 1, 10, 100_000, 900_000) * 4:
            assert client.post("/take", content=b"x" * size).text == f"{size} bytes"


def test_what_may_be_cached_is_asked_for_once(proxy: int) -> None:
    assert get(proxy, "/cached").text == "asked 1 times"
    assert get(proxy, "/cached").text == "asked 1 times"


def test_a_file_and_its_ranges(proxy: int) -> None:
    """nginx buffers what its client is slow to take."""
    whole = get(proxy, "/file")
    assert whole.content == bytes(range(250)) * (SIZE // 250)
    part = get(proxy, "/file", Range="bytes=1000-3000999")
    assert (part.status_code, part.content) == (206, whole.content[1000:3_001_000])
    assert get(proxy, "/file", **{"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_a_stream_that_breaks_off_is_not_taken_for_whole(proxy: int) -> None:
    """Nor cached."""
    for _ in range(2):
        with Raw(proxy) as raw:
            raw.send(write_request("GET", "/breaking", [("Connection", "close")]))
            [answer] = read_answers(raw.read_until_closed(), ["GET"])
        assert not answer.whole
    assert int(get(proxy, "/asked/breaking").text) == 2


def test_events_arrive_at_once_and_nginx_tells_that_the_client_has_left(proxy: int) -> None:
    """By X-Accel-Buffering."""
    with Raw(proxy) as raw:
        raw.send(write_request("GET", "/events"))
        raw.read_until(b"data: first\n\n")
