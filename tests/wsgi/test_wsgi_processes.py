"""Processes: what a fork inherits and what it begins anew, and how a process ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

PREAMBLE: Final = """
import os, sys, threading, time
from contextlib import asynccontextmanager, contextmanager
from heaven_core import App
from heaven_wsgi import WSGIAdapter
from tests.wsgi.memory import Call, environ_of, until

def say(what):
    print(what, flush=True)
"""
# Not by those that need none.
LOOP: Final = "import asyncio\n"


def run(program: str) -> list[str]:
    """The lines that a program prints, which has to end by itself."""
    done = subprocess.run(
        # A fork beside threads is what servers do, and what Python 3.12 and later warn of.
        [sys.executable, "-X", "dev", "-W", "ignore:This process:DeprecationWarning", "-c", PREAMBLE + program],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'adapters'}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    return done.stdout.split("\n")[:-1]


def test_a_sync_app_needs_no_event_loop_and_no_thread() -> None:
    lines = run("""
app = App()
def handler(req, res, ctx):
    res.stream(iter([b"a", b"b"]))
app.GET("/", handler)
say(Call(WSGIAdapter(app), environ_of()).run().body)
say([name for name in ("asyncio", "anyio", "h11") if name in sys.modules])
say(threading.active_count())
""")
    assert lines == ["b'ab'", "[]", "1"]


def test_it_imports_where_nothing_else_is_installed() -> None:
    """`-I -S`: neither site-packages nor what a .pth file loads."""
    program = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "adapters")!r}]
import heaven_wsgi
print([name for name in ("anyio", "aiofiles", "h11", "asyncio", "typing_extensions") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_end_of_a_process_drains_deferred_work_and_then_leaves_the_lifespan() -> None:
    """In whichever order the applications, the thread and the loop began."""
    lines = run(
        LOOP
        + """
def made(name):
    @asynccontextmanager
    async def lifespan(app):
        yield
        await asyncio.sleep(0)
        say(f"{name} left")
    async def later(app):
        await asyncio.sleep(0.05)
        say(f"{name} deferred")
    def handler(req, res, ctx):
        res.defer(later)
    app = App(lifespan=lifespan)
    app.GET("/", handler)
    return WSGIAdapter(app)
for name in ("first", "second"):
    Call(made(name), environ_of()).run()
"""
    )
    assert lines == ["second deferred", "second left", "first deferred", "first left"] or lines == [
        "first deferred",
        "second deferred",
        "second left",
        "first left",
    ]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_child_has_a_loop_threads_and_a_lifespan_of_its_own(asynchronous: bool) -> None:
    lines = run(
        LOOP
        + f"""
asynchronous = {asynchronous}
parent = os.getpid()
who = lambda: "parent" if os.getpid() == parent else "child"
@(asynccontextmanager if asynchronous else contextmanager)
{"async " if asynchronous else ""}def lifespan(app):
    say(f"{{who()}} entered")
    yield
    say(f"{{who()}} left")
ran = []
async def handler(req, res, ctx):
    await asyncio.sleep(0)
    res.body = who()
    res.defer(lambda app: ran.append(who()))
app = App(lifespan=lifespan)
app.GET("/", handler)
adapter = WSGIAdapter(app)
def ask():
    say(Call(adapter, environ_of()).run().body.decode())
    until(lambda: ran, "deferred work")
    say(f"deferred in {{ran.pop()}}")
ask()
child = os.fork()
if child == 0:
    ask()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
ask()
"""
    )
    parent = ["parent", "deferred in parent"]
    child = ["child entered", "child", "deferred in child", "child left"]
    assert lines == ["parent entered", *parent, *child, *parent, "parent left"]


def test_a_child_that_serves_nothing_leaves_nothing_of_its_parents() -> None:
    lines = run(
        LOOP
        + """
@contextmanager
def lifespan(app):
    yield
    say("left")
app = App(lifespan=lifespan)
WSGIAdapter(app).start()
child = os.fork()
if child == 0:
    sys.exit()
os.waitpid(child, 0)
say("parent goes on")
"""
    )
    assert lines == ["parent goes on", "left"]


def test_a_stream_whose_process_ends_is_closed() -> None:
    """Its server has gone without closing it; what it awaits in the end still runs."""
    lines = run(
        LOOP
        + """
async def items():
    try:
        yield b"first"
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0)
        say("closed")
app = App()
app.GET("/", lambda req, res, ctx: res.stream(items(), sse=True, heartbeat=0.01))
call = Call(WSGIAdapter(app, stream_deadline=0.01), environ_of(), lax=True).begin()
call.take()
call.take()
"""
    )
    assert lines == ["closed"]


def test_a_request_after_the_loop_has_ended_is_a_500() -> None:
    """Of a thread that outlives the end of the process."""
    lines = run(
        LOOP
        + """
import logging
logging.getLogger("heaven_core").addHandler(logging.NullHandler())
logging.getLogger("heaven_core").propagate = False
from heaven_wsgi.process import this_process
async def handler(req, res, ctx):
    pass
app = App()
app.GET("/", handler)
adapter = WSGIAdapter(app)
say(Call(adapter, environ_of()).run().status)
this_process().get_loop().stop()
say(Call(adapter, environ_of()).run().status)
async def items():
    yield b"first"
app.POST("/", lambda req, res, ctx: res.stream(items()))
say(Call(adapter, environ_of("POST")).run().status)
"""
    )
    assert lines == ["200", "500", "500"]
