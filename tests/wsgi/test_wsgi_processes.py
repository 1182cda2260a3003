"""Processes: what a fork inherits and what it begins anew, and how a process ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

PREAMBLE: Final = """
import os, signal, sys, threading, time
from contextlib import asynccontextmanager, contextmanager
from heaven_core import App
from heaven_wsgi import WSGIAdapter
from tests.wsgi.memory import Call, environ_of, until

# Whoever has started this may have it ignored, as a shell does in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
def say(what):
    print(what, flush=True)
"""
# Not by those that need none.
LOOP: Final = "import asyncio\n"


def run(program: str, says: str = "") -> list[str]:
    """The lines that a program prints, which has to end by itself. `says` is what it says of its end, nothing else."""
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
    assert (says in done.stderr) if says else not done.stderr, done.stderr
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


def test_what_a_task_beside_a_request_raises_does_not_end_the_loop() -> None:
    """An exit comes out of asyncio's loop itself; so does a call of its `stop`."""
    lines = run(
        LOOP
        + """
async def leave():
    sys.exit(3)
async def handler(req, res, ctx):
    if req.query_string == b"exit":
        leaving.append(asyncio.create_task(leave()))
        await asyncio.sleep(0)
    elif req.query_string:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
    res.body = "ok"
leaving = []
app = App()
app.GET("/", handler)
adapter = WSGIAdapter(app)
for query in ("", "exit", "stop", ""):
    say(Call(adapter, environ_of(query=query)).run().body.decode())
""",
        says="error in a task on the event loop, which goes on",
    )
    assert lines == ["ok", "ok", "ok", "ok"]


@pytest.mark.skipif((3, 12) <= sys.version_info < (3, 12, 2), reason="no thread begins there at the end of a process")
@pytest.mark.parametrize("what", ["deferred", "lifespan"])
def test_threads_and_pools_work_until_the_end(what: str) -> None:
    """asyncio's default pool, too, which a host's name needs: `atexit` alone would be too late for it."""
    lines = run(
        LOOP
        + f"""
async def work():
    say(await asyncio.to_thread(lambda: "in a thread"))
@asynccontextmanager
async def lifespan(app):
    yield
    if {what!r} == "lifespan":
        await work()
async def later(app):
    await asyncio.sleep(0.05)
    await work()
def handler(req, res, ctx):
    if {what!r} == "deferred":
        res.defer(later)
app = App(lifespan=lifespan)
app.GET("/", handler)
Call(WSGIAdapter(app), environ_of()).run()
"""
    )
    assert lines == ["in a thread"]


def test_who_does_not_want_to_wait_still_hears_what_is_lost_and_leaves_every_lifespan() -> None:
    """A second Ctrl-C, while deferred work is waited for."""
    lines = run(
        LOOP
        + """
import logging, signal
logging.basicConfig(stream=sys.stdout, format="%(message)s")
def made(name):
    @asynccontextmanager
    async def lifespan(app):
        yield
        say(f"{name} left")
    async def hangs(app):
        if name == "second":
            begun.append(1)
            await asyncio.sleep(60)
    app = App(lifespan=lifespan)
    app.GET("/", lambda req, res, ctx: res.defer(hangs))
    return WSGIAdapter(app)
begun = []
adapters = [made("first"), made("second")]
for adapter in adapters:
    Call(adapter, environ_of()).run()
until(lambda: begun, "the call to begin")
def interrupt():
    until(adapters[1]._life.is_told, "the process to begin to end")
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
""",
        says="KeyboardInterrupt",
    )
    assert lines == [
        "deferred call made.<locals>.hangs is lost: nobody has waited for its end",
        "second left",
        "first left",
    ]


def test_one_that_stops_in_another_thread_is_waited_for() -> None:
    lines = run("""
@contextmanager
def lifespan(app):
    yield
    say("left")
def later(app):
    time.sleep(0.2)
    say("deferred")
app = App(lifespan=lifespan)
app.GET("/", lambda req, res, ctx: res.defer(later))
adapter = WSGIAdapter(app)
Call(adapter, environ_of()).run()
threading.Thread(target=adapter.stop, daemon=True).start()
""")
    assert lines == ["deferred", "left"]


def test_an_interrupted_startup_is_left_again() -> None:
    lines = run(
        LOOP
        + """
import signal
@asynccontextmanager
async def lifespan(app):
    if not tries:
        tries.append(1)
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            say("given up")
    say("entered")
    yield
    say("left")
tries = []
adapter = WSGIAdapter(App(lifespan=lifespan))
try:
    adapter.start()
except KeyboardInterrupt:
    say("interrupted")
adapter.start()
"""
    )
    assert lines == ["given up", "interrupted", "entered", "left"]


def test_one_that_is_stopped_by_a_signal_while_it_starts_is_left_and_says_so() -> None:
    lines = run("""
import signal
@contextmanager
def lifespan(app):
    os.kill(os.getpid(), signal.SIGTERM)
    yield
    say("left")
adapter = WSGIAdapter(App(lifespan=lifespan))
signal.signal(signal.SIGTERM, lambda number, frame: adapter.stop())
try:
    adapter.start()
except RuntimeError as error:
    say(error)
""")
    assert lines == ["left", "this adapter was stopped while it started"]


def test_an_adapter_that_is_stopped_leaves_nothing_behind() -> None:
    lines = run("""
import gc
for _ in range(20):
    app = App()
    app.GET("/", lambda req, res, ctx: res.defer(lambda app: None))
    adapter = WSGIAdapter(app)
    Call(adapter, environ_of()).run()
    adapter.stop()
    del app, adapter
until(lambda: threading.active_count() == 1, "the threads to end")
gc.collect()
say(sum(type(found) is App for found in gc.get_objects()))
""")
    assert lines == ["0"]


def test_where_no_thread_can_begin_an_async_request_is_a_500() -> None:
    lines = run(
        LOOP
        + """
import logging
logging.getLogger("heaven_core").addHandler(logging.NullHandler())
logging.getLogger("heaven_core").propagate = False
async def handler(req, res, ctx):
    pass
app = App()
app.GET("/", handler)
begin = threading.Thread.start
def refuse(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
adapter = WSGIAdapter(app)
say(Call(adapter, environ_of()).run().status)
threading.Thread.start = begin
say(Call(adapter, environ_of()).run().status)
"""
    )
    assert lines == ["500", "200"]
